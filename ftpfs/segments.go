package ftpfs

import "time"

// Each transfer of a crew brings a segment of its own of what lies ahead of
// the reader, and the next one that nobody brings when it has done that. When
// all is given out, the longest rest of a segment is halved.

const (
	leastSegment = 1 << 20
	mostSegment  = 64 << 20
	segmentTime  = 8 * time.Second // how long a transfer should be at work at one
)

// working tells whether s brings a segment.
func (s *stream) working() bool { return s.goal > 0 && !s.stopped }

// staff makes as many streams work as there should be. It wants streams.mu
// held.
func (ss *streams) staff(now time.Time) {
	if ss.closed || ss.held != nil {
		return
	}
	var last *stream
	n := 0
	for _, s := range ss.running {
		if s.working() {
			n++
			if last == nil || s.pos > last.pos {
				last = s
			}
		}
	}
	switch want := ss.crew.want; {
	case want < 2:
		ss.disband()
	case n == 0:
		if ss.lead(now) {
			ss.staff(now)
		}
	case n < want:
		if now.After(ss.crew.free) && ss.assign() {
			ss.staff(now)
		}
	case n > want:
		last.goal = 0 // it pauses, until the reader comes or somebody else needs the connection
		ss.staff(now)
	}
}

// lead gives the stream that a reader waits for its first segment. It wants
// streams.mu held.
func (ss *streams) lead(now time.Time) bool {
	for _, s := range ss.running {
		if s.waiters > 0 && !s.stopped {
			ss.crew.front, ss.crew.seen = s.pos, now
			s.goal = min(s.pos+ss.segmentSize(), ss.size)
			return s.goal > s.pos
		}
	}
	return false
}

// disband lets all streams be usual ones. It wants streams.mu held.
func (ss *streams) disband() {
	ss.crew.want, ss.crew.had = 1, 0
	for _, s := range ss.running {
		s.goal = 0
	}
}

// relieve gives s what follows when it has done its segment. It tells whether
// s should end, since there is more to do elsewhere. It wants streams.mu held.
func (ss *streams) relieve(s *stream, now time.Time) (end bool) {
	switch {
	case !s.working():
	case !ss.engaged(now):
		ss.disband()
	case s.pos >= s.goal:
		s.goal = 0
		start, to, ok := ss.gap()
		if ok && start == s.pos {
			s.goal = to
			return false
		}
		return ok || ss.longest() != nil
	}
	return false
}

// expected tells whether the reader will come to where s has paused. It wants
// streams.mu held.
func (ss *streams) expected(s *stream) bool {
	return s.extra && s.pos >= ss.crew.front && ss.engaged(time.Now())
}

// assign gives a segment that nobody brings to the stream that has paused
// where it begins, or to a new one. It tells whether there was any, and wants
// streams.mu held.
func (ss *streams) assign() bool {
	start, end, ok := ss.gap()
	if longest := ss.longest(); !ok && longest != nil {
		start, end, ok = longest.pos+(longest.goal-longest.pos)/2, longest.goal, true
		longest.goal = start
	}
	if !ok {
		return false
	}
	s := ss.waitingAt(start)
	if s == nil {
		s = ss.begin(start, start, end, seekWindow)
	} else {
		s.goal = end
		s.broadcast()
	}
	if ss.crew.more() {
		ss.crew.join(s)
	}
	return true
}

// waitingAt returns the stream that has paused there, without a segment. It wants streams.mu held.
func (ss *streams) waitingAt(off int64) *stream {
	for _, s := range ss.running {
		if s.pos == off && s.goal == 0 && !s.stopped {
			return s
		}
	}
	return nil
}

// gap finds the first segment ahead of the reader that nobody brings. It wants
// streams.mu held.
func (ss *streams) gap() (start, end int64, ok bool) {
	horizon := min(ss.crew.front+ss.ahead, ss.size)
	for at := ss.crew.front; at < horizon; {
		start, end = ss.file.Missing(at, horizon-at)
		if start >= end {
			break
		}
		if s := ss.bringing(start); s != nil {
			at = s.goal
			continue
		}
		end = min(end, start+ss.segmentSize())
		for _, s := range ss.running {
			if s.working() && s.pos > start {
				end = min(end, s.pos)
			}
		}
		return start, end, true
	}
	return 0, 0, false
}

// bringing returns the stream in whose segment off is. It wants streams.mu
// held.
func (ss *streams) bringing(off int64) *stream {
	for _, s := range ss.running {
		if s.working() && s.pos <= off && off < s.goal {
			return s
		}
	}
	return nil
}

// longest returns the stream whose rest of a segment is worth being halved. It
// wants streams.mu held.
func (ss *streams) longest() (longest *stream) {
	least := 2 * max(leastSegment, ss.pace.skip())
	for _, s := range ss.running {
		if rest := s.goal - s.pos; s.working() && rest >= least {
			longest, least = s, rest
		}
	}
	return longest
}

// segmentSize is how much one stream should bring at a time: so much that its
// beginning costs little, but not so much that the reader has all it wants
// from one. It wants streams.mu held.
func (ss *streams) segmentSize() int64 {
	share := min(ss.ahead/2, ss.size-ss.crew.front) / int64(max(ss.crew.want, 1))
	return max(min(ss.pace.within(segmentTime), mostSegment, share), leastSegment)
}
