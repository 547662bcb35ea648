package ftpfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

const (
	maxStreams  = 3 // of one file: interleaved readers
	busyStreams = 8 // the same, as long as readers wait for each of them
	readTries   = 3 // attempts without a byte of progress
)

// streams bring the bytes of one file from the server into its local file.
// Each is one RETR that runs from an offset onward, a window ahead of its
// readers, and pauses when nobody follows. All methods may be called at the
// same time.
type streams struct {
	file *cache.File
	source

	base   context.Context // ends with the file
	cancel context.CancelFunc
	wg     sync.WaitGroup // the streams' goroutines

	mu      sync.Mutex
	size    int64 // of the version on the server
	ended   int64 // where a transfer has ended before that; -1: none has
	shorter bool  // the size is where they all do, not what the server says
	running []*stream
	begun   []beginning   // of the last streams, the latest last
	pending []span        // reads that were announced and are not answered yet
	held    chan struct{} // no new streams until it is closed; nil when not held
	freed   chan struct{} // closed and renewed when a stream has no reader waiting any more, or a read of a shorter file is answered
	closed  bool
	ending  int64 // where it begins, until a reader is there
	crew    crew
}

// A source is where the bytes come from.
type source struct {
	// open begins a transfer of the file, of that size, from off on. An extra
	// one is ftpclient.ErrBusy rather than in anybody's way.
	open     func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error)
	doubt    func()               // makes the next open ask the server whether it still has this version
	yield    func(moved int) bool // whether a stream that moved so much should end for somebody who waits; below 0: it can be missed
	idle     func() int           // connections that nobody uses now
	pace     *pace
	parallel int   // most transfers for one reader
	ahead    int64 // how far these may run ahead of the reader
}

type span struct{ off, end int64 }

func newStreams(base context.Context, file *cache.File, size int64, from source) *streams {
	ctx, cancel := context.WithCancel(base)
	return &streams{file: file, size: size, ended: -1, source: from, base: ctx, cancel: cancel, freed: make(chan struct{})}
}

// Close ends all streams and waits for them; readers that wait get an error.
func (ss *streams) Close() {
	ss.mu.Lock()
	ss.closed = true
	if ss.ending > 0 {
		ss.pace.left(true)
	}
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
			ss.size, ss.ended, ss.shorter = size, -1, false
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
	if i := slices.Index(ss.pending, span{off, off + int64(n)}); i >= 0 {
		ss.pending = slices.Delete(ss.pending, i, i+1)
	}
	if ss.shorter {
		ss.free()
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

// readShort is read, but a file that is shorter than the server says has its
// end there.
func (ss *streams) readShort(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := ss.read(ctx, p, off)
	if !errors.Is(err, errShorter) {
		return n, err
	}
	if left := ss.end() - off; left > 0 {
		return ss.read(ctx, p[:min(left, int64(len(p)))], off)
	}
	return 0, cmp.Or(ss.afterEnd(ctx), io.EOF)
}

// afterEnd waits until reads that contain the end of a file which is shorter than
// the server says are answered: the kernel takes the first answer that ends early
// for the end.
func (ss *streams) afterEnd(ctx context.Context) error {
	for {
		ss.mu.Lock()
		contained := slices.ContainsFunc(ss.pending, func(p span) bool { return p.off < ss.size && p.end > ss.size })
		freed := ss.freed
		ss.mu.Unlock()
		if !contained {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errShorter is the error of fetch for what the server does not have, though
// it says that the file is so long: as it is with files of the kernel's, which
// are made when they are read.
var errShorter = fmt.Errorf("shorter than the server says: %w", syscall.ESTALE)

// end is where the file ends, as far as is known.
func (ss *streams) end() int64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.size
}

// reach is how far a file goes that is size bytes long, as the server says: no further than
// where a transfer has found its end.
func (ss *streams) reach(size int64) int64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.shorter {
		return size // ss.size may still be that of the version before
	}
	return min(size, ss.size)
}

// isShorter tells whether the file ends before what the server says.
func (ss *streams) isShorter() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.shorter
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
		if ss.shorter && start >= ss.size {
			ss.mu.Unlock()
			return errShorter
		}
		var s *stream
		var wait <-chan struct{} = ss.held
		if wait == nil {
			if s = ss.steer(start, end); s == nil {
				wait = ss.freed
			} else {
				wait = s.join(end)
			}
		}
		ss.mu.Unlock()

		var left error
		select {
		case <-wait:
		case <-ctx.Done():
			left = ctx.Err()
		}
		if s == nil {
			if left != nil {
				return left
			}
			continue
		}
		ss.mu.Lock()
		ss.leave(s)
		done, err := s.done, s.err
		if s.stopped {
			err = nil // its end was wanted
		}
		again, came := err != nil && s.passing(err), s.pos > s.start
		ss.mu.Unlock()
		if left != nil {
			return left
		}
		if !done || err == nil {
			continue
		}
		// The stream broke. Another one goes on where it stopped, unless
		// the server said no or nothing comes at all.
		if tries++; came {
			tries = 0
		}
		if tries >= readTries || !again {
			return err
		}
	}
}

// passing tells whether another try may go better after s ended with err. It
// wants streams.mu held.
func (s *stream) passing(err error) bool {
	refused, ok := errors.AsType[*ftpclient.Error](err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return false
	case s.pos > s.start, errors.Is(err, errShorter):
		return true
	case ok:
		return s.began || refused.Temporary() // once it has begun, that it broke says more than the code
	}
	return errno(err) != syscall.ETIMEDOUT && !errors.Is(err, syscall.ESTALE)
}

// follow moves the windows of the streams that a reader at [off, end) is
// behind. It wants streams.mu held.
func (ss *streams) follow(off, end int64) {
	if ss.ending > 0 && end > ss.ending {
		ss.ending = 0
		ss.pace.left(false)
	}
	for _, s := range ss.running {
		if off >= s.start-seekWindow && end <= s.pos+usualSkip && end+s.window/2 > s.limit {
			s.extend(end)
		}
	}
	if ss.crew.follow(off, end, ss.ahead) {
		ss.staff(time.Now())
	}
}

// steer returns the stream that will bring the missing range soonest, a new one when
// none is about to; nil if readers wait for all streams that there may be. It
// wants streams.mu held.
func (ss *streams) steer(start, end int64) *stream {
	start = ss.first(start)
	skip := ss.pace.skip()
	var nearest *stream
	for _, s := range ss.running {
		if !s.stopped && s.pos <= start && start < s.end && start-s.pos <= skip && (nearest == nil || s.pos > nearest.pos) {
			nearest = s
		}
	}
	if s := nearest; s != nil {
		if end > s.limit {
			s.extend(end)
		}
		s.used = time.Now()
		return s
	}
	if !ss.makeRoom() {
		return nil
	}
	window := min(seekWindow, skip)
	if start == 0 {
		window = firstWindow
	}
	for _, p := range ss.pending { // what is asked for already is part of the range
		if p.off <= end && p.end > end {
			end = p.end
		}
	}
	s := ss.begin(ss.before(start, end), end+window, 0, window)
	if s.start == 0 {
		ss.bringEnding(end)
	}
	return s
}

// first returns where the reads that lead to start without a gap begin to be
// absent. It wants streams.mu held.
func (ss *streams) first(start int64) int64 {
	for again := true; again; {
		again = false
		for _, p := range ss.pending {
			if p.off < start && p.end >= start {
				if from, to := ss.file.Missing(p.off, start-p.off); from < to {
					start, again = from, true
				}
			}
		}
	}
	return start
}

// makeRoom ends the least useful stream when there are enough. It tells
// whether there may be one more, and wants streams.mu held.
func (ss *streams) makeRoom() bool {
	var least *stream
	n := 0
	for _, s := range ss.running {
		if s.stopped {
			continue
		}
		n++
		if s.waiters == 0 && (least == nil || s.lessUseful(least)) {
			least = s
		}
	}
	switch {
	case n < maxStreams:
		return true
	case least == nil:
		return n < busyStreams
	}
	least.stop()
	return true
}

// begin starts a stream. It wants streams.mu held.
func (ss *streams) begin(start, limit, goal, window int64) *stream {
	ctx, cancel := context.WithCancel(ss.base)
	s := &stream{
		start: start, pos: start, limit: limit, goal: goal, end: math.MaxInt64, window: window,
		wanted: unwanted, extra: goal > 0, used: time.Now(), cancel: cancel, changed: make(chan struct{}),
	}
	ss.running = append(ss.running, s)
	ss.wg.Go(func() { ss.run(ctx, s) })
	return s
}

// leave ends a reader's wait for s. It wants streams.mu held.
func (ss *streams) leave(s *stream) {
	if s.waiters--; s.waiters == 0 {
		ss.free()
	}
}

// free lets those look again who wait for a stream to be free. It wants
// streams.mu held.
func (ss *streams) free() {
	close(ss.freed)
	ss.freed = make(chan struct{})
}
