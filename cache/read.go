package cache

import (
	"context"
	"io"
	"math"
	"syscall"
)

// ReadAt fills p from off, waiting for absent ranges to be filled. Like
// io.ReaderAt it returns less than len(p) bytes only with an error: io.EOF at
// the end of f, ctx.Err(), or the error of Fail. What is present is read even
// when ctx has ended. A negative offset is EINVAL.
//
// It goes block by block and pins only the block it is at, so that any length
// can be read through a cache of any size.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, syscall.EINVAL
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	defer f.end()
	n := 0
	for n < len(p) {
		m, err := f.readBlock(ctx, p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readBlock reads from off to the end of p or of the block. files.mu is held,
// but for waiting and reading.
func (f *File) readBlock(ctx context.Context, p []byte, off int64) (int, error) {
	s := f.files
	if off >= f.size {
		return 0, io.EOF
	}
	b := s.pin(f, off/s.blockSize)
	defer s.unpin(b)
	_, end := s.bounds(b.no)
	p = p[:min(int64(len(p)), end-off)]
	for {
		n, err := f.await(ctx, off, len(p))
		if err != nil {
			return 0, err
		}
		if b.unverified {
			s.mu.Unlock()
			err := f.verifyPinned(off, off+int64(n))
			s.mu.Lock()
			if err != nil {
				return 0, err
			}
			continue
		}
		if b.weight == 0 || !f.created {
			clear(p[:n])
			return n, nil
		}
		cuts := f.cuts
		s.mu.Unlock()
		err = f.readLocal(p[:n], off)
		s.mu.Lock()
		if err != nil {
			return 0, err
		}
		if f.cuts == cuts {
			return n, nil
		}
		// What was cut off meanwhile may have been read as zeros.
	}
}

// await waits until the n bytes from off, as far as f has them, are present,
// and returns how many they are. files.mu is held, but for waiting.
func (f *File) await(ctx context.Context, off int64, n int) (int, error) {
	var w *waiting
	for {
		if off >= f.size {
			return 0, io.EOF
		}
		n := min(int64(n), f.size-off)
		if f.present.contains(off, off+n) {
			if w == nil {
				f.files.hits++
			}
			return int(n), nil
		}
		if w == nil {
			f.files.waits++
		} else if w.err != nil {
			return 0, w.err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if f.files.closed || f.holders == 0 {
			return 0, errClosed
		}
		if f.waiting == nil {
			f.waiting = &waiting{done: make(chan struct{})}
		}
		w = f.waiting
		f.files.mu.Unlock()
		select {
		case <-w.done:
		case <-ctx.Done():
		}
		f.files.mu.Lock()
	}
}

// readLocal fills p from the local file; behind its end are zeros.
func (f *File) readLocal(p []byte, off int64) error {
	fd, err := f.existing()
	if err != nil {
		return err
	}
	n, err := f.files.pread(fd, p, off)
	if err == io.EOF {
		clear(p[n:])
		err = nil
	}
	return err
}

// Missing returns the first absent range within the n bytes from off, as far
// as f has them; start == end if there is none.
func (f *File) Missing(off, n int64) (start, end int64) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	off, n = max(0, off), max(0, n)
	end = off + min(n, math.MaxInt64-off)
	end = max(off, min(end, f.size))
	return f.present.gap(off, end)
}

// Fail ends with err every ReadAt that waits now.
func (f *File) Fail(err error) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.wake(err)
}
