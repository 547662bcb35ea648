package ftpfs

import (
	"context"
	"time"
)

// More transfers are on trial in two steps. At first one more is held back, by reading its
// connection slowly, and it is watched whether it only takes from the others what it brings: then
// the link is full, and nothing was lost by asking. Where the link bears it besides, many more
// come up to their speed, and are judged by what all bring together. On a link that is full these
// would harm: each packet that they push out makes a sender slower, many senders for long after
// the others have gone. So it takes longer to believe that it is not.

const (
	glance     = 50 * time.Millisecond  // for a short measurement, or what a transfer takes to begin
	glances    = 3                      // before it is said that the link is full
	sureAfter  = 800 * time.Millisecond // the least before it is said that it is not
	heldTo     = 0.15                   // a share of the rate before: what one that is held back brings
	noticeable = 0.05                   // a share of the rate before: what it has to bring until anything is said
	besides    = 2.0 / 3                // a share of what it brings, at least: the link bears it besides
	instead    = 1.0 / 3                // a share of that, at most: the others lack it
	heldFor    = time.Second            // at most, after it has come up to its speed; then what is likelier is said
	manyMore   = 4                      // times as many come then
)

// A probe is the first step of a trial. Its fields are guarded by streams.mu.
type probe struct {
	on    bool
	from  time.Time     // when the short measurement under way began
	known time.Duration // for how long the rate before was measured
	since time.Time     // when that began in which the one held back brought its first bytes; zero: none came yet
	total int64         // bytes since then
	added int64         // those of them that it has brought
}

// more tells whether more transfers than before are on trial.
func (c *crew) more() bool { return c.had > 0 && c.had < c.want }

// watch is told of n bytes that s has brought. It may end the trial, or begin its second step with
// at most so many transfers.
func (c *crew) watch(s *stream, n int, now time.Time, opening time.Duration, most int) {
	p := &c.probe
	p.total += int64(n)
	if s.trial == c.trial {
		p.added += int64(n)
	}
	least := max(glance, opening)
	if now.Sub(p.from) < least {
		return
	}
	switch {
	case p.added > 0 && p.since.IsZero():
		p.since = p.from
	case p.added == 0: // what there was before is known better
		was := c.rate * p.known.Seconds()
		p.known += now.Sub(p.from)
		c.rate = (was + float64(p.total)) / p.known.Seconds()
		p.total = 0
	}
	p.from = now
	took := now.Sub(p.since)
	late := !c.ready.IsZero() && now.After(c.ready.Add(heldFor)) // also when one takes part that had begun before
	if p.since.IsZero() && !late || took < glances*least {
		return
	}
	usual := c.rate * took.Seconds()
	added, more := float64(p.added), float64(p.total)-usual
	seen := added >= noticeable*usual // else the others may leave it no room
	switch {
	case seen && more <= instead*added, late && (!seen || more < added/2):
		c.settle(c.had, now)
	case seen && more >= besides*added && took >= sureAfter, late:
		p.on = false
		c.want, c.until, c.ready = min(manyMore*c.had, most), now.Add(trialPatience), time.Time{}
	}
}

// holdBack waits as long as s is early, and tells whether it was. Who begins to wait for s, and the
// end of the trial, end that, too, but for a glance.
func (ss *streams) holdBack(ctx context.Context, s *stream) (held bool) {
	for ctx.Err() == nil {
		wait := ss.early(s)
		if wait <= 0 {
			break
		}
		held = true
		select {
		case <-time.After(min(wait, glance)):
		case <-ctx.Done():
		}
	}
	return held
}

// join lets s take part in a trial.
func (c *crew) join(s *stream) { s.trial, s.from, s.since = c.trial, s.pos, time.Time{} }

// early is how long s should wait while it is held back.
func (ss *streams) early(s *stream) time.Duration {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	c := &ss.crew
	if !c.more() || !c.probe.on || s.trial != c.trial || s.waiters > 0 {
		return 0
	}
	return time.Duration(float64(s.pos-s.from)/(heldTo*c.rate)*float64(time.Second)) - time.Since(s.since)
}

// conclude ends what was on trial when one transfer has turned out to be all that is of use: the
// others have never been fast, and the one that is will sooner have brought what they would go on
// with. It wants streams.mu held.
func (ss *streams) conclude(now time.Time) {
	if ss.crew.want > 1 {
		return
	}
	ss.pace.fills(ss.crew.rate, now)
	for _, s := range ss.running {
		if s.trial == ss.crew.trial && s.waiters == 0 {
			s.stop()
		}
	}
}
