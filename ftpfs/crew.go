package ftpfs

import "time"

// One transfer does not always fill the link: the round trip is long, packets
// are lost, or the server slows each connection down. For a reader that goes
// on and on and waits for the link all the time, more of them are tried. As
// many stay as have raised the rate of all together; now and then it is tried
// whether fewer do as well.

const (
	sequential    = 512 << 10              // what one transfer brings in order before more are tried
	leastMeasure  = 400 * time.Millisecond // for a rate to be known
	trialPatience = 10 * time.Second       // for the transfers on trial to begin
	speedUp       = 4                      // times what a transfer takes to begin, until it has its full speed
	firstRest     = 30 * time.Second       // before the next trial, doubled after each
	longestRest   = 2 * time.Minute
	engagedFor    = 2 * time.Second  // after its last read a reader is believed to go on
	makeWay       = time.Second      // for how long none is added when others need the connections
	worthIt       = 8 * time.Second  // what a file has to take for a trial, by one transfer
	steady        = 1.15             // times the rate before, at most, or the other way round: a rate that stays
	steadyFor     = 3 * leastMeasure // before a trial
	helpful       = 1.25             // times the rate before, at least: those on trial stay
	sameRate      = 0.9              // a share of the rate that is no loss
	broken        = 0.6              // a share of the rate of the last trial, at most: that does not hold any more
)

// A crew is the transfers that work for one reader of a file. Its fields are
// guarded by streams.mu.
type crew struct {
	want  int       // how many there should be; below 2 there is no crew
	front int64     // where the reader is
	seen  time.Time // when it was there

	since   time.Time     // when the measurement began
	bytes   int64         // that have come since
	starved bool          // the reader has waited since
	paused  bool          // a stream has waited for the reader since
	last    float64       // what the last one has found, in bytes a second
	calm    time.Duration // for how long those have lasted that have found nearly the same, one after the other
	usual   float64       // their mean

	trial int       // the number of the latest
	had   int       // how many there were before the trial under way; 0: none is
	rate  float64   // theirs, in bytes a second
	until time.Time // those on trial have to begin by then
	ready time.Time // when they have come up to their speed; zero: not all have begun
	fewer bool      // the next trial is one with fewer
	next  time.Time // when it may begin
	free  time.Time // no more transfers before it: others need the connections
	rest  time.Duration
	probe probe
}

// follow is told of a read, and tells whether it is one that a crew works for.
func (c *crew) follow(off, end, ahead int64) bool {
	if c.seen.IsZero() || off < c.front-mostSkip || off > c.front+ahead {
		return false
	}
	c.front, c.seen = max(c.front, end), time.Now()
	return c.want > 1
}

// measure begins a measurement.
func (c *crew) measure(now time.Time) {
	c.since, c.bytes, c.starved, c.paused = now, 0, false, false
}

// settle ends a trial, and puts the next one off.
func (c *crew) settle(want int, now time.Time) {
	c.want, c.had = max(want, 1), 0
	c.rest = min(max(2*c.rest, firstRest), longestRest)
	c.next = now.Add(c.rest)
}

// decide judges the trial under way by the rate that was measured, or begins
// one, with at most so many transfers.
func (c *crew) decide(rate float64, now time.Time, most int) {
	switch want := max(c.want, 1); {
	case c.had > want: // fewer are on trial
		c.fewer = rate >= sameRate*c.rate
		if !c.fewer {
			want = c.had
		}
		c.settle(want, now)
	case c.had > 0 && rate < helpful*c.rate:
		c.settle(c.had, now)
	case c.had > 0: // less than half of what they might add: fewer may do
		c.fewer = rate < c.rate*(1+float64(want)/float64(c.had))/2
		c.had = 0
		c.decide(rate, now, most)
	case now.Before(c.next) && rate > broken*c.rate:
	case c.fewer && want > 1:
		c.begin(want/2, rate, now)
	case !c.fewer && want < most:
		c.begin(want+1, rate, now)
	default:
		c.fewer = !c.fewer
		c.settle(want, now)
	}
}

// found is told what a measurement has found, which took so long.
func (c *crew) found(rate float64, took time.Duration) {
	if rate > steady*c.last || c.last > steady*rate {
		c.calm, c.usual = 0, 0
	}
	c.calm += took
	c.usual += (rate - c.usual) * float64(took) / float64(c.calm)
	c.last = rate
}

// begin begins a trial of so many transfers.
func (c *crew) begin(want int, rate float64, now time.Time) {
	c.had, c.want, c.rate = max(c.want, 1), want, rate
	c.trial++
	c.until, c.ready = now.Add(trialPatience), time.Time{}
	c.probe = probe{on: c.more(), from: now, known: c.calm}
}

// tend is told of n bytes that s has brought. It wants streams.mu held.
func (ss *streams) tend(s *stream, n int, now time.Time) {
	if ss.parallel < 2 {
		return
	}
	c := &ss.crew
	c.bytes += int64(n)
	c.starved = c.starved || s.waiters > 0
	if c.more() {
		if c.probe.on {
			c.watch(s, n, now, ss.pace.begins(), ss.parallel)
		}
		defer ss.conclude(now)
	}
	least := max(leastMeasure, 2*ss.pace.begins())
	took := now.Sub(c.since)
	switch {
	case c.had > 0 && (!ss.atSpeed(now) || c.probe.on), took > 4*least: // before that nothing was asked for
		c.measure(now)
		ss.staff(now)
		return
	case took < least:
		return
	}
	rate := float64(c.bytes) / took.Seconds()
	ready := c.starved && !c.paused
	grows := rate > steady*c.last
	c.found(rate, took)
	c.measure(now)
	switch {
	case !ready:
	case c.had > 0 && !grows:
		c.decide(rate, now, ss.parallel)
	case c.had == 0 && c.calm >= steadyFor && (c.want > 1 || ss.deserves(s, rate) && ss.pace.bears(rate, now)):
		c.decide(c.usual, now, ss.parallel)
	}
	ss.staff(now)
}

// deserves tells whether a trial is worth it for the reader of s. It wants
// streams.mu held.
func (ss *streams) deserves(s *stream, rate float64) bool {
	rest := min(ss.size-s.pos, ss.ahead)
	return s.pos-s.start >= sequential && rest >= 2*leastSegment && float64(rest) >= rate*worthIt.Seconds()
}

// atSpeed tells whether all transfers on trial have begun, and have had the
// time in which new connections get faster. Too late is never: then the trial
// ends. It wants streams.mu held.
func (ss *streams) atSpeed(now time.Time) bool {
	c := &ss.crew
	if !c.ready.IsZero() {
		return now.After(c.ready)
	}
	n := 0
	for _, s := range ss.running {
		if s.working() && s.pos > s.start {
			n++
		}
	}
	if n >= c.want {
		c.ready = now.Add(speedUp * ss.pace.begins())
	} else if now.After(c.until) {
		c.settle(n, now)
	}
	return false
}

// engaged tells whether there is a reader to work for. It wants streams.mu
// held.
func (ss *streams) engaged(now time.Time) bool {
	if now.Sub(ss.crew.seen) < engagedFor {
		return true
	}
	for _, s := range ss.running {
		if s.waiters > 0 {
			return true
		}
	}
	return false
}
