package ftpfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ftpfs/cache"
)

// A fakeServer serves one file to streams and counts what they ask for.
type fakeServer struct {
	data []byte

	mu      sync.Mutex
	opened  []int64                                               // offsets
	reading int                                                   // open readers
	fault   func(nth int, r io.ReadCloser) (io.ReadCloser, error) // of the nth open
}

func (s *fakeServer) open(_ context.Context, off, _ int64, _ bool) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened = append(s.opened, off)
	s.reading++
	nth, fault := len(s.opened), s.fault
	s.mu.Unlock()
	r := io.ReadCloser(&fakeReader{Reader: bytes.NewReader(s.data[off:]), s: s})
	if fault != nil {
		return fault(nth, r)
	}
	return r, nil
}

func (s *fakeServer) opens() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int64(nil), s.opened...)
}

type fakeReader struct {
	io.Reader
	s    *fakeServer
	once sync.Once
}

func (r *fakeReader) Close() error {
	r.once.Do(func() {
		r.s.mu.Lock()
		r.s.reading--
		r.s.mu.Unlock()
	})
	return nil
}

func testStreams(t *testing.T, size int) (*streams, *fakeServer) {
	t.Helper()
	files, err := cache.OpenFiles(cache.FilesConfig{Dir: t.TempDir(), MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{data: make([]byte, size)}
	rand.NewChaCha8([32]byte{}).Read(s.data)
	f, err := files.Open("/f", cache.Version{Size: int64(size), ModTime: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	ss := newStreams(t.Context(), f, int64(size), source{open: s.open, doubt: func() {}, yield: func(int) bool { return false }, idle: func() int { return 0 }, pace: new(pace), parallel: 1})
	t.Cleanup(func() {
		ss.Close()
		f.Close()
		files.Close()
		if s.reading != 0 {
			t.Errorf("%d transfers were left open", s.reading)
		}
	})
	return ss, s
}

func (s *fakeServer) check(t *testing.T, ss *streams, off, n int) {
	t.Helper()
	p := make([]byte, n)
	got, err := ss.read(t.Context(), p, int64(off))
	if err != nil && err != io.EOF {
		t.Fatalf("read at %d: %v", off, err)
	}
	want := s.data[min(off, len(s.data)):min(off+n, len(s.data))]
	if !bytes.Equal(p[:got], want) {
		t.Fatalf("wrong bytes at %d: %d of them, want %d", off, got, len(want))
	}
}

func TestSequentialReadIsOneTransfer(t *testing.T) {
	ss, s := testStreams(t, 20<<20)
	for off := 0; off < len(s.data); off += 128 << 10 {
		s.check(t, ss, off, 128<<10)
	}
	s.check(t, ss, len(s.data), 4096)
	if got := s.opens(); len(got) != 1 || got[0] != 0 {
		t.Errorf("transfers began at %v, want one at 0", got)
	}
}

// What is believed to come in the time of a step may take longer: a server may have sent its first
// bytes much faster than it goes on.
func TestStepEndsWhenLessComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := readerFunc(func(p []byte) (int, error) {
			time.Sleep(time.Millisecond)
			return min(len(p), 1<<10), nil
		})
		began := time.Now()
		if n, err := readSome(slow, make([]byte, streamStep), streamStep); err != nil || n < 4<<10 || time.Since(began) > 2*stepTime {
			t.Errorf("%d bytes in %v: %v", n, time.Since(began), err)
		}
	})
}

// However a transfer begins, it goes on in whole steps: each of them begins at a page, and at the
// beginning of a block of the cache or in its middle.
func TestStepsAreAligned(t *testing.T) {
	ss, s := testStreams(t, 4<<20)
	var at []int64
	s.fault = func(_ int, r io.ReadCloser) (io.ReadCloser, error) {
		pos := int64(0)
		return struct {
			io.Reader
			io.Closer
		}{readerFunc(func(p []byte) (int, error) {
			at = append(at, pos)
			n, err := r.Read(p[:min(len(p), 300_000)])
			if pos >= 2*streamStep {
				m, _ := r.Read(p[n:])
				n += m
			}
			pos += int64(n)
			return n, err
		}), r}, nil
	}
	s.check(t, ss, 0, len(s.data))
	ss.Close()
	const step = streamStep
	if want := []int64{0, 300_000, step, step + 300_000, 2 * step, 3 * step, 4 * step, 5 * step, 6 * step, 7 * step}; !slices.Equal(at, want) {
		t.Errorf("steps began at %v", at)
	}
}

func TestSeekStartsWhereItLeads(t *testing.T) {
	ss, s := testStreams(t, 30<<20)
	s.check(t, ss, 0, 4096)
	s.check(t, ss, 20<<20, 4096)
	if got := s.opens(); len(got) != 2 || got[1] != 20<<20 {
		t.Errorf("transfers began at %v, want 0 and %d", got, 20<<20)
	}
	if ss.file.Size() != int64(len(s.data)) {
		t.Error("a seek changed the size")
	}
	if start, end := ss.file.Missing(10<<20, 1<<20); start >= end {
		t.Error("a seek brought what lies between")
	}
}

func TestSmallGapIsSkippedByTheRunningTransfer(t *testing.T) {
	ss, s := testStreams(t, 8<<20)
	s.check(t, ss, 1<<20, 4096)
	s.check(t, ss, 1<<20+300<<10, 4096)
	if got := s.opens(); len(got) != 1 {
		t.Errorf("transfers began at %v, want one", got)
	}
}

func TestWindowIsBounded(t *testing.T) {
	ss, s := testStreams(t, 40<<20)
	s.check(t, ss, 0, 4096)
	for {
		ss.mu.Lock()
		st := ss.running[0]
		pos, limit := st.pos, st.limit
		ss.mu.Unlock()
		if pos >= limit {
			if pos > firstWindow+1<<20 {
				t.Errorf("a reader of 4 KiB made the stream run %d bytes", pos)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNeighbouringReadsInAnyOrderAreOneTransfer(t *testing.T) {
	ss, s := testStreams(t, 4<<20)
	const n = 128 << 10
	ss.announce(0, n)
	ss.announce(n, n)
	defer ss.settle(0, n)
	defer ss.settle(n, n)
	s.check(t, ss, n, n)
	s.check(t, ss, 0, n)
	if got := s.opens(); len(got) != 1 || got[0] != 0 {
		t.Errorf("transfers began at %v, want one at 0", got)
	}
}

func TestInterleavedReadersKeepTheirStreams(t *testing.T) {
	ss, s := testStreams(t, 32<<20)
	for off := 0; off < 4<<20; off += 64 << 10 {
		s.check(t, ss, off, 64<<10)
		s.check(t, ss, 16<<20+off, 64<<10)
	}
	if got := s.opens(); len(got) != 2 {
		t.Errorf("transfers began at %v, want two", got)
	}
}

func TestBrokenTransferGoesOn(t *testing.T) {
	ss, s := testStreams(t, 4<<20)
	s.fault = func(nth int, r io.ReadCloser) (io.ReadCloser, error) {
		if nth > 6 {
			return r, nil
		}
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(r, 300<<10), errReader{syscall.ECONNRESET}), r}, nil
	}
	for off := 0; off < len(s.data); off += 128 << 10 {
		s.check(t, ss, off, 128<<10)
	}
}

func TestServerThatGivesNothingIsAnError(t *testing.T) {
	ss, s := testStreams(t, 1<<20)
	s.fault = func(_ int, r io.ReadCloser) (io.ReadCloser, error) {
		r.Close()
		return nil, syscall.ECONNREFUSED
	}
	_, err := ss.read(t.Context(), make([]byte, 10), 0)
	if !errors.Is(err, syscall.ECONNREFUSED) || len(s.opens()) != readTries {
		t.Errorf("error %v after %d tries", err, len(s.opens()))
	}
}

// What ends before the size that was told ends there if it does so again, when
// the server was asked once more; it was cut on its way if then more comes.
func TestShorterThanTold(t *testing.T) {
	ss, s := testStreams(t, 1<<20)
	doubts := 0
	ss.doubt = func() { doubts++ }
	s.fault = func(nth int, r io.ReadCloser) (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(r, max(0, []int64{1000, 3000, 0}[min(nth-1, 2)])), r}, nil
	}
	p := make([]byte, 8000)
	if n, err := ss.readShort(t.Context(), p, 100); n != 4000 || !bytes.Equal(p[:n], s.data[100:4100]) || err != nil && err != io.EOF {
		t.Errorf("%d bytes, error %v", n, err)
	}
	if n, err := ss.readShort(t.Context(), p, 4100); n != 0 || err != io.EOF || doubts != 2 {
		t.Errorf("%d bytes at the end, error %v, %d doubts", n, err, doubts)
	}
	if _, err := ss.read(t.Context(), p, 4100); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("error %v for who needs all of it", err)
	}
}

func TestReaderMayLeave(t *testing.T) {
	ss, s := testStreams(t, 1<<20)
	blocked, unblock := make(chan struct{}), make(chan struct{})
	s.fault = func(_ int, r io.ReadCloser) (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{readerFunc(func(p []byte) (int, error) { close(blocked); <-unblock; return 0, io.ErrUnexpectedEOF }), r}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-blocked; cancel() }()
	if _, err := ss.read(ctx, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	s.mu.Lock()
	s.fault = nil
	s.mu.Unlock()
	close(unblock)
	s.check(t, ss, 0, 10)
}

func TestHoldEndsStreamsAndResumesWithAnotherSize(t *testing.T) {
	ss, s := testStreams(t, 8<<20)
	s.check(t, ss, 0, 4096)
	resume := ss.hold()
	ss.mu.Lock()
	running := len(ss.running)
	ss.mu.Unlock()
	if running != 0 {
		t.Fatalf("%d streams run while held", running)
	}
	done := make(chan error, 1)
	go func() {
		_, err := ss.read(t.Context(), make([]byte, 10), 6<<20)
		done <- err
	}()
	resume(8 << 20)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
