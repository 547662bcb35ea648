package ftpclient

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

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

// mayStillCount tells whether there may be too many connections only since the server has
// not yet noticed the end of one of ours: it is asked again some times. mu is held.
func (p *pool) mayStillCount(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind() == KindTooMany && !p.lastLogin.IsZero() && !p.down()
}

// refuse tells the first n waiters that there is no connection for them. mu is held.
func (p *pool) refuse(n int, err error) {
	for _, w := range p.waiters[:n] {
		w.ready <- lease{err: err}
	}
	p.waiters = slices.Delete(p.waiters, 0, n)
	p.contended = p.contended && len(p.waiters) > 0
}

// trusted is how long a login that succeeded lets others be tried at the same time. They would
// all be refused if the password was changed meanwhile, and servers lock accounts for that.
const trusted = time.Minute

// mayDial tells whether one more dial may begin; if only the pause between failing dials
// forbids it, the waiters are scheduled again after it. mu is held.
func (p *pool) mayDial() bool {
	// The listener of vsftpd crashes now and then when it refuses clients, the more the faster they come.
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
