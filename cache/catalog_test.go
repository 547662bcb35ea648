package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// cached tells whether a store has all of a version at path, without any fetch,
// and it is right. It must never have anything wrong.
func cached(t *testing.T, s *Files, path string, size int) bool {
	t.Helper()
	f := open(t, s, path, int64(size))
	defer f.Close()
	defer f.KeepRange(0, int64(size))()
	if missing(f) {
		for off := int64(0); off < int64(size); off += testBlock / 2 {
			p := make([]byte, min(testBlock/2, int64(size)-off))
			if start, end := f.Missing(off, int64(len(p))); start < end {
				continue
			}
			if _, err := f.ReadAt(t.Context(), p, off); err != nil || !bytes.Equal(p, pattern(off, len(p))) {
				t.Errorf("%s at %d: other bytes than the server's: %v", path, off, err)
			}
		}
		return false
	}
	if got := readAll(t, f); !bytes.Equal(got, pattern(0, size)) {
		t.Errorf("%s: other bytes than the server's", path)
	}
	return true
}

func TestContentsSurviveTheProcess(t *testing.T) {
	const size = 3*testBlock + 100
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			cache := func(path string, from, to int) *File {
				f := open(t, s, path, size)
				for off := from; off < to; off += 10_000 {
					fill(t, f, int64(off), min(10_000, to-off))
				}
				return f
			}
			must(t, cache("/whole", 0, size).Close())
			must(t, cache("/part", testBlock+5, 2*testBlock).Close())
			must(t, cache("/moved", 0, size).Close())
			must(t, cache("/gone", 0, size).Close())
			held := cache("/replaced", 0, size)
			must(t, cache("/d/below", 0, size).Close())
			backward := open(t, s, "/backward", size)
			for off := size - 100; off >= 0; off -= 5000 {
				fill(t, backward, int64(off), 5000)
			}
			fill(t, backward, 0, 5000)
			must(t, backward.Close())
			written, err := s.Create("/written")
			must(t, err)
			for _, part := range []int{0, 1, 2, 3} {
				_, err := written.WriteAt(pattern(int64(part*testBlock), min(testBlock, size-part*testBlock)), int64(part*testBlock))
				must(t, err)
			}
			_, err = written.WriteAt(pattern(7, 100), 7)
			must(t, err)
			gen, _ := written.Dirty()
			if !written.Clean(gen, version(size)) {
				t.Fatal("not clean")
			}
			must(t, written.Close())
			s.Rename("/moved", "/to")
			s.RenameTree("/d", "/e")
			s.Forget("/gone")
			other := open(t, s, "/replaced", size-1)
			if end == "closed" {
				must(t, other.Close())
				must(t, held.Close())
				must(t, s.Close())
			} else {
				crash(s)
			}
			s = openTree(t, dir)
			before := s.Stats()
			for path, want := range map[string]bool{
				"/whole": true, "/backward": true, "/written": true, "/part": false, "/gone": false, "/replaced": false, "/moved": false, "/d/below": false,
				"/to": end == "closed", "/e/below": end == "closed",
			} {
				if got := cached(t, s, path, size); got != want {
					t.Errorf("%s is here: %v", path, got)
				}
			}
			f := open(t, s, "/part", size)
			if start, stop := f.Missing(testBlock+5, testBlock-5); start != stop {
				t.Error("a part is gone")
			}
			if st := s.Stats(); before.Bytes < 3*size || st.Damaged != 0 {
				t.Errorf("before %+v, after %+v", before, st)
			}
			checkBooks(t, s)
		})
	}
}

// What comes from an earlier process is right or absent, whatever has happened
// to the disk.
func TestDamagedContentsAreNotServed(t *testing.T) {
	const size = 3*testBlock + 100
	index := func(data []byte, at int) []byte { data[at] ^= 1; return data }
	for name, damage := range map[string]struct {
		data  func([]byte) []byte
		index func([]byte) []byte
	}{
		"bit":              {data: func(d []byte) []byte { d[testBlock+77] ^= 8; return d }},
		"cut":              {data: func(d []byte) []byte { return d[:testBlock+1000] }},
		"empty":            {data: func([]byte) []byte { return []byte{} }},
		"gone":             {data: func([]byte) []byte { return nil }},
		"zeroed page":      {data: func(d []byte) []byte { clear(d[8192:12288]); return d }},
		"longer":           {data: func(d []byte) []byte { return append(d, "more"...) }},
		"other file":       {data: func(d []byte) []byte { return pattern(99, size) }},
		"index bit":        {index: func(d []byte) []byte { return index(d, len(d)/2) }},
		"index first byte": {index: func(d []byte) []byte { return index(d, 0) }},
		"index cut":        {index: func(d []byte) []byte { return d[:len(d)/2] }},
		"index torn":       {index: func(d []byte) []byte { return d[:len(d)-1] }},
		"index empty":      {index: func(d []byte) []byte { return []byte{} }},
		"index zeros":      {index: func(d []byte) []byte { return make([]byte, len(d)) }},
		"index gone":       {index: func(d []byte) []byte { return nil }},
		"index binary":     {index: func(d []byte) []byte { return pattern(0, 100_000) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			for _, path := range []string{"/a", "/b"} {
				f := open(t, s, path, size)
				fill(t, f, 0, size)
				must(t, f.Close())
			}
			must(t, s.Close())
			change := func(pattern string, how func([]byte) []byte) {
				names, err := filepath.Glob(filepath.Join(dir, treePrefix+"*", pattern))
				if err != nil || len(names) != 1 {
					t.Fatalf("%v, %v", names, err)
				}
				data, err := os.ReadFile(names[0])
				must(t, err)
				if data = how(data); data == nil {
					must(t, os.Remove(names[0]))
					return
				}
				must(t, os.WriteFile(names[0], data, 0o600))
			}
			if damage.data != nil {
				change("f1", damage.data)
			} else {
				change(catalogName, damage.index)
			}
			s = openTree(t, dir)
			a, b := cached(t, s, "/a", size), cached(t, s, "/b", size)
			if damage.data != nil && (a != (name == "longer") || !b) {
				t.Errorf("here: %v, %v", a, b)
			}
			for _, path := range []string{"/a", "/b"} { // what is absent can be fetched again
				f := open(t, s, path, size)
				f.KeepRange(0, size)()
				for off := 0; off < size; off += testBlock {
					fill(t, f, int64(off), min(testBlock, size-off))
				}
				if got := readAll(t, f); !bytes.Equal(got, pattern(0, size)) {
					t.Errorf("%s: other bytes than the server's", path)
				}
				must(t, f.Close())
			}
			checkBooks(t, s)
			must(t, s.Close())
			s = openTree(t, dir)
			if !cached(t, s, "/a", size) || !cached(t, s, "/b", size) {
				t.Error("what was fetched again is not here")
			}
			must(t, s.Close())
		})
	}
}

func TestBoundHoldsOverProcesses(t *testing.T) {
	dir := t.TempDir()
	disk := func() (bytes int64) {
		for _, name := range journals(t, dir) {
			bytes += blocksOf(t, name)
		}
		return bytes
	}
	const most = 6 * testBlock
	for i := range 4 {
		s, err := OpenFiles(FilesConfig{Dir: dir, Name: "a", MaxBytes: most, BlockSize: testBlock})
		must(t, err)
		for j := range 5 {
			f := open(t, s, fmt.Sprint("/", i, j), testBlock)
			fill(t, f, 0, testBlock)
			must(t, f.Close())
		}
		if i%2 == 1 && !cached(t, s, fmt.Sprint("/", i-1, 0), testBlock) {
			t.Errorf("%d: what was read last before is gone", i)
		}
		cached(t, s, fmt.Sprint("/", i, 0), testBlock)
		if i%2 == 0 {
			must(t, s.Close())
		} else {
			crash(s)
		}
		if got := disk(); got > most {
			t.Errorf("%d bytes on the disk, bound %d", got, most)
		}
	}
	// Other trees that nobody uses share a bound.
	for i, name := range []string{"b", "c", "d"} {
		s, err := OpenFiles(FilesConfig{Dir: dir, Name: name, MaxBytes: most, IdleBytes: most, BlockSize: testBlock})
		must(t, err)
		f := open(t, s, "/f", 3*testBlock)
		fill(t, f, 0, 3*testBlock)
		must(t, f.Close())
		must(t, s.Close())
		if got := disk(); got > most+3*testBlock {
			t.Errorf("%d: %d bytes on the disk", i, got)
		}
	}
	s, err := OpenFiles(FilesConfig{Dir: dir, Name: "d", MaxBytes: most, BlockSize: testBlock})
	must(t, err)
	if !cached(t, s, "/f", 3*testBlock) {
		t.Error("an own file is gone")
	}
	must(t, s.Close())
}

func FuzzCatalog(f *testing.F) {
	st := newState()
	st.Path, st.Size, st.Block, st.Version = []byte("/f"), 50, 16, &Version{Size: 50, ModTime: time.Unix(1, 0)}
	st.Present, st.Sums[0] = ranges{{0, 20}}, 7
	f.Add(appendLine(appendLine(nil, catalogLine{"f1", st}), catalogLine{Local: "f1"}))
	f.Add(appendLine(nil, catalogLine{"f2", st}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, signed := range [][]byte{data, signLines(data)} {
			for _, l := range readCatalog(signed) {
				if !ownName.MatchString(l.Local) || !l.State.valid() || len(l.State.Dirty) > 0 {
					t.Errorf("%+v", l)
				}
			}
		}
	})
}

// Contents whose version may be that of others are not found by later processes.
func TestDoubtfulContentsDoNotSurviveTheProcess(t *testing.T) {
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			timeless := Version{Size: 100}
			for path, v := range map[string]Version{"/settled": version(100), "/doubtful": version(100), "/timeless": timeless, "/changed": version(100)} {
				f, err := s.Open(path, v)
				must(t, err)
				if path == "/doubtful" || path == "/changed" {
					f.Doubt()
				}
				fill(t, f, 0, 100)
				if path == "/changed" { // and what was fetched is in it
					_, err := f.WriteAt(pattern(0, 10), 0)
					must(t, err)
				} else {
					must(t, f.Close())
				}
			}
			if end == "closed" {
				must(t, s.Close())
			} else {
				crash(s)
			}
			s, all := resumeAll(t, dir)
			f := all["/changed"].File
			gen, _ := f.Dirty()
			f.Clean(gen, version(100))
			must(t, f.Close())
			if !cached(t, s, "/settled", 100) || cached(t, s, "/doubtful", 100) {
				t.Error("the settled one is gone, or the doubtful one is there")
			}
			f, err := s.Open("/timeless", timeless)
			must(t, err)
			if start, end := f.Missing(0, 100); end-start != 100 {
				t.Error("the one without a time is there")
			}
			must(t, f.Close())
			must(t, s.Close())
			if s = openTree(t, dir); cached(t, s, "/changed", 100) {
				t.Error("what was in doubt when it was changed is there")
			}
		})
	}
}

func TestSmallCacheLeavesThoseOfOtherTrees(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/f", 3*testBlock)
	fill(t, f, 0, 3*testBlock)
	must(t, f.Close())
	must(t, s.Close())
	for _, most := range []int64{-1, testBlock} {
		other, err := OpenFiles(FilesConfig{Dir: dir, Name: "another", MaxBytes: most, BlockSize: testBlock})
		must(t, err)
		must(t, other.Close())
		s = openTree(t, dir)
		if !cached(t, s, "/f", 3*testBlock) {
			t.Errorf("gone by a cache of %d bytes", most)
		}
		must(t, s.Close())
	}
}
