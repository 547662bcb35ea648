package ftpfs

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"ftpfs/ftpclient"
)

const (
	firstWindow = 512 << 10 // read ahead of a stream that starts a file
	seekWindow  = 128 << 10 // read ahead after a seek, at most: random access wants little
	maxWindow   = 8 << 20   // read ahead of a reader that goes on and on
	streamStep  = 512 << 10 // bytes that a stream moves at a time, at most: to the next multiple, since whole pages cost a disk less

	stepTime     = 5 * time.Millisecond  // what comes in it is moved together
	pausedFor    = 5 * time.Second       // a stream nobody reads ends after it
	contendCheck = 10 * time.Millisecond // how soon a paused stream gives way to one that waits
)

// A stream is one retrieval under way. Its fields are guarded by streams.mu.
type stream struct {
	start   int64         // where it began
	pos     int64         // the next byte to come
	limit   int64         // where it pauses
	goal    int64         // the end of the segment that it brings in any case; 0: none
	end     int64         // it goes no further
	window  int64         // how far ahead of its readers it runs
	used    time.Time     // when a reader last wanted it
	waiters int           // readers that wait for it
	wanted  int64         // where the first of them can go on
	extra   bool          // nobody has waited for it yet
	trial   int           // the number of the last trial that it takes part in; 0: none
	from    int64         // where it was when that began
	since   time.Time     // when it had brought the first bytes from there on
	began   bool          // the server was about to send
	cancel  func()        // ends it at once
	stopped bool          // told to end
	done    bool          // ended
	err     error         // why, nil at the file's end or when it was told to
	changed chan struct{} // closed and renewed when somebody should look
}

// unwanted is the wanted of a stream without waiters.
const unwanted = math.MaxInt64

// join begins a reader's wait for what lies before end; leave ends it.
func (s *stream) join(end int64) (changed <-chan struct{}) {
	s.waiters++
	s.wanted = min(s.wanted, end)
	s.extra = false
	return s.changed
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
	s.wanted = unwanted
}

// lessUseful tells which of two streams that nobody waits for should end.
func (s *stream) lessUseful(than *stream) bool {
	if s.extra != than.extra {
		return s.extra
	}
	return s.used.Before(than.used)
}

// run is the goroutine of one stream.
func (ss *streams) run(ctx context.Context, s *stream) {
	defer s.cancel()
	err := ss.pump(ctx, s)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if errors.Is(err, ftpclient.ErrBusy) {
		s.stopped = true
		ss.crew.free = time.Now().Add(makeWay)
	}
	s.done, s.err = true, err
	ss.running = slices.DeleteFunc(ss.running, func(other *stream) bool { return other == s })
	if err != nil && !s.stopped && s.working() && s.pos == s.start && ss.crew.want > 1 {
		ss.crew.settle(ss.crew.want/2, time.Now()) // the server does not bear so many
		ss.conclude(time.Now())
	}
	s.broadcast()
	ss.free()
	if err == nil {
		ss.staff(time.Now())
	}
}

// steps are buffers of streams.
var steps = sync.Pool{New: func() any { return new([streamStep]byte) }}

func (ss *streams) pump(ctx context.Context, s *stream) error {
	ss.mu.Lock()
	size, extra := ss.size, s.extra
	ss.mu.Unlock()
	asked := time.Now()
	r, err := ss.open(ctx, s.start, size, extra)
	if err != nil {
		return err
	}
	ss.mu.Lock()
	s.began = true
	ss.mu.Unlock()
	defer r.Close()
	defer context.AfterFunc(ctx, func() { r.Close() })() // a blocked Read ends with the file
	buf := steps.Get().(*[streamStep]byte)
	defer steps.Put(buf)
	meter := meter{pace: ss.pace}
	held := false
	for moved := 0; ; {
		if !ss.proceed(s, moved, &meter) {
			return nil
		}
		begin := time.Now()
		least := ss.pace.within(stepTime)
		if held {
			least = 0
		}
		n, err := readSome(r, buf[:min(streamStep-s.pos%streamStep, min(s.end, size)-s.pos)], least)
		if n > 0 {
			if err := ss.file.Fill(buf[:n], s.pos); err != nil {
				return err
			}
			now := time.Now()
			if moved == 0 {
				ss.pace.opened(now.Sub(asked))
			}
			meter.count(n, now.Sub(begin))
			moved += n
			ss.moved(s, n, now)
			if held = ss.holdBack(ctx, s); held {
				meter.pause()
			}
		}
		switch {
		case s.pos >= size:
			return nil
		case err == io.EOF:
			return ss.endsAt(s)
		case err != nil:
			return err
		}
	}
}

// endsAt is told that the server has ended s, at its position, as if that was
// the end of the file. It may be cut short on its way, or another version. If
// the next transfer, before which the server was asked whether it still has
// this version, brings nothing either, the file is that short.
func (ss *streams) endsAt(s *stream) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.pos == s.start && ss.ended == s.pos {
		ss.size, ss.shorter = s.pos, true
		return nil
	}
	ss.ended = s.pos
	ss.doubt()
	return errShorter
}

// readSome reads like r, but no less than so many bytes if they come in the time of a step: each
// step costs several system calls.
func readSome(r io.Reader, p []byte, least int64) (n int, err error) {
	n, err = r.Read(p)
	for first := time.Now(); err == nil && n > 0 && n < len(p) && int64(n) < least && time.Since(first) < stepTime; {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// moved is told of n bytes more that are in the local file.
func (ss *streams) moved(s *stream, n int, now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.pos += int64(n)
	if s.since.IsZero() {
		s.since = now
	}
	if s.pos >= s.wanted {
		s.broadcast()
	}
	ss.tend(s, n, now)
}

// proceed waits while s has nothing to do. It returns false when s should
// end: told so, not wanted any more, or in the way of somebody.
func (ss *streams) proceed(s *stream, moved int, m *meter) bool {
	var tick *time.Ticker
	for {
		ss.mu.Lock()
		stop := ss.relieve(s, time.Now()) || s.stopped || s.pos >= min(s.end, ss.size) || ss.overtaken(s)
		pause := s.pos >= max(s.limit, s.goal)
		if pause && ss.crew.want < 2 {
			ss.crew.paused = true
		}
		if s.extra && moved > 0 {
			moved = -1
		}
		idle := time.Since(s.used) > pausedFor && !ss.expected(s)
		changed := s.changed
		ss.mu.Unlock()
		switch {
		case stop:
			return false
		case !pause:
			return !ss.yields(moved)
		case idle, ss.yields(-1):
			return false
		}
		m.pause()
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

// yields tells whether a stream that moved so much ends for somebody who waits.
func (ss *streams) yields(moved int) bool {
	if !ss.yield(moved) {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.crew.free = time.Now().Add(makeWay)
	return true
}

// overtaken tells whether another stream brings what follows, or so much of it
// is present that a new one is sooner at the end of that. It wants streams.mu
// held.
func (ss *streams) overtaken(s *stream) bool {
	if s.pos == s.start {
		return false
	}
	for _, other := range ss.running {
		if !other.stopped && other.start > s.start && other.start <= s.pos && s.pos <= other.pos {
			return true
		}
	}
	start, end := ss.file.Missing(s.pos, ss.pace.skip())
	return start >= end
}
