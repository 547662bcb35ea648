package ftpclient

import (
	"errors"
	"slices"
	"time"
)

// learnedFor is how long a limit told by the server is believed.
const learnedFor = time.Minute

// limits tells whether the failure of one more connection means that there are enough. mu is
// held.
func (p *pool) limits(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		// The same user is logged in, so a refused login means the same.
		return e.Code == 421 || e.Kind() == KindTooMany || e.Kind() == KindLogin
	}
	_, unheard := errors.AsType[errChoked](err)
	return unheard && len(p.conns) > 0
}

// holds tells whether w has to wait because bulk transfers have what they may have. mu is
// held.
func (p *pool) holds(w *waiter) bool {
	switch w.use {
	case useBulk:
		return p.bulk >= max(1, p.limit-1)
	case useExtra: // and one for whoever comes next
		return p.bulk >= p.limit-2
	}
	return false
}

// refuseExtra tells those who do not want to wait for others that they would have to, and
// returns how many they were. mu is held.
func (p *pool) refuseExtra() (n int) {
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		if w.use != useExtra {
			return false
		}
		w.ready <- lease{err: ErrBusy}
		n++
		return true
	})
	return n
}

// lower takes the number of connections that live as the limit. If several were tried
// at once they may have stood in each other's way: one more is tried alone.
func (p *pool) lower(live int, err error) {
	limit := max(1, live)
	if p.dialing == 0 {
		if p.crowd {
			limit++
			p.pause, p.notBefore = firstPause, time.Now().Add(firstPause) // the server may still count them
		}
		p.crowd = false
	}
	if limit < p.limit {
		p.client.cfg.Logger.Info("the server limits connections", "connections", limit, "reply", err.Error())
		p.limit = limit
	}
	p.oneByOne, p.refused = true, true
	p.limitUntil = time.Now().Add(learnedFor)
	p.schedule()
}

// forgetLimit goes back to the configured limit after a while. mu is held.
func (p *pool) forgetLimit() {
	if p.client.alone() {
		p.limit = 1
		p.shed()
		return
	}
	if p.limit < p.client.cfg.Connections && time.Now().After(p.limitUntil) {
		p.limit, p.oneByOne = p.client.cfg.Connections, false
	}
}

// alone tells whether there must be one connection only, since the server would make others
// deaf.
func (cl *Client) alone() bool {
	m := cl.modes.get()
	if m == ModeAuto {
		m = cl.cfg.Mode
	}
	return (m == ModePORT || m == ModeEPRT || m == ModeActive) && cl.server.deafens()
}

// shed closes idle connections beyond the limit. mu is held.
func (p *pool) shed() {
	for len(p.conns) > p.limit && len(p.idle) > 0 {
		c := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		delete(p.conns, c)
		if !p.client.spawn(c.close) {
			c.close()
		}
	}
}
