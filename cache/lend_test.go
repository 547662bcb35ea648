package cache

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"
)

// borrow returns what Lend shows of f, nil if nothing.
func borrow(t testing.TB, f *File, off, n int64) []byte {
	t.Helper()
	var p []byte
	lent, err := f.Lend(off, n, func(fd *os.File) error {
		p = make([]byte, n)
		_, err := fd.ReadAt(p, off)
		return err
	})
	if err != nil || lent != (p != nil) {
		t.Errorf("%v, %v, %d bytes", lent, err, len(p))
	}
	return p
}

func TestLend(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", 4*testBlock)
	fill(t, f, 0, 2*testBlock)
	for _, c := range []struct {
		off, n int64
		lent   bool
	}{
		{0, 2 * testBlock, true},
		{testBlock - 5, 10, true},
		{1, testBlock, true},
		{0, 2*testBlock + 1, false}, // absent
		{3 * testBlock, 1, false},
		{4*testBlock - 1, 2, false}, // beyond the end
		{-1, 2, false},
		{0, 0, false},
	} {
		switch got := borrow(t, f, c.off, c.n); {
		case (got != nil) != c.lent:
			t.Errorf("%d bytes from %d: lent is %v", c.n, c.off, got != nil)
		case c.lent && !bytes.Equal(got, pattern(c.off, int(c.n))):
			t.Errorf("%d bytes from %d: others", c.n, c.off)
		}
	}
	errUse := errors.New("no use")
	if lent, err := f.Lend(0, 1, func(*os.File) error { return errUse }); !lent || err != errUse {
		t.Errorf("%v, %v", lent, err)
	}
	checkBooks(t, s)
	f.Close()
	if borrow(t, f, 0, 1) != nil {
		t.Error("lent after Close")
	}
}

// A local file that turns out to be of no use is not lent again, and read all the same.
func TestLendUnfit(t *testing.T) {
	s := openFiles(t, 1<<20)
	f := open(t, s, "/f", testBlock)
	fill(t, f, 0, testBlock)
	for i, want := range []bool{true, false, false} {
		if lent, err := f.Lend(0, 10, func(*os.File) error { return errors.ErrUnsupported }); lent != want || lent != (err != nil) {
			t.Errorf("try %d: lent: %v, %v", i, lent, err)
		}
	}
	p := make([]byte, testBlock)
	if _, err := f.ReadAt(t.Context(), p, 0); err != nil || !bytes.Equal(p, pattern(0, testBlock)) {
		t.Errorf("%v, or other bytes", err)
	}
	other := open(t, s, "/other", testBlock)
	fill(t, other, 0, testBlock)
	if borrow(t, other, 0, 10) == nil {
		t.Error("another one is not lent")
	}
	checkBooks(t, s)
}

// Zeros that were never written have no place in the local file, and a file without bytes has
// none itself.
func TestLendNoZeros(t *testing.T) {
	s := openFiles(t, 1<<20)
	f, _ := s.Create("/f")
	if f.Truncate(testBlock); borrow(t, f, 0, 10) != nil {
		t.Error("lent what is in no file")
	}
	f.WriteAt(pattern(3*testBlock, 10), 3*testBlock)
	if borrow(t, f, testBlock, 10) != nil {
		t.Error("lent a gap")
	}
	if got := borrow(t, f, 3*testBlock, 10); !bytes.Equal(got, pattern(3*testBlock, 10)) {
		t.Error("what was written is not lent")
	}
}

// What another process has left is lent when it was verified, and not before.
func TestLendVerifiedOnly(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/f", testBlock)
	fill(t, f, 0, testBlock)
	f.Close()
	s.Close()
	s = openTree(t, dir)
	f = open(t, s, "/f", testBlock)
	if missing(f) || borrow(t, f, 0, 10) != nil {
		t.Error("absent, or lent before anybody looked at it")
	}
	readAll(t, f)
	if !bytes.Equal(borrow(t, f, 0, testBlock), pattern(0, testBlock)) {
		t.Error("not lent")
	}
}

// What is lent is neither evicted nor cut off until it was used; who comes while a cut waits
// gets nothing.
func TestLentBytesStay(t *testing.T) {
	s := openFiles(t, testBlock)
	f, _ := s.Create("/f")
	f.WriteAt(pattern(0, testBlock), 0)
	gen, _ := f.Dirty()
	f.Clean(gen, version(testBlock))
	cut := make(chan error)
	f.Lend(0, testBlock, func(fd *os.File) error {
		fill(t, open(t, s, "/g", 2*testBlock), 0, 2*testBlock) // evicts what it can
		go func() { cut <- f.Truncate(1) }()
		for f.Size() != 1 {
			time.Sleep(50 * time.Microsecond)
		}
		p := make([]byte, testBlock)
		if _, err := fd.ReadAt(p, 0); err != nil || !bytes.Equal(p, pattern(0, testBlock)) {
			t.Errorf("what was lent is gone: %v", err)
		}
		return nil
	})
	if err := <-cut; err != nil {
		t.Error(err)
	}
	if borrow(t, f, 0, 2) != nil {
		t.Error("lent what was cut off")
	}
	if got := borrow(t, f, 0, 1); !bytes.Equal(got, pattern(0, 1)) {
		t.Errorf("%v is left", got)
	}
}
