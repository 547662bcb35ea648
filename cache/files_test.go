package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
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

// awaitReader returns when somebody waits in ReadAt of f.
func awaitReader(f *File) {
	for {
		f.files.mu.Lock()
		waits := f.waiting != nil
		f.files.mu.Unlock()
		if waits {
			return
		}
		time.Sleep(50 * time.Microsecond)
	}
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

func TestCreateCleanOpen(t *testing.T) {
	s := openFiles(t, 1<<20)
	f, err := s.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	gen, dirty := f.Dirty()
	if !dirty {
		t.Error("a new file is not dirty")
	}
	f.WriteAt(pattern(0, 100), 0)
	if f.Clean(gen, version(100)) {
		t.Error("clean in a state before the write")
	}
	gen, _ = f.Dirty()
	if f.Clean(gen, version(99)) {
		t.Error("clean with another size")
	}
	if !f.Clean(gen, version(100)) {
		t.Fatal("not clean")
	}
	f.Close()
	again := open(t, s, "/f", 100)
	if again != f || missing(again) {
		t.Error("uploaded contents are not found under their version")
	}
	again.Truncate(50)
	again.Close()
	if f := open(t, s, "/f", 100); f == again || !missing(f) {
		t.Error("dirty contents outlived their last holder")
	}
	checkBooks(t, s)
}

func TestRangesThatNoFileHas(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", 10)
	p := []byte{1, 2}
	for _, c := range []struct {
		off  int64
		want error
	}{{-1, syscall.EINVAL}, {math.MinInt64, syscall.EINVAL}, {math.MaxInt64 - 1, syscall.EFBIG}, {math.MaxInt64, syscall.EFBIG}} {
		if _, err := f.WriteAt(p, c.off); !errors.Is(err, c.want) {
			t.Errorf("write at %d: %v", c.off, err)
		}
	}
	if err := f.Fill(p, -1); err != syscall.EINVAL {
		t.Errorf("fill: %v", err)
	}
	if err := f.Fill(p, math.MaxInt64); err != syscall.EFBIG {
		t.Errorf("fill: %v", err)
	}
	if _, err := f.ReadAt(t.Context(), p, -1); err != syscall.EINVAL {
		t.Errorf("read: %v", err)
	}
	if _, err := f.ReadAt(t.Context(), p, math.MaxInt64); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	if err := f.Truncate(-1); err != syscall.EINVAL {
		t.Errorf("truncate: %v", err)
	}
	if _, err := s.Open("/g", Version{Size: -1}); err != syscall.EINVAL {
		t.Errorf("open: %v", err)
	}
	if _, dirty := f.Dirty(); dirty || f.Size() != 10 {
		t.Error("something of it was done")
	}
	checkBooks(t, s)
}

func TestHugeFilesCostNothing(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/huge", math.MaxInt64)
	if start, end := f.Missing(5, math.MaxInt64); start != 5 || end != math.MaxInt64 {
		t.Errorf("missing [%d,%d)", start, end)
	}
	const off = 1 << 40
	fill(t, f, off, 1000)
	p := make([]byte, 1000)
	if _, err := f.ReadAt(t.Context(), p, off); err != nil || !bytes.Equal(p, pattern(off, 1000)) {
		t.Errorf("read: %v", err)
	}
	g, _ := s.Create("/sparse")
	if err := g.Truncate(math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	g.Truncate(1 << 41)
	if _, err := g.WriteAt(pattern(off, 1000), off); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ReadAt(t.Context(), p, off-500); err != nil || !bytes.Equal(p[500:], pattern(off, 500)) || !bytes.Equal(p[:500], make([]byte, 500)) {
		t.Errorf("read across the gap's end: %v", err)
	}
	if missing(g) {
		t.Error("zeros are missing")
	}
	if st := s.Stats(); st.Bytes > 3*testBlock || st.Blocks > 3 || diskUse(t, s) > 3*testBlock {
		t.Errorf("%+v, %d on disk", st, diskUse(t, s))
	}
	f.Close()
	g.Close()
}

// diskUse returns what the local files take up on disk.
func diskUse(t testing.TB, s *Files) int64 {
	t.Helper()
	var sum int64
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.live {
		if !f.created {
			continue
		}
		info, err := s.dir.root.Stat(f.name)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return sum
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
	// Dirty data counts and stays.
	c, _ := s.Create("/c")
	if _, err := c.WriteAt(pattern(0, 20*testBlock), 0); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Bytes != 20*testBlock || st.Blocks != 20 || st.DirtyBytes != 20*testBlock || st.DirtyFiles != 1 {
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
	before := openDescriptors(t)
	for i := range n {
		f := open(t, s, fmt.Sprint("/", i), 1000)
		fill(t, f, 0, 1000)
		f.Close()
	}
	if st := s.Stats(); st.Descriptors != 0 || st.Files != n || st.Bytes != n*diskPage {
		t.Errorf("%+v", st)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
	for i := range n {
		f := open(t, s, fmt.Sprint("/", i), 1000)
		if missing(f) || !bytes.Equal(readAll(t, f), pattern(0, 1000)) {
			t.Fatalf("file %d", i)
		}
		f.Close()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors after reading, before %d", after, before)
	}
	f := open(t, s, "/big", 16<<20)
	fill(t, f, 0, 16<<20) // evicts all of them
	if st := s.Stats(); st.Files != 1 || len(localFiles(t, s)) != 1 {
		t.Errorf("%+v, %d local files", st, len(localFiles(t, s)))
	}
	checkBooks(t, s)
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestReadWaitsForFillFailAndContext(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", 100)
	read := func(ctx context.Context, n int) chan error {
		result := make(chan error, 1)
		go func() {
			p := make([]byte, n)
			_, err := f.ReadAt(ctx, p, 0)
			if err == nil && !bytes.Equal(p, pattern(0, n)) {
				err = errors.New("wrong bytes")
			}
			result <- err
		}()
		awaitReader(f)
		return result
	}
	r := read(t.Context(), 20)
	fill(t, f, 0, 10)
	awaitReader(f) // woken, and waiting for the rest
	fill(t, f, 10, 10)
	if err := <-r; err != nil {
		t.Error(err)
	}

	r = read(t.Context(), 30)
	lost := errors.New("connection lost")
	f.Fail(lost)
	if err := <-r; err != lost {
		t.Error(err)
	}
	f.Fail(lost) // nobody waits: later readers do not see it

	ctx, cancel := context.WithCancel(t.Context())
	r = read(ctx, 30)
	cancel()
	if err := <-r; err != context.Canceled {
		t.Error(err)
	}

	r = read(t.Context(), 30)
	f.Truncate(25)
	fill(t, f, 20, 5)
	if err := <-r; err != io.EOF {
		t.Errorf("cut while waiting: %v", err)
	}
	r2 := make(chan error, 1)
	f.Truncate(0)
	f2 := open(t, s, "/g", 100)
	go func() {
		_, err := f2.ReadAt(context.Background(), make([]byte, 1), 0)
		r2 <- err
	}()
	awaitReader(f2)
	f2.Close()
	if err := <-r2; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("last holder gone: %v", err)
	}
	checkBooks(t, s)
}

func TestPresentDataDoesNotWaitForASlowFill(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", 4*testBlock)
	fill(t, f, 0, testBlock+10)
	writing, goOn := make(chan struct{}), make(chan struct{})
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		close(writing)
		<-goOn
		return fd.WriteAt(p, off)
	}
	done := make(chan error)
	go func() { done <- f.Fill(pattern(testBlock+10, 100), testBlock+10) }()
	<-writing
	p := make([]byte, testBlock+10)
	if _, err := f.ReadAt(t.Context(), p, 0); err != nil || !bytes.Equal(p, pattern(0, len(p))) {
		t.Error(err)
	}
	if start, _ := f.Missing(0, 4*testBlock); start != testBlock+10 {
		t.Errorf("missing from %d", start)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDiskFull(t *testing.T) {
	s := openFiles(t, 1<<30)
	room := int64(6)
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		s.mu.Lock()
		full := s.used > room*testBlock
		s.mu.Unlock()
		if full {
			return 0, &fs.PathError{Op: "write", Err: syscall.ENOSPC}
		}
		return fd.WriteAt(p, off)
	}
	a := open(t, s, "/a", 100*testBlock)
	for i := range int64(20) {
		fill(t, a, i*testBlock, testBlock)
	}
	b, _ := s.Create("/b")
	for i := range int64(6) {
		if _, err := b.WriteAt(pattern(i*testBlock, testBlock), i*testBlock); err != nil {
			t.Fatalf("dirty block %d: %v", i, err)
		}
	}
	if n, err := b.WriteAt([]byte{1}, 6*testBlock); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("no room, nothing to evict: %d, %v", n, err)
	}
	if err := a.Fill(pattern(0, 10), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("no room, nothing to evict: %v", err)
	}
	if b.Size() != 6*testBlock || !bytes.Equal(readAll(t, b), pattern(0, 6*testBlock)) {
		t.Error("dirty data suffered")
	}
	checkBooks(t, s)
}

// TestFailedWriteLeavesZerosBehindTheEnd: what a failed write may have left
// behind the end must not show when the file grows over it.
func TestFailedWriteLeavesZerosBehindTheEnd(t *testing.T) {
	s := openFiles(t, 1<<20)
	f, _ := s.Create("/f")
	f.WriteAt(pattern(0, 10), 0)
	for name, grow := range map[string]func(){
		"truncate": func() { f.Truncate(20) },
		"write":    func() { f.WriteAt([]byte{0}, 19) },
	} {
		f.Truncate(10)
		s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
			fd.WriteAt(p, off)
			return 2, syscall.EIO
		}
		if n, err := f.WriteAt(pattern(10, 10), 10); n != 2 || err != syscall.EIO || f.Size() != 12 {
			t.Fatalf("%d, %v, size %d", n, err, f.Size())
		}
		s.pwrite = (*os.File).WriteAt
		grow()
		if got := readAll(t, f); !bytes.Equal(got, append(pattern(0, 12), make([]byte, 8)...)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestReaderDoesNotSeeACut: a file that is cut and grown again while it is
// being read never held zeros and new bytes in any other mixture.
func TestReaderDoesNotSeeACut(t *testing.T) {
	s := openFiles(t, 1<<20)
	f, _ := s.Create("/f")
	f.WriteAt(pattern(0, 100), 0)
	cut := func(size int64, then func()) {
		s.pread = func(fd *os.File, p []byte, off int64) (int, error) {
			s.pread = (*os.File).ReadAt
			if err := f.Truncate(size); err != nil {
				t.Error(err)
			}
			n, err := fd.ReadAt(p, off)
			then()
			return n, err
		}
	}
	p := make([]byte, 100)
	cut(50, func() {})
	if n, err := f.ReadAt(t.Context(), p, 0); n != 50 || err != io.EOF || !bytes.Equal(p[:n], pattern(0, 50)) {
		t.Errorf("cut while read: %d, %v", n, err)
	}
	cut(0, func() { f.WriteAt(pattern(7, 100), 0) })
	if n, err := f.ReadAt(t.Context(), p, 0); n != 100 || err != nil || !bytes.Equal(p, pattern(7, 100)) {
		t.Errorf("cut and written again while read: %d, %v", n, err)
	}
}

func TestDiskWithoutHoles(t *testing.T) {
	s := openFiles(t, 2*testBlock)
	s.punch = func(*os.File, int64, int64) error { return syscall.EOPNOTSUPP }
	f, g := open(t, s, "/f", 2*testBlock), open(t, s, "/g", 2*testBlock)
	fill(t, f, 0, 2*testBlock)
	fill(t, g, 0, 2*testBlock)
	if use := diskUse(t, s); use != 2*testBlock {
		t.Errorf("%d on disk", use)
	}
	if start, end := f.Missing(0, 2*testBlock); start != 0 || end != 2*testBlock {
		t.Error("evicted data counts as present")
	}
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
	before := openDescriptors(t)
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
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != lockName {
		t.Errorf("left in the cache directory: %v", left)
	}
}

// TestReadersNeverSeeHoles reads files whose every byte is known, while they
// are filled, written with the same bytes, and evicted all the time.
func TestReadersNeverSeeHoles(t *testing.T) {
	const size = 8*testBlock - 1000
	want := pattern(0, size)
	s := openFiles(t, 3*testBlock)
	var fillers, readers sync.WaitGroup
	var stop atomic.Bool
	for i := range 2 {
		f := open(t, s, fmt.Sprint("/", i), size)
		defer f.Close()
		fillers.Go(func() {
			for off := int64(0); !stop.Load(); off = (off + 25_000) % size {
				start, end := f.Missing(off, 30_000)
				if err := f.Fill(want[start:end], start); err != nil {
					t.Error(err)
				}
			}
		})
		fillers.Go(func() {
			for off := int64(0); !stop.Load(); off = (off + 99_991) % (size - 100) {
				if _, err := f.WriteAt(want[off:off+100], off); err != nil {
					t.Error(err)
				}
				gen, _ := f.Dirty()
				if !f.Clean(gen, version(size)) {
					t.Error("not clean, with one writer")
				}
			}
		})
		for r := range 2 {
			readers.Go(func() {
				p := make([]byte, 50_000)
				for off := int64(r) * 1000; off < 2*size; off += 40_000 {
					at := off % size
					n, err := f.ReadAt(t.Context(), p, at)
					if err != nil && err != io.EOF || !bytes.Equal(p[:n], want[at:at+int64(n)]) || n == 0 {
						t.Errorf("read at %d: %d, %v", at, n, err)
						return
					}
				}
			})
		}
	}
	readers.Wait()
	stop.Store(true)
	fillers.Wait()
	if st := s.Stats(); st.Evictions == 0 {
		t.Error("nothing was evicted")
	}
	checkBooks(t, s)
}

// TestFilesConcurrently opens, writes, renames and closes all at once; its
// oracle is the race detector and the books.
func TestFilesConcurrently(t *testing.T) {
	s := openFiles(t, 3*testBlock)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 150 {
				path := fmt.Sprintf("/%d/%d", i%2, (i*g)%5)
				f, err := s.Open(path, version(testBlock*2))
				if i%11 == 0 {
					f.Close()
					f, err = s.Create(path)
				}
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithCancel(t.Context())
				wg.Go(func() {
					f.ReadAt(ctx, make([]byte, testBlock), testBlock/2)
					cancel()
				})
				switch i % 5 {
				case 0:
					f.WriteAt(pattern(10, 100), 10)
				case 1:
					f.Truncate(int64(i) * 1000)
					gen, _ := f.Dirty()
					f.Clean(gen, version(f.Size()))
				case 2:
					s.RenameTree("/0", "/1")
				case 3:
					s.Forget(path)
				}
				if err := f.Fill(pattern(0, 2*testBlock), 0); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					f.Fail(io.ErrUnexpectedEOF)
				}
				cancel()
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkBooks(t, s)
	if st := s.Stats(); st.Descriptors != 0 || st.DirtyFiles != 0 {
		t.Errorf("without holders: %+v", st)
	}
}

func BenchmarkReadAtPresent(b *testing.B) {
	for _, n := range []int{4 << 10, 128 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := OpenFiles(FilesConfig{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			f := open(b, s, "/f", 64<<20)
			fill(b, f, 0, 64<<20)
			p := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := f.ReadAt(b.Context(), p, int64(i*n)%(64<<20)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFill streams through a cache that is full.
func BenchmarkFill(b *testing.B) {
	s, err := OpenFiles(FilesConfig{Dir: b.TempDir(), MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := open(b, s, "/f", math.MaxInt64)
	p := pattern(0, 128<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := f.Fill(p, int64(i)*int64(len(p))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	s, err := OpenFiles(FilesConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := open(b, s, "/f", 1000)
	fill(b, f, 0, 1000)
	f.Close()
	b.ReportAllocs()
	for b.Loop() {
		open(b, s, "/f", 1000).Close()
	}
}
