package ftpclient

import (
	"slices"
	"time"
)

const (
	probeAfter   = 20 * time.Second // an idle connection is asked by NOOP whether it lives
	staleAfter   = 40 * time.Second // without any probe: the machine has slept, or this process has
	reapInterval = time.Second      // at most so often idle connections are looked at
)

// watchIdle makes sure that idle connections are looked after. mu is held.
func (p *pool) watchIdle() {
	if p.reaper == nil && len(p.idle) > 0 && !p.closed {
		p.reaper = time.AfterFunc(p.tick(), func() { p.client.spawn(p.reap) })
	}
}

func (p *pool) tick() time.Duration {
	return max(10*time.Millisecond, min(reapInterval, p.client.cfg.IdleTimeout/4))
}

// reap closes connections that have been idle for long, and takes those out that are
// to be probed.
func (p *pool) reap() {
	now := time.Now()
	var old, silent []*conn
	p.mu.Lock()
	p.reaper = nil
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		switch {
		case now.Sub(c.used) >= p.client.cfg.IdleTimeout || !c.alive() || c.forgotten(now):
			delete(p.conns, c)
			old = append(old, c)
		case now.Sub(c.spoke) >= probeAfter:
			silent = append(silent, c)
		default:
			return false
		}
		return true
	})
	p.watchIdle()
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
	for _, c := range silent {
		if !p.client.spawn(func() { c.probe(); p.put(c) }) {
			p.put(c)
		}
	}
}

// forgotten tells that nobody has looked after the connection for long, so that the server may
// have given it up without our having heard of it.
func (c *conn) forgotten(now time.Time) bool {
	// By the clock on the wall, which goes on while the machine sleeps. If it was set, also back,
	// nobody knows how long.
	return now.Round(0).Sub(c.spoke.Round(0)).Abs() > staleAfter
}

// probe asks whether the connection still works.
func (c *conn) probe() {
	if c.check() == nil {
		c.exchange(command{verb: "NOOP"})
	}
}
