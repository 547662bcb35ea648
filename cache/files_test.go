package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const testBlock = 64 << 10

func openFiles(t testing.TB, maxBytes int64) *Files {
	t.Helper()
	s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), MaxBytes: maxBytes, BlockSize: testBlock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func version(size int64) Version { return Version{Size: size, ModTime: time.Unix(1e9, 0)} }

func open(t testing.TB, s *Files, path string, size int64) *File {
	t.Helper()
	f, err := s.Open(path, version(size))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pattern is what all test files hold at [off, off+n).
func pattern(off int64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		x := uint64(off+int64(i))*0x9E3779B97F4A7C15 + 1
		p[i] = byte(x>>56) | 1
	}
	return p
}

func fill(t testing.TB, f *File, off int64, n int) {
	t.Helper()
	if err := f.Fill(pattern(off, n), off); err != nil {
		t.Fatal(err)
	}
}

func missing(f *File) bool {
	start, end := f.Missing(0, math.MaxInt64)
	return start < end
}

func readAll(t testing.TB, f *File) []byte {
	t.Helper()
	p := make([]byte, f.Size())
	if n, err := f.ReadAt(t.Context(), p, 0); n != len(p) || err != nil {
		t.Fatalf("read %d: %v", n, err)
	}
	return p
}

func TestOpenSharesAVersion(t *testing.T) {
	s := openFiles(t, 1<<20)
	a, b := open(t, s, "/f", 10), open(t, s, "/f", 10)
	if a != b {
		t.Error("the same version twice")
	}
	fill(t, a, 0, 10)
	c := open(t, s, "/f", 11)
	if c == a || !missing(c) {
		t.Error("another version shares the contents")
	}
	if got := readAll(t, a); !bytes.Equal(got, pattern(0, 10)) {
		t.Errorf("a holder lost its contents: %v", got)
	}
	for _, f := range []*File{a, b, c} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if st := s.Stats(); st.Files != 0 || st.Bytes != 0 {
		t.Errorf("dropped, empty and closed: %+v", st)
	}
	if err := a.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("one Close too many: %v", err)
	}
	if _, err := a.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestIndexFollowsRenames(t *testing.T) {
	s := openFiles(t, 1<<20)
	cached := func(path string) *File {
		f := open(t, s, path, 10)
		fill(t, f, 0, 10)
		f.Close()
		return f
	}
	is := func(path string, want *File) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := s.index[path]; got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	a, b := cached("/a"), cached("/b")
	s.Rename("/a", "/a")
	is("/a", a)
	s.Rename("/a", "/b")
	is("/a", nil)
	is("/b", a)
	if _, ok := s.live[b]; ok {
		t.Error("what was renamed over is still there")
	}
	s.Rename("/unknown", "/b")
	is("/b", nil)

	x, y, near := cached("/d/x"), cached("/d/d/x"), cached("/dx")
	old := cached("/e/old")
	s.RenameTree("/d", "/e")
	is("/e/x", x)
	is("/e/d/x", y)
	is("/dx", near)
	is("/e/old", nil)
	if _, ok := s.live[old]; ok {
		t.Error("what the tree was renamed over is still there")
	}
	s.RenameTree("/e", "/e/d")
	is("/e/x", x)
	s.RenameTree("/e/d", "/e") // paths before and after overlap
	is("/e/x", y)
	s.Forget("/e/x")
	is("/e/x", nil)
	checkBooks(t, s)
}

func TestBudgetIsKeptAndReturned(t *testing.T) {
	const limit = 8 * testBlock
	s := openFiles(t, limit)
	a, b := open(t, s, "/a", 100*testBlock), open(t, s, "/b", 100*testBlock)
	for i := range int64(100) {
		fill(t, a, i*testBlock, testBlock)
		fill(t, b, i*testBlock+100, 1)
		if st := s.Stats(); st.Bytes > limit {
			t.Fatalf("%d bytes after %d blocks", st.Bytes, i)
		}
	}
	if use := diskUse(t, s); use > limit {
		t.Errorf("%d on disk", use)
	}
	// Dirty data stays, and counts for nothing.
	c, _ := s.Create("/c")
	if _, err := c.WriteAt(pattern(0, 20*testBlock), 0); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Bytes > limit || st.Blocks < 20 || st.DirtyBytes != 20*testBlock || st.DirtyFiles != 1 {
		t.Errorf("with dirty data: %+v", st)
	}
	if !bytes.Equal(readAll(t, c), pattern(0, 20*testBlock)) {
		t.Error("dirty data is not what was written")
	}
	gen, _ := c.Dirty()
	c.Clean(gen, version(20*testBlock))
	if st := s.Stats(); st.Bytes != limit || st.DirtyBytes != 0 {
		t.Errorf("once it is clean: %+v", st)
	}
	checkBooks(t, s)
	for _, f := range []*File{a, b, c} {
		f.Close()
		s.Forget(f.path)
	}
	if st := s.Stats(); st.Bytes != 0 || st.Files != 0 || st.Blocks != 0 || st.Descriptors != 0 {
		t.Errorf("with all forgotten: %+v", st)
	}
	if names := localFiles(t, s); len(names) != 0 {
		t.Errorf("left on disk: %v", names)
	}
}

func localFiles(t testing.TB, s *Files) []string {
	t.Helper()
	entries, err := fs.ReadDir(s.dir.root.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestKeptDataStaysBeyondTheBound(t *testing.T) {
	const size = 8 << 20
	s := openFiles(t, 2<<20)
	f := open(t, s, "/kept", size)
	defer f.Close()
	release := f.Keep()
	data := make([]byte, size)
	if err := f.Fill(data, 0); err != nil {
		t.Fatal(err)
	}
	other := open(t, s, "/other", size)
	defer other.Close()
	if err := other.Fill(data, 0); err != nil {
		t.Fatal(err)
	}
	if start, end := f.Missing(0, size); start != end {
		t.Errorf("[%d, %d) of a kept file was evicted", start, end)
	}
	release()
	if used := s.Stats().Bytes; used > 2<<20 {
		t.Errorf("%d bytes stay in the cache after the release", used)
	}
	checkBooks(t, s)
}

func TestKeptRangeStaysBeyondTheBound(t *testing.T) {
	s := openFiles(t, 2*testBlock)
	f := open(t, s, "/kept", 8*testBlock)
	defer f.Close()
	release := f.KeepRange(testBlock+1, testBlock) // absent yet
	if err := f.Fill(make([]byte, 8*testBlock), 0); err != nil {
		t.Fatal(err)
	}
	if start, end := f.Missing(testBlock, 2*testBlock); start != end {
		t.Errorf("[%d, %d) of the kept range was evicted", start, end)
	}
	release()
	if used := s.Stats().Bytes; used > 2*testBlock {
		t.Errorf("%d bytes stay in the cache after the release", used)
	}
	checkBooks(t, s)
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	s := openFiles(t, 4*testBlock)
	f := open(t, s, "/f", 10*testBlock)
	for i := range int64(4) {
		fill(t, f, i*testBlock, testBlock)
	}
	f.ReadAt(t.Context(), make([]byte, 1), 0)
	fill(t, f, 5*testBlock, 1)
	for no, want := range []bool{true, false, true, true, false, true} {
		start, end := f.Missing(int64(no)*testBlock, 1)
		if here := start == end; here != want {
			t.Errorf("block %d present: %v, want %v", no, here, want)
		}
	}
}

func TestSmallFilesCountSmallAndHoldNoDescriptors(t *testing.T) {
	const n = 1000
	s := openFiles(t, 16<<20)
	before := descriptors(t)
	for i := range n {
		f := open(t, s, fmt.Sprint("/", i), 1000)
		fill(t, f, 0, 1000)
		f.Close()
	}
	if st := s.Stats(); st.Descriptors != 0 || st.Files != n || st.Bytes != n*diskPage {
		t.Errorf("%+v", st)
	}
	if left := since(t, before); len(left) > 0 {
		t.Errorf("open: %v", left)
	}
	for i := range n {
		f := open(t, s, fmt.Sprint("/", i), 1000)
		if missing(f) || !bytes.Equal(readAll(t, f), pattern(0, 1000)) {
			t.Fatalf("file %d", i)
		}
		f.Close()
	}
	if left := since(t, before); len(left) > 0 {
		t.Errorf("open after reading: %v", left)
	}
	f := open(t, s, "/big", 16<<20)
	fill(t, f, 0, 16<<20) // evicts all of them
	if st := s.Stats(); st.Files != 1 || len(localFiles(t, s)) != 1 {
		t.Errorf("%+v, %d local files", st, len(localFiles(t, s)))
	}
	checkBooks(t, s)
}

// descriptors are what this process has open, and how often.
func descriptors(t testing.TB) map[string]int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]int)
	for _, e := range entries {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil {
			open[name]++
		}
	}
	return open
}

// since is what has been opened and is open still. What other tests have left, as if they were
// killed, goes whenever the collector finds it, and so there may also be less than before.
func since(t testing.TB, before map[string]int) (names []string) {
	t.Helper()
	for name, n := range descriptors(t) {
		if n > before[name] {
			names = append(names, name)
		}
	}
	return names
}

func TestLocalFileRemovedByOthers(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", 10)
	fill(t, f, 0, 10)
	f.Close()
	if err := s.dir.root.Remove(f.name); err != nil {
		t.Fatal(err)
	}
	again := open(t, s, "/f", 10)
	if !missing(again) {
		t.Error("contents that are gone count as present")
	}
	checkBooks(t, s)
}

func TestFilesClose(t *testing.T) {
	dir := t.TempDir()
	before := descriptors(t)
	s, err := OpenFiles(FilesConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, s, "/f", 10)
	fill(t, f, 0, 5)
	result := make(chan error)
	go func() {
		_, err := f.ReadAt(context.Background(), make([]byte, 10), 0)
		result <- err
	}()
	awaitReader(f)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the waiting read ended with %v", err)
	}
	if _, err := f.WriteAt([]byte{1}, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Open("/g", version(1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if err := errors.Join(f.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if left := since(t, before); len(left) > 0 {
		t.Errorf("open: %v", left)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != lockName {
		t.Errorf("left in the cache directory: %v", left)
	}
}
