package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A file is one of a workload's: its content follows from its name.
type file struct {
	name string // below the turn's directory
	size int64
}

// content gives the bytes of the file, the same each time.
func (f file) content() io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(f.name))), f.size)
}

type sum [sha256.Size]byte

var sums sync.Map // of each file asked for, its sum

func (f file) sum() sum {
	if s, ok := sums.Load(f); ok {
		return s.(sum)
	}
	h := sha256.New()
	io.Copy(h, f.content()) // neither of them fails
	s := sum(h.Sum(nil))
	sums.Store(f, s)
	return s
}

// series makes n files of a size; format has one verb for a number from 0.
func series(format string, n int, size int64) []file {
	all := make([]file, n)
	for i := range all {
		all[i] = file{fmt.Sprintf(format, i), size}
	}
	return all
}

// tree makes files below dirs directories of one directory each: top/d0/f0, ...
func tree(top string, dirs, files int, size int64) []file {
	var all []file
	for d := range dirs {
		all = append(all, series(fmt.Sprintf("%s/d%02d/f%%02d", top, d), files, size)...)
	}
	return all
}

// store writes files into a directory.
func store(dir string, files ...file) error {
	made := make(map[string]bool)
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if parent := filepath.Dir(path); !made[parent] {
			if err := os.MkdirAll(parent, 0o755); err != nil {
				return err
			}
			made[parent] = true
		}
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, f.content())
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}

// serve puts files onto the server's disk, in the turn's directory. Like most files they are
// not of today: listings say less of the times of such.
func (t *turn) serve(files ...file) {
	t.serveFresh(files...)
	for _, f := range files {
		old := time.Now().Add(-30 * 24 * time.Hour)
		t.must(os.Chtimes(filepath.Join(t.local, f.name), old, old))
	}
}

// serveFresh puts files there that have just been written.
func (t *turn) serveFresh(files ...file) {
	t.must(store(t.local, files...))
	t.must(t.site.server.Own())
}

// keep puts files onto this side's disk, into the scratch directory.
func (t *turn) keep(files ...file) {
	t.must(store(t.scratch, files...))
	for _, f := range files {
		f.sum() // for arrive, when the clock runs
	}
}

// sameBytes compares what was read with the files, one after another.
func (t *turn) sameBytes(got io.Reader, files ...file) {
	var want []io.Reader
	for _, f := range files {
		want = append(want, f.content())
	}
	t.sameContent(got, io.MultiReader(want...))
}

func (t *turn) sameContent(got, want io.Reader) {
	a, b := sha256.New(), sha256.New()
	n, err := io.Copy(a, got)
	t.must(err)
	m, err := io.Copy(b, want)
	t.must(err)
	if n != m {
		t.fail("wrong content: %d bytes instead of %d", n, m)
	}
	if !bytes.Equal(a.Sum(nil), b.Sum(nil)) {
		t.fail("wrong content: other bytes")
	}
}

// sameFiles compares files below dir, of this side or of the server's disk.
func (t *turn) sameFiles(dir string, files ...file) {
	for _, f := range files {
		in, err := os.Open(filepath.Join(dir, f.name))
		t.must(err)
		defer in.Close()
		t.sameBytes(in, f)
	}
}

// sameNames compares names, in any order.
func (t *turn) sameNames(got, want []string) {
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	for _, name := range want {
		if _, found := slices.BinarySearch(got, name); !found {
			t.fail("wrong names: %q is missing, %d instead of %d", name, len(got), len(want))
		}
	}
	t.fail("wrong names: %d instead of %d", len(got), len(want))
}

// arrive waits until the server's disk has all of the files as they shall be. It ends what
// timed measures: the clock stops when the last byte has come, not when all are compared.
func (t *turn) arrive(files ...file) {
	for {
		for _, f := range files {
			t.awaitSize(f.name, f.size)
		}
		whole := time.Now()
		if !slices.ContainsFunc(files, func(f file) bool { return !hasSum(filepath.Join(t.local, f.name), f.sum()) }) {
			t.stopped = whole
			return
		}
		t.pause("the server has other bytes")
	}
}

// pause ends the turn with the reason when its time is over.
func (t *turn) pause(reason string) {
	if t.ctx.Err() != nil {
		t.fail("%s", reason)
	}
	time.Sleep(glance)
}

// awaitSize waits until the server's disk has a file of this size.
func (t *turn) awaitSize(name string, size int64) {
	path := filepath.Join(t.local, name)
	for !hasSize(path, size) {
		if t.ctx.Err() != nil {
			info, err := os.Stat(path)
			t.must(err)
			t.fail("the server has %d bytes of %s instead of %d", info.Size(), name, size)
		}
		time.Sleep(glance)
	}
}

func hasSize(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == size
}

func hasSum(path string, want sum) bool {
	in, err := os.Open(path)
	if err != nil {
		return false
	}
	defer in.Close()
	got := sha256.New()
	_, err = io.Copy(got, in)
	return err == nil && sum(got.Sum(nil)) == want
}

// gone waits until the server's disk has none of the names.
func (t *turn) gone(names ...string) {
	for _, name := range names {
		for {
			if _, err := os.Lstat(filepath.Join(t.local, name)); errors.Is(err, fs.ErrNotExist) {
				break
			}
			t.pause("the server still has " + name)
		}
	}
}

// only checks that the server's directory holds nothing besides the files.
func (t *turn) only(files ...file) {
	var got, want []string
	for _, f := range files {
		want = append(want, f.name)
	}
	t.must(filepath.WalkDir(t.local, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, t.local+"/"))
		}
		return err
	}))
	t.sameNames(got, want)
}

func names(files []file) []string {
	all := make([]string, len(files))
	for i, f := range files {
		all[i] = f.name
	}
	return all
}

// same compares what a program printed.
func (t *turn) same(got, want string) {
	if got != want {
		t.fail("wrong content: %d bytes instead of %d, or others", len(got), len(want))
	}
}

// serveText puts a file with this text onto the server's disk.
func (t *turn) serveText(name, text string) {
	t.must(os.WriteFile(filepath.Join(t.local, name), []byte(text), 0o644))
	t.serve()
}

// arriveText is arrive for a text.
func (t *turn) arriveText(name, text string) {
	path := filepath.Join(t.local, name)
	for {
		t.awaitSize(name, int64(len(text)))
		whole := time.Now()
		if got, err := os.ReadFile(path); err == nil && string(got) == text {
			t.stopped = whole
			return
		}
		t.pause("the server has other bytes in " + name)
	}
}
