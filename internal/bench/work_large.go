package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// largeFiles are read and written as fast as the link allows, and at places.
var largeFiles = []workload{
	{
		name: "read", on: onLink, also: []string{oursTLS}, runs: 2,
		figures: []figure{ofLink("sequential read, one file of 256 MiB", large.size, 90)},
		run: func(t *turn) {
			t.serve(large)
			t.warm()
			t.timed(func() { t.shell("cat large >../../large") })
			t.sameFiles(t.scratch, large)
		},
		lftp: func(t *turn) {
			t.serve(large)
			s := t.lftp()
			t.timed(func() { s.do("get large") })
			t.sameFiles(t.scratch, large)
		},
	},
	{
		name: "write", on: onLink, also: []string{"rclone writes"}, runs: 2,
		figures: []figure{ofLink("sequential write, one file of 256 MiB", large.size, 90)},
		run: func(t *turn) {
			t.keep(large)
			t.warm()
			t.timed(func() { t.shell("cat ../../large >large"); t.arrive(large) })
			t.unmount()
			t.only(large)
		},
		lftp: func(t *turn) {
			t.keep(large)
			s := t.lftp()
			t.timed(func() { s.do("put large"); t.arrive(large) })
		},
	},
	{
		name: "read-parallel", on: onLink, runs: 2,
		figures: []figure{ofLink("8 readers at once, 12 MiB each", 8*12<<20, 0)},
		run: func(t *turn) {
			files := series("f%d", 8, 12<<20)
			t.serve(files...)
			t.warm()
			t.timed(func() { t.shell("for f in 0 1 2 3 4 5 6 7; do cat f$f >../../f$f & done; wait") })
			t.sameFiles(t.scratch, files...)
		},
	},
	{
		name: "random-read", on: onLink, also: []string{"ftpfs active"},
		figures: []figure{perItem("random read of 4 KiB in a cold file of 256 MiB", places, "1 to 2", 2.2)},
		run:     readAtRandom,
	},
	{
		name: "tail", on: onLink,
		figures: []figure{perItem("`tail -c 1000` of 256 MiB", 1, "1", 2.2)},
		run: func(t *turn) {
			t.serve(large)
			t.warm()
			t.shell("ls >/dev/null")
			t.settle()
			var out string
			t.timed(func() { out = t.shell("tail -c 1000 large") })
			t.same(out, string(t.piece(large.name, large.size-1000, 1000)))
		},
		curl: func(t *turn) {
			t.serve(large)
			var out string
			t.timed(func() { out = t.curl(t.url(large.name), fmt.Sprintf("range = %d-", large.size-1000)) })
			t.same(out, string(t.piece(large.name, large.size-1000, 1000)))
		},
	},
}

// large is so long that the beginning of a connection, when TCP finds out what the link bears, is
// a small part of the whole: a bare connection loses some six round trips, a twentieth of 128 MiB.
var large = file{"large", 256 << 20}

const places = 20

func readAtRandom(t *turn) {
	t.serve(large)
	t.warm()
	t.shell("ls >/dev/null")
	t.settle()
	in, err := os.Open(filepath.Join(t.dir, large.name))
	t.must(err)
	defer in.Close()
	places := scatteredPlaces(places, large.size)
	got := make([]byte, 4<<10)
	for _, at := range places {
		t.timed(func() { _, err = in.ReadAt(got, at) })
		t.must(err)
		t.same(string(got), string(t.piece(large.name, at, len(got))))
	}
	t.must(in.Close())
}

// scatteredPlaces gives offsets at multiples of 4 KiB, the same each time.
func scatteredPlaces(n int, size int64) []int64 {
	random := rand.New(rand.NewPCG(3, 4))
	all := make([]int64, n)
	for i := range all {
		all[i] = random.Int64N(size>>12) << 12
	}
	return all
}

// piece is a part of a file on the server's disk.
func (t *turn) piece(name string, at int64, n int) []byte {
	in, err := os.Open(filepath.Join(t.local, name))
	t.must(err)
	defer in.Close()
	b := make([]byte, n)
	_, err = in.ReadAt(b, at)
	t.must(err)
	return b
}
