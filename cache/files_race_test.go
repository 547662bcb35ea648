package cache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

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
