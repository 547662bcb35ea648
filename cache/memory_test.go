package cache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// onDisk counts what the local files below dir take.
func onDisk(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "f*"))
	must(t, err)
	for _, name := range names {
		bytes += blocksOf(t, name)
	}
	return bytes
}

func TestContentsInMemory(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenFiles(FilesConfig{Dir: dir, Name: "tree", MaxBytes: 4 * testBlock, BlockSize: testBlock, Memory: true})
	must(t, err)
	for _, path := range []string{"/a", "/b", "/c", "/a"} {
		f := open(t, s, path, 3*testBlock)
		if path != "/a" || missing(f) {
			fill(t, f, 0, 3*testBlock)
		}
		if got := readAll(t, f); !bytes.Equal(got, pattern(0, 3*testBlock)) {
			t.Errorf("%s: other bytes", path)
		}
		must(t, f.Close())
	}
	if got := onDisk(t, dir); got != 0 || s.Stats().Bytes > 4*testBlock {
		t.Errorf("%d bytes on the disk, %d counted", got, s.Stats().Bytes)
	}
	checkBooks(t, s)
	// What is written goes to the disk, and is found after a crash.
	f := open(t, s, "/changed", 2*testBlock)
	fill(t, f, 0, testBlock)
	_, err = f.WriteAt([]byte("mine"), 100)
	must(t, err)
	fill(t, f, testBlock, testBlock)
	want := pattern(0, 2*testBlock)
	copy(want[100:], "mine")
	if got := readAll(t, f); !bytes.Equal(got, want) {
		t.Error("other bytes after a write")
	}
	big, err := s.Create("/big")
	must(t, err)
	for off := int64(0); off < 10*testBlock; off += testBlock {
		_, err := big.WriteAt(pattern(off, testBlock), off)
		must(t, err)
	}
	checkBooks(t, s)
	if st := s.Stats(); st.Bytes > 4*testBlock || st.DirtyBytes < 10*testBlock {
		t.Errorf("%+v", st)
	}
	crash(s)
	s, err = OpenFiles(FilesConfig{Dir: dir, Name: "tree", BlockSize: testBlock, Memory: true})
	must(t, err)
	left, failed := s.Resume()
	if len(left) != 2 || len(failed) != 0 {
		t.Fatalf("%v, %v", left, failed)
	}
	for _, r := range left {
		if r.Path == "/big" {
			if got := readAll(t, r.File); !bytes.Equal(got, pattern(0, 10*testBlock)) {
				t.Error("/big: other bytes")
			}
		}
		gen, _ := r.File.Dirty()
		r.File.Clean(gen, version(r.File.Size()))
		must(t, r.File.Close())
	}
	must(t, s.Close())
	if got, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestFullDiskLeavesMemory(t *testing.T) {
	var warned []error
	s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), Name: "tree", BlockSize: testBlock, Warn: func(err error) { warned = append(warned, err) }})
	must(t, err)
	full := func(*os.File, []byte, int64) (int, error) { return 0, syscall.ENOSPC }
	f, err := s.Create("/dirty")
	must(t, err)
	_, err = f.WriteAt([]byte("before"), 0)
	must(t, err)
	pwrite := s.pwrite
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		if fd.Name() == "memory" {
			return pwrite(fd, p, off)
		}
		return full(fd, p, off)
	}
	if n, err := f.WriteAt([]byte("after"), 6); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d, %v", n, err)
	}
	for _, path := range []string{"/a", "/b"} {
		g := open(t, s, path, 3*testBlock)
		fill(t, g, 0, 3*testBlock)
		if got := readAll(t, g); !bytes.Equal(got, pattern(0, 3*testBlock)) {
			t.Errorf("%s: other bytes", path)
		}
		must(t, g.Close())
	}
	if got := readAll(t, f); string(got) != "before" {
		t.Errorf("%q", got)
	}
	if len(warned) != 1 || !errors.Is(warned[0], syscall.ENOSPC) {
		t.Errorf("%v", warned)
	}
	checkBooks(t, s)
	must(t, s.Close())
}

// What a clean file has on the disk when that gets full moves to memory with it.
func TestFullDiskUnderAFile(t *testing.T) {
	var warned []error
	s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), Name: "tree", BlockSize: testBlock, Warn: func(err error) { warned = append(warned, err) }})
	must(t, err)
	f := open(t, s, "/f", 4*testBlock)
	fill(t, f, 0, testBlock+100)
	release := f.Keep() // nothing of it can be evicted
	pwrite := s.pwrite
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		if fd.Name() == "memory" {
			return pwrite(fd, p, off)
		}
		n, _ := pwrite(fd, p[:min(len(p), 50)], off)
		return n, syscall.ENOSPC
	}
	fill(t, f, testBlock+100, 3*testBlock-100)
	if got := readAll(t, f); !bytes.Equal(got, pattern(0, 4*testBlock)) {
		t.Error("other bytes")
	}
	if len(warned) != 1 || !errors.Is(warned[0], syscall.ENOSPC) {
		t.Errorf("%v", warned)
	}
	release()
	checkBooks(t, s)
	must(t, f.Close())
	must(t, s.Close())
}

// A disk that breaks while it is used keeps nobody from reading: what is on it moves to memory,
// or is fetched again where that is too much.
func TestBrokenDiskLeavesMemory(t *testing.T) {
	for _, broken := range []syscall.Errno{syscall.EROFS, syscall.EIO, syscall.EFBIG} {
		warned := 0
		s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), Name: "tree", MaxBytes: 1 << 30, Warn: func(error) { warned++ }})
		must(t, err)
		const large = memoryMost + 2<<20
		a, b := open(t, s, "/a", 3<<20), open(t, s, "/b", large+1<<20)
		fill(t, a, 0, 2<<20)
		fill(t, b, 0, large)
		pwrite := s.pwrite
		s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
			if fd.Name() == "memory" {
				return pwrite(fd, p, off)
			}
			return 0, &os.PathError{Op: "write", Path: fd.Name(), Err: broken}
		}
		fill(t, a, 2<<20, 1<<20)
		if got := readAll(t, a); !bytes.Equal(got, pattern(0, 3<<20)) {
			t.Errorf("%v: other bytes", broken)
		}
		fill(t, b, large, 1<<20)
		p := make([]byte, 1<<20)
		if _, err := b.ReadAt(t.Context(), p, large); err != nil || !bytes.Equal(p, pattern(large, 1<<20)) {
			t.Errorf("%v: other bytes of a large file (%v)", broken, err)
		}
		if warned != 1 {
			t.Errorf("%v: told %d times", broken, warned)
		}
		if n, err := a.WriteAt([]byte("x"), 0); n != 0 || !errors.Is(err, broken) {
			t.Errorf("%v: a write is answered by %d, %v", broken, n, err)
		}
		checkBooks(t, s)
		must(t, a.Close())
		must(t, b.Close())
		must(t, s.Close())
	}
}
