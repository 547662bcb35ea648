package ftpfs

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

const (
	firstWindow = 512 << 10 // read ahead of a stream that starts a file
	seekWindow  = 128 << 10 // read ahead after a seek: random access wants little
	maxWindow   = 8 << 20   // read ahead of a reader that goes on and on
	streamStep  = 512 << 10 // bytes that a stream moves at a time, at most
	skipGap     = 512 << 10 // a gap that a running stream reaches sooner than a new one would
	aheadGap    = 2 << 20   // the same within its window, where it is going anyway
	maxStreams  = 3         // of one file: interleaved readers

	pausedFor    = 5 * time.Second       // a stream nobody reads ends after it
	contendCheck = 10 * time.Millisecond // how soon a paused stream gives way to one that waits
	readTries    = 3                     // attempts without a byte of progress
)

// streams bring the bytes of one file from the server into its local file.
// Each is one RETR that runs from an offset onward, a window ahead of its
// readers, and pauses when nobody follows. All methods may be called at the
// same time.
type streams struct {
	file  *cache.File
	open  func(ctx context.Context, off, size int64) (io.ReadCloser, error)
	yield func(moved int) bool // whether a stream that moved so much should end for somebody who waits; below 0: it is paused

	base   context.Context // ends with the file
	cancel context.CancelFunc
	wg     sync.WaitGroup // the streams' goroutines

	mu      sync.Mutex
	size    int64 // of the version on the server
	running []*stream
	pending []span        // reads that were announced and are not answered yet
	held    chan struct{} // no new streams until it is closed; nil when not held
	closed  bool
}

// A stream is one retrieval under way. Its fields are guarded by streams.mu.
type stream struct {
	start   int64         // where it began
	pos     int64         // the next byte to come
	limit   int64         // where it pauses
	window  int64         // how far ahead of its readers it runs
	used    time.Time     // when a reader last wanted it
	cancel  func()        // ends it at once
	stopped bool          // told to end
	done    bool          // ended
	err     error         // why, nil at the file's end or when it was told to
	changed chan struct{} // closed and renewed with each change
}

type span struct{ off, end int64 }

func newStreams(base context.Context, file *cache.File, size int64, open func(context.Context, int64, int64) (io.ReadCloser, error), yield func(int) bool) *streams {
	ctx, cancel := context.WithCancel(base)
	return &streams{file: file, size: size, open: open, yield: yield, base: ctx, cancel: cancel}
}

// Close ends all streams and waits for them; readers that wait get an error.
func (ss *streams) Close() {
	ss.mu.Lock()
	ss.closed = true
	ss.mu.Unlock()
	ss.stop()
	ss.cancel()
	ss.wg.Wait()
}

// stop ends all streams; who waits for them needs new ones.
func (ss *streams) stop() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, s := range ss.running {
		s.stop()
	}
}

// hold ends all streams, waits for them and keeps new ones from starting, for
// a change of the version or the name that they read. resume lets them go on,
// with a file of the given size; below 0 it is as it was.
func (ss *streams) hold() (resume func(size int64)) {
	ss.mu.Lock()
	held := make(chan struct{})
	ss.held = held
	for len(ss.running) > 0 {
		s := ss.running[0]
		s.stop()
		changed := s.changed
		ss.mu.Unlock()
		<-changed
		ss.mu.Lock()
	}
	ss.mu.Unlock()
	return func(size int64) {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		ss.held = nil
		if size >= 0 {
			ss.size = size
		}
		close(held)
	}
}

// announce tells of a read before its turn comes, in the order in which the
// kernel sent them: the goroutines of neighbouring reads run in any order,
// and a stream should start at the first of them. Each announce has its
// settle.
func (ss *streams) announce(off int64, n int) {
	ss.mu.Lock()
	ss.pending = append(ss.pending, span{off, off + int64(n)})
	ss.mu.Unlock()
}

func (ss *streams) settle(off int64, n int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for i, p := range ss.pending {
		if p.off == off && p.end == off+int64(n) {
			ss.pending = append(ss.pending[:i], ss.pending[i+1:]...)
			return
		}
	}
}

// present tells whether [off, off+n), as far as the file goes, is there, and
// lets the streams that bring what follows know that it is read.
func (ss *streams) present(off, n int64) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed {
		return false
	}
	ss.follow(off, off+n)
	start, end := ss.file.Missing(off, n)
	return start >= end
}

// read reads like io.ReaderAt, waiting for what has to come from the server.
func (ss *streams) read(ctx context.Context, p []byte, off int64) (int, error) {
	defer ss.file.KeepRange(off, int64(len(p)))()
	if err := ss.fetch(ctx, off, int64(len(p))); err != nil {
		return 0, err
	}
	return ss.file.ReadAt(expired, p, off)
}

// expired makes cache.File.ReadAt answer at once when a range is absent.
var expired = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// fetch returns when [off, off+n), as far as the file goes, was present.
func (ss *streams) fetch(ctx context.Context, off, n int64) error {
	tries := 0
	var last int64 = -1
	for {
		ss.mu.Lock()
		if ss.closed {
			ss.mu.Unlock()
			return syscall.EBADF
		}
		ss.follow(off, off+n)
		start, end := ss.file.Missing(off, n)
		if start >= end {
			ss.mu.Unlock()
			return nil
		}
		if held := ss.held; held != nil {
			ss.mu.Unlock()
			select {
			case <-held:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		s := ss.steer(start, end)
		changed := s.changed
		ss.mu.Unlock()

		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}

		ss.mu.Lock()
		done, err := s.done, s.err
		if s.stopped {
			err = nil // its end was wanted
		}
		ss.mu.Unlock()
		if !done || err == nil {
			continue
		}
		// The stream broke. Another one goes on where it stopped, unless
		// the server said no or nothing comes at all.
		if start > last {
			tries, last = 0, start
		}
		tries++
		var refused *ftpclient.Error
		if errors.As(err, &refused) && !refused.Temporary() || errno(err) == syscall.ETIMEDOUT || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.ENOSPC) || tries >= readTries {
			return err
		}
	}
}

// follow moves the windows of the streams that a reader at [off, end) is
// behind. It wants streams.mu held.
func (ss *streams) follow(off, end int64) {
	for _, s := range ss.running {
		if off >= s.start-seekWindow && end <= s.pos+skipGap && end+s.window/2 > s.limit {
			s.extend(end)
		}
	}
}

// extend lets s run a window beyond end, a larger one each time.
func (s *stream) extend(end int64) {
	s.used = time.Now()
	s.window = min(2*s.window, maxWindow)
	s.limit = max(s.limit, end+s.window)
	s.broadcast()
}

// stop tells s to end, and those who wait for it.
func (s *stream) stop() {
	s.stopped = true
	s.cancel()
	s.broadcast()
}

func (s *stream) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// steer returns the stream that will bring the missing range, a new one when
// none is about to. It wants streams.mu held.
func (ss *streams) steer(start, end int64) *stream {
	for _, s := range ss.running {
		if !s.stopped && s.pos <= start && (start <= s.pos+skipGap || start <= min(s.limit, s.pos+aheadGap)) {
			if end > s.limit {
				s.extend(end)
			}
			s.used = time.Now()
			return s
		}
	}
	for again := true; again; { // begin with the first of neighbouring reads
		again = false
		for _, p := range ss.pending {
			if p.off < start && p.end >= start {
				if from, to := ss.file.Missing(p.off, start-p.off); from < to {
					start, again = from, true
				}
			}
		}
	}
	if len(ss.running) >= maxStreams {
		least := ss.running[0]
		for _, s := range ss.running {
			if s.used.Before(least.used) {
				least = s
			}
		}
		least.stop()
	}
	s := &stream{start: start, pos: start, window: seekWindow, used: time.Now(), changed: make(chan struct{})}
	if start == 0 {
		s.window = firstWindow
	}
	for _, p := range ss.pending { // what is asked for already is part of the range
		if p.off <= end && p.end > end {
			end = p.end
		}
	}
	s.limit = end + s.window
	ctx, cancel := context.WithCancel(ss.base)
	s.cancel = cancel
	ss.running = append(ss.running, s)
	ss.wg.Go(func() { ss.run(ctx, s) })
	return s
}

// run is the goroutine of one stream.
func (ss *streams) run(ctx context.Context, s *stream) {
	defer s.cancel()
	err := ss.pump(ctx, s)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.done, s.err = true, err
	for i, other := range ss.running {
		if other == s {
			ss.running = append(ss.running[:i], ss.running[i+1:]...)
			break
		}
	}
	s.broadcast()
}

func (ss *streams) pump(ctx context.Context, s *stream) error {
	ss.mu.Lock()
	size := ss.size
	ss.mu.Unlock()
	r, err := ss.open(ctx, s.start, size)
	if err != nil {
		return err
	}
	defer r.Close()
	defer context.AfterFunc(ctx, func() { r.Close() })() // a blocked Read ends with the file
	buf := make([]byte, min(streamStep, max(size-s.start, 1)))
	for moved := 0; ; {
		if !ss.proceed(s, moved) {
			return nil
		}
		n, err := r.Read(buf[:min(int64(len(buf)), size-s.pos)])
		if n > 0 {
			if err := ss.file.Fill(buf[:n], s.pos); err != nil {
				return err
			}
			moved += n
			ss.mu.Lock()
			s.pos += int64(n)
			s.broadcast()
			ss.mu.Unlock()
		}
		switch {
		case s.pos >= size:
			return nil
		case err == io.EOF:
			return syscall.ESTALE // shorter than the listing said: another version
		case err != nil:
			return err
		}
	}
}

// proceed waits while s has nothing to do. It returns false when s should
// end: told so, not wanted any more, or in the way of somebody.
func (ss *streams) proceed(s *stream, moved int) bool {
	var tick *time.Ticker
	for {
		ss.mu.Lock()
		stop := s.stopped || s.pos >= ss.size
		pause := s.pos >= s.limit
		if !pause {
			start, end := ss.file.Missing(s.pos, s.limit-s.pos)
			pause = start >= end
		}
		idle := time.Since(s.used)
		changed := s.changed
		ss.mu.Unlock()
		switch {
		case stop:
			return false
		case !pause:
			return !ss.yield(moved)
		case idle > pausedFor, ss.yield(-1):
			return false
		}
		if tick == nil {
			tick = time.NewTicker(contendCheck)
			defer tick.Stop()
		}
		select {
		case <-changed:
		case <-tick.C:
		}
	}
}
