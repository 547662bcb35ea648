package ftpclient

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// learnedFor is how long a limit told by the server is believed.
const learnedFor = time.Minute

// dial logs one more connection in.
func (p *pool) dial() {
	c, err := p.client.connect(p.client.ctx)
	p.mu.Lock()
	p.dialing--
	if err != nil {
		p.dialFailed(err)
		p.mu.Unlock()
		return
	}
	p.crowd = p.crowd && p.dialing > 0
	if p.closed {
		p.mu.Unlock()
		c.close()
		return
	}
	p.lastLogin = time.Now().Round(0) // by the clock on the wall: the machine may sleep; or that may be set
	p.pause = 0
	p.conns[c] = useShort
	p.idle = append(p.idle, c)
	c.used = time.Now()
	p.schedule()
	i := slices.Index(p.idle, c)
	if i < 0 {
		p.mu.Unlock()
		return
	}
	c.reused = true
	m := c.wantsSpare()
	if m != ModeAuto {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.watchIdle()
	p.mu.Unlock()
	if m != ModeAuto {
		c.prepare(m)
		if c.err != nil { // perhaps the server has no ports left
			p.mu.Lock()
			p.refused = true
			p.mu.Unlock()
		}
		p.put(c)
	}
}

// dialFailed decides who learns of it. As long as connections live, all who wait wait for
// those, and their number is the limit if the server has refused another; else all are told.
// mu is held.
func (p *pool) dialFailed(err error) {
	live := len(p.conns) + p.dialing
	if live > 0 && p.limits(err) {
		p.lower(live, err)
		return
	}
	p.backOff(err)
	if live == 0 && !p.mayStillCount(err) {
		p.refuse(len(p.waiters), err)
	}
	p.schedule()
}

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

// mayStillCount tells whether there may be too many connections only since the server has
// not yet noticed the end of one of ours: it is asked again some times. mu is held.
func (p *pool) mayStillCount(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind() == KindTooMany && !p.lastLogin.IsZero() && !p.down()
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

// refuse tells the first n waiters that there is no connection for them. mu is held.
func (p *pool) refuse(n int, err error) {
	for _, w := range p.waiters[:n] {
		w.ready <- lease{err: err}
	}
	p.waiters = slices.Delete(p.waiters, 0, n)
	p.contended = p.contended && len(p.waiters) > 0
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

// wantsReserve tells whether one more connection should be opened that nobody waits for
// yet: as long as others are in use, one after another, and not before it is known how it
// gets a spare data connection. mu is held.
func (p *pool) wantsReserve() bool {
	cfg := &p.client.cfg
	used, most := len(p.conns)-len(p.idle), min(p.limit, cfg.Reserve+1)
	if time.Since(p.expectedAt) < expectedFor {
		most = max(most, min(p.limit, p.expected))
	}
	return len(p.idle) < cfg.Reserve && used > 0 && len(p.conns) < most &&
		p.dialing == 0 && p.client.modes.get() != ModeAuto && p.pause == 0 && !p.refused && !p.closed
}

// expectedFor is how long Expect holds.
const expectedFor = time.Second

// Expect tells that so many transfers will be wanted in the next second. As long as connections
// are in use, others are then logged in one after another before they are waited for, until
// there is one for each of these transfers or Connections are reached: also the one that is not
// for transfers is of use, while the server still ends others. With Config.Reserve only. It does
// not block.
func (cl *Client) Expect(transfers int) {
	p := &cl.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected, p.expectedAt = transfers, time.Now()
	p.schedule()
}

// proven is told that a mode of data connections was found to work.
func (p *pool) proven() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schedule()
}

// trusted is how long a login that succeeded lets others be tried at the same time. They would
// all be refused if the password was changed meanwhile, and servers lock accounts for that.
const trusted = time.Minute

// mayDial tells whether one more dial may begin; if only the pause between failing dials
// forbids it, the waiters are scheduled again after it. mu is held.
func (p *pool) mayDial() bool {
	crowded := time.Since(p.lastLogin).Abs() > trusted || p.oneByOne || p.pause > 0 || p.client.server.isVsftpd()
	if p.dialing > 0 && crowded {
		return false
	}
	wait := time.Until(p.notBefore)
	if p.pause == 0 || wait <= 0 {
		return true
	}
	if p.retry == nil {
		p.retry = time.AfterFunc(wait, func() { p.client.spawn(p.dialAgain) })
	}
	return false
}

func (p *pool) dialAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retry = nil
	if !p.closed {
		p.schedule()
	}
}

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
	soon       = 250 * time.Millisecond // a dial that is due so soon is waited for
)

// backOff makes a server that is down or overloaded meet few dials, however many callers
// try again and again. A refused login has a pause of its own. mu is held.
func (p *pool) backOff(err error) {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind() == KindLogin {
		return
	}
	p.failure = err
	if time.Now().Before(p.notBefore) {
		return // begun together with the dial whose failure caused the pause
	}
	p.pause = min(max(2*p.pause, firstPause), maxPause)
	p.notBefore = time.Now().Add(p.pause - rand.N(p.pause/4)) // other mounts have failed at the same time
}

// down tells that there is nothing to wait for but the next dial, which is not due soon:
// until then the last failure is the answer to everybody, lest a program that goes
// through many files wait for each of them. mu is held.
func (p *pool) down() bool {
	return p.pause > 0 && len(p.conns)+p.dialing == 0 && time.Until(p.notBefore) > soon
}
