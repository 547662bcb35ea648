package main

import (
	"os"
	"path/filepath"
	"strings"
)

// changes write, until the server has everything.
var changes = []workload{
	{
		name: "cp-up", on: onLink, also: []string{"ftpfs active", oursTLS, "rclone writes"},
		figures: []figure{perItem("`cp -r` of 4 KiB files to the server, per file", 20, "2", 2.7)},
		run:     func(t *turn) { t.copyUp(20) },
		lftp: func(t *turn) {
			files := series("top/f%02d", 20, 4<<10)
			t.keep(files...)
			s := t.lftp()
			t.timed(func() { s.do("mirror -R top top"); t.arrive(files...) })
		},
	},
	{
		name: "cp-up-behind", on: onLink, instead: []string{"ftpfs write-back"},
		figures: []figure{perItem("`cp -r` of 4 KiB files to the server with write-back, per file", 30, "bandwidth", 0.6)},
		run:     func(t *turn) { t.copyUp(30) },
	},
	{
		name: "rm", on: onLink,
		figures: []figure{perItem("`rm` of files, per file", 20, "1", 1.2)},
		run: func(t *turn) {
			files := series("f%02d", 20, 100)
			t.serve(files...)
			t.warm()
			t.shell("ls >/dev/null")
			t.timed(func() { t.shell("rm " + strings.Join(names(files), " ")); t.gone(names(files)...) })
		},
		lftp: func(t *turn) {
			files := series("f%02d", 20, 100)
			t.serve(files...)
			s := t.lftp()
			t.timed(func() { s.do("rm " + strings.Join(names(files), " ")); t.gone(names(files)...) })
		},
	},
	{
		name: "rm-r", on: onLink,
		figures: []figure{perItem("`rm -r` of 30 files in 3 directories, per file", 30, "", 0)},
		run: func(t *turn) {
			t.serve(tree("top", 3, 10, 100)...)
			t.warm()
			t.timed(func() { t.shell("rm -r top"); t.gone("top") })
		},
		lftp: func(t *turn) {
			t.serve(tree("top", 3, 10, 100)...)
			s := t.lftp()
			t.timed(func() { s.do("rm -r top"); t.gone("top") })
		},
	},
	{
		name: "sed", on: onLink, limit: turnTime / 2, also: []string{"rclone writes"},
		figures: []figure{perItem("`sed -i` on a 10 KiB file, until the server has it", 1, "4", 7)},
		run: func(t *turn) {
			before := strings.Repeat("all the old words\n", 600)
			t.serveText("notes", before)
			t.warm()
			t.shell("ls >/dev/null")
			t.settle()
			t.timed(func() {
				t.shell("sed -i s/old/new/ notes")
				t.arriveText("notes", strings.ReplaceAll(before, "old", "new"))
			})
		},
	},
	{
		name: "append", on: onLink, also: []string{"rclone writes"},
		figures: []figure{perItem("`echo line >>` a log of 64 MiB, until the server has it", 1, "2", 3.5)},
		run: func(t *turn) {
			f := file{"log", 64 << 20}
			t.serve(f)
			before, err := os.ReadFile(filepath.Join(t.local, f.name))
			t.must(err)
			after := string(append(before, "line\n"...)) // made before the clock starts
			t.warm()
			t.shell("ls >/dev/null")
			t.settle()
			t.timed(func() {
				t.shell("echo line >>log")
				t.arriveText("log", after)
			})
		},
	},
}

func (t *turn) copyUp(n int) {
	files := series("top/f%02d", n, 4<<10)
	t.keep(files...)
	t.warm()
	t.timed(func() { t.shell("cp -r ../../top ."); t.arrive(files...) })
	t.unmount()
	t.only(files...)
}
