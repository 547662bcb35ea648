package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// local are the workloads on loopback, where the machine is the limit.
var local = []workload{
	{
		name: "local-read", on: loopback, also: []string{"ftpfs small cache", ceiling},
		figures: []figure{ofCeiling("sequential read of 256 MiB on loopback", local256.size, 80)},
		run:     readLocally,
		curl: func(t *turn) {
			t.serve(local256)
			t.timed(func() { t.curl(t.url(local256.name), `output = "/dev/null"`) })
			t.curl(t.url(local256.name), "remote-name")
			t.sameFiles(t.scratch, local256)
		},
	},
	{
		name: "local-write", on: loopback, also: []string{"rclone writes", ceiling},
		figures: []figure{ofCeiling("sequential write of 256 MiB on loopback", local256.size, 80)},
		run:     writeLocally,
		curl: func(t *turn) {
			t.keep(local256)
			t.timed(func() { t.curl(t.url(local256.name), `upload-file = "`+local256.name+`"`); t.arrive(local256) })
		},
	},
	{
		name: "lookups", on: loopback,
		figures: []figure{
			micros("a lookup in a cached tree of 10,000 files", 100*100, 40),
			processor("processor time of the mount program for 1000 such lookups", 10),
		},
		run: func(t *turn) {
			files := tree("top", 100, 100, 0)
			t.serve(files...)
			t.warm()
			t.shell("find . >/dev/null") // the mount program knows them, the kernel does not
			var st syscall.Stat_t
			t.timed(func() {
				for _, f := range files {
					t.must(syscall.Lstat(filepath.Join(t.dir, f.name), &st))
				}
			})
		},
	},
	{
		name: "ls-100000", on: loopback, runs: 1, limit: 2 * turnTime,
		figures: []figure{
			micros("`ls -l` of a directory of 100,000 files, per file", 100_000, 0),
			peakMemory("most memory of the mount program for 100,000 files", 0),
		},
		run: func(t *turn) { t.list(series("f%05d", 100_000, 0), t.serve) },
	},
	{
		name: "stream", on: loopback, also: []string{"ftpfs small cache"}, runs: 1, limit: 2 * turnTime,
		figures: []figure{
			peakMemory("most memory of the mount program while 2 GiB are read", 64),
			processor("processor time of the mount program for each GiB read", 2),
		},
		run: func(t *turn) {
			f := file{"stream", 2 << 30}
			t.serve(f)
			t.warm()
			got := sha256.New()
			t.timed(func() {
				in, err := os.Open(filepath.Join(t.dir, f.name))
				t.must(err)
				defer in.Close()
				_, err = io.CopyBuffer(got, struct{ io.Reader }{in}, make([]byte, 1<<20))
				t.must(err)
			})
			if sum(got.Sum(nil)) != f.sum() {
				t.fail("wrong content")
			}
		},
	},
}

var local256 = file{"large", 256 << 20}

// touched is memory that the machine has given already.
func touched(size int64) []byte { return bytes.Repeat([]byte{1}, int(size)) }

func readLocally(t *turn) {
	t.serve(local256)
	t.warm()
	got := touched(local256.size)
	t.timed(func() {
		in, err := os.Open(filepath.Join(t.dir, local256.name))
		t.must(err)
		defer in.Close()
		for at := 0; at < len(got); {
			n, err := in.Read(got[at:min(at+1<<20, len(got))])
			t.must(err)
			at += n
		}
	})
	t.sameBytes(bytes.NewReader(got), local256)
}

func writeLocally(t *turn) {
	var content bytes.Buffer
	_, err := content.ReadFrom(local256.content())
	t.must(err)
	local256.sum()
	t.warm()
	t.timed(func() {
		out, err := os.Create(filepath.Join(t.dir, local256.name))
		t.must(err)
		defer out.Close()
		for content.Len() > 0 {
			if _, err := out.Write(content.Next(1 << 20)); err != nil {
				t.fail("%w", errors.Join(err, out.Close()))
			}
		}
		t.must(out.Close())
		t.arrive(local256)
	})
}
