package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"
	"time"
)

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
	before := descriptors(t)
	s := openFiles(t, 1<<30)
	room := int64(6)
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		s.mu.Lock()
		used := int64(0)
		for f := range s.live {
			for _, b := range f.blocks {
				used += b.weight
			}
		}
		s.mu.Unlock()
		if used > room*testBlock && fd.Name() != "memory" {
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
	if err := a.Fill(pattern(0, 10), 0); err != nil || !a.inMemory {
		t.Errorf("no room but in memory: %v", err)
	}
	if b.Size() != 6*testBlock || !bytes.Equal(readAll(t, b), pattern(0, 6*testBlock)) {
		t.Error("dirty data suffered")
	}
	checkBooks(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left := since(t, before); len(left) > 0 {
		t.Errorf("open: %v", left)
	}
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
