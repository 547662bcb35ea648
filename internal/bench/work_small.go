package main

import (
	"math/rand/v2"
	"strings"
)

// smallFiles are read.
var smallFiles = []workload{
	{
		name: "cat", on: onLink, also: []string{"ftpfs active", oursTLS},
		figures: []figure{perItem("`cat` of 1 KiB files, one after another, in no order, per file", oneByOne, "1", 1.5)},
		run:     func(t *turn) { t.catEach(scattered(series("f%02d", oneByOne, 1<<10))) },
		lftp: func(t *turn) {
			files := series("f%02d", oneByOne, 1<<10)
			t.serve(files...)
			s := t.lftp()
			var out string
			t.timed(func() { out = s.output("cat " + strings.Join(names(files), " ")) })
			t.sameBytes(strings.NewReader(out), files...)
		},
		curl: func(t *turn) {
			files := series("f%02d", oneByOne, 1<<10)
			t.serve(files...)
			var lines []string
			for _, f := range files {
				lines = append(lines, t.url(f.name))
			}
			var out string
			t.timed(func() { out = t.curl(lines...) })
			t.sameBytes(strings.NewReader(out), files...)
		},
	},
	{
		name: "cat-in-order", on: onLink,
		figures: []figure{perItem("`cat` of 1 KiB files in the order of their names, per file", inOrder, "0 when predicted", 0.5)},
		run:     func(t *turn) { t.catEach(series("f%02d", inOrder, 1<<10)) },
	},
	{
		name: "cat-parallel", on: onLink,
		figures: []figure{perItem("`cp` of 1 KiB files from the server, 8 at a time, per file", inParallel, "0.31", 0.35)},
		run: func(t *turn) {
			files := series("f%02d", inParallel, 1<<10)
			t.serve(files...)
			t.warm()
			t.shell("ls >/dev/null")
			t.settle()
			t.timed(func() {
				t.shell("printf '%s\\n' " + strings.Join(names(files), " ") + " | xargs -P 8 -I F cp F ../../F")
			})
			t.sameFiles(t.scratch, files...)
		},
	},
	{
		name: "cp-down", on: onLink,
		figures: []figure{perItem("`cp -r` of 30 files of 4 KiB from the server, per file", 30, "", 0)},
		run: func(t *turn) {
			files := tree("top", 3, 10, 4<<10)
			t.serve(files...)
			t.warm()
			t.timed(func() { t.shell("cp -r top ../..") })
			t.sameFiles(t.scratch, files...)
		},
		lftp: func(t *turn) {
			files := tree("top", 3, 10, 4<<10)
			t.serve(files...)
			s := t.lftp()
			t.timed(func() { s.do("mirror top top") })
			t.sameFiles(t.scratch, files...)
		},
	},
}

const (
	oneByOne   = 20
	inOrder    = 40
	inParallel = 80
)

// catEach runs cat for each of the files, in a directory that has been listed.
func (t *turn) catEach(files []file) {
	t.serve(files...)
	t.warm()
	t.shell("ls >/dev/null")
	t.settle()
	var out string
	t.timed(func() { out = t.shell("for f in " + strings.Join(names(files), " ") + "; do cat $f; done") })
	t.sameBytes(strings.NewReader(out), files...)
}

// scattered gives the files in another order, always the same.
func scattered(files []file) []file {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files
}
