package ftpfs

import "time"

// While more transfers than before are on trial and come up to their speed, glances tell whether
// they only take from the others what they bring: the link is full, and the trial is over before
// they are much in each other's way. Where they bring all of it besides, the next trial begins at
// once.

const (
	leastGlance = 50 * time.Millisecond // or what a transfer takes to begin
	glances     = 3                     // in a row that say the same
	noticeable  = 0.05                  // a share of the rate before: what those on trial bring at least
	gain        = 2.0 / 3               // a share of what they bring, at least: the link bears it besides
	flat        = 1.05                  // times the rate at the glance before, at most: they have come up to their speed
	loss        = 1.0 / 3               // a share of that, at most: the others lack what they bring
)

// A glance is a short measurement. Its fields are guarded by streams.mu.
type glance struct {
	from         time.Time
	total, added int64   // bytes since, and those of them that streams on trial have brought
	before       float64 // the rate at the glance before, in bytes a second
	full         int     // glances in a row that said that the link is full; below 0, that it is not
}

// watch is told of n bytes that s has brought.
func (c *crew) watch(s *stream, n int) {
	c.total += int64(n)
	if s.trial == c.trial {
		c.added += int64(n)
	}
}

// more tells whether more transfers than before are on trial.
func (c *crew) more() bool { return c.had > 0 && c.had < c.want }

// look ends a glance when it is time. It may end the trial, or begin the next one, with at most so
// many transfers.
func (c *crew) look(now time.Time, opening time.Duration, most int) {
	took := now.Sub(c.from)
	if took < max(leastGlance, opening) {
		return
	}
	usual := c.rate * took.Seconds()
	added, more := float64(c.added)/usual, float64(c.total)/usual-1
	switch {
	case added >= noticeable && more <= loss*added:
		c.full = max(c.full, 0) + 1
	case added >= noticeable && more >= gain*added:
		c.full = min(c.full, 0) - 1
	default:
		c.full = 0
	}
	rate := float64(c.total) / took.Seconds()
	grows := rate > flat*c.before
	switch {
	case c.full >= glances:
		c.settle(c.had, now)
	case c.full <= -glances && !grows:
		c.had = 0
		c.decide(rate, now, most)
	default:
		c.glance = glance{from: now, full: c.full, before: rate}
	}
}

// conclude ends what was on trial when one transfer has turned out to be all that is of use: the
// others have never been fast, and the one that is will sooner have brought what they would go on
// with. It wants streams.mu held.
func (ss *streams) conclude(now time.Time) {
	if ss.crew.want > 1 {
		return
	}
	ss.pace.fills(now)
	for _, s := range ss.running {
		if s.trial == ss.crew.trial && s.waiters == 0 {
			s.stop()
		}
	}
}
