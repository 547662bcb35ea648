package ftpclient

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// use says what a connection is wanted for.
type use uint8

const (
	useShort use = iota // commands without data
	useList             // a listing
	useBulk             // a file's content
	useExtra            // the same, but only of a connection that nobody else wants
)

// ErrBusy is the error of RetrieveExtra when there is no connection to spare.
var ErrBusy = errors.New("all connections are in use or may soon be")

// pool keeps the control connections: at most limit, handed out first come first
// served. One connection less than the limit may serve bulk transfers at a time, so
// that a listing never waits for them.
//
// Who finds no idle connection waits for one that is given back or dialled in the
// background, whichever comes first.
type pool struct {
	client *Client

	mu         sync.Mutex
	closed     bool
	limit      int           // now; less than configured after the server has complained
	limitUntil time.Time     // a lower limit is believed until then
	conns      map[*conn]use // all that are logged in, and what they are used for
	idle       []*conn       // longest idle first
	waiters    []*waiter     // longest waiting first
	dialing    int           // logins under way
	crowd      bool          // several dials have been under way at the same time
	oneByOne   bool          // no crowds: the server has refused somebody
	bulk       int           // connections in use for a bulk transfer
	lastLogin  time.Time     // that succeeded; if long ago, one is tried at a time
	refused    bool          // the server has refused a connection: none is opened in reserve
	expected   int           // transfers that will be wanted
	expectedAt time.Time     // when Expect was told so
	contended  bool          // someone waits who can only be served by a connection in use
	reaper     *time.Timer   // nil if no connection is idle
	pause      time.Duration // between dials, as long as they fail
	notBefore  time.Time     // the next dial
	failure    error         // of the last dial, while there is a pause
	retry      *time.Timer   // nil if nobody waits for that
	freed      chan struct{} // of Idle
}

// waiter is someone who waits for a connection.
type waiter struct {
	use   use
	ready chan lease // buffered
}

type lease struct {
	c   *conn
	err error
}

// get waits for a connection. The caller gives it back by put.
func (p *pool) get(ctx context.Context, u use) (*conn, error) {
	for {
		c, err := p.wait(ctx, u)
		if err != nil {
			return nil, err
		}
		if now := time.Now(); c.alive() && !c.forgotten(now) {
			c.used = now
			return c, nil
		}
		c.fail(errStale)
		p.put(c)
	}
}

var errStale = errors.New("connection closed by the server while idle")

func (p *pool) wait(ctx context.Context, u use) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	w := &waiter{use: u, ready: make(chan lease, 1)}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, net.ErrClosed
	}
	p.waiters = append(p.waiters, w)
	p.schedule()
	p.mu.Unlock()

	select {
	case l := <-w.ready:
		return l.c, l.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiters, w)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		p.schedule()
	}
	p.mu.Unlock()
	if i < 0 {
		// Served at the same moment: the connection goes to the next.
		if l := <-w.ready; l.c != nil {
			p.put(l.c)
		}
	}
	return nil, context.Cause(ctx)
}

// schedule serves whoever can be served and starts dials for the others. mu is held.
func (p *pool) schedule() {
	p.forgetLimit()
	unserved, held := 0, 0
	waiting := p.waiters[:0]
	for _, w := range p.waiters {
		if w.use == useExtra && p.holds(w) {
			w.ready <- lease{err: ErrBusy}
			continue
		}
		if p.holds(w) {
			held++
			waiting = append(waiting, w)
			continue
		}
		c := p.pick(w.use)
		if c == nil {
			unserved++
			waiting = append(waiting, w)
			continue
		}
		p.conns[c] = w.use
		if w.use == useBulk || w.use == useExtra {
			p.conns[c] = useBulk
			p.bulk++
		}
		w.ready <- lease{c: c}
	}
	clear(p.waiters[len(waiting):])
	p.waiters = waiting
	if p.down() {
		p.refuse(len(p.waiters), p.failure)
		return
	}

	for p.dialing < unserved && len(p.conns)+p.dialing < p.limit && p.mayDial() {
		p.dialing++
		p.crowd = p.crowd || p.dialing > 1
		if !p.client.spawn(p.dial) {
			p.dialing--
			break
		}
	}
	failing := p.pause > 0
	full := len(p.conns)+p.dialing >= p.limit
	if unserved > p.dialing && (full || failing) {
		unserved -= p.refuseExtra()
	}
	if p.wantsReserve() {
		p.dialing++
		if !p.client.spawn(p.dial) {
			p.dialing--
		}
	}
	p.contended = held > 0 || unserved > p.dialing && full || unserved > 0 && failing
}

// pick takes an idle connection: for a transfer best one whose spare data connection
// is open, for other commands best one without, and the one used last of those. mu is
// held.
func (p *pool) pick(u use) *conn {
	best, bestRank := -1, -1
	for i, c := range p.idle {
		rank := 0
		switch {
		case u == useShort && c.spare == nil:
			rank = 2
		case u == useShort:
		case c.spare != nil && c.spare.ready():
			rank = 2
		case c.spare != nil:
			rank = 1
		}
		if rank >= bestRank {
			best, bestRank = i, rank
		}
	}
	if best < 0 {
		return nil
	}
	c := p.idle[best]
	p.idle = slices.Delete(p.idle, best, best+1)
	return c
}

// settling tells that the connection's bulk transfer is over; it comes back soon.
func (p *pool) settling(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endBulk(c)
	p.schedule()
}

func (p *pool) endBulk(c *conn) {
	if p.conns[c] == useBulk {
		p.conns[c] = useShort
		p.bulk--
	}
}

// put takes a connection back, for good if it is not usable any more.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	p.endBulk(c)
	if p.closed {
		c.fail(net.ErrClosed)
	}
	if err := c.cause(nil); err != nil {
		c.fail(err) // interrupted when all replies had been read
	}
	dead := c.err != nil
	if dead {
		delete(p.conns, c)
	} else {
		c.reused = true
		p.idle = append(p.idle, c)
	}
	p.schedule()
	p.watchIdle()
	p.tellIdle()
	p.mu.Unlock()
	if dead {
		c.close()
	}
}

// tellIdle lets Idle receive if there is an idle connection. mu is held.
func (p *pool) tellIdle() {
	if len(p.idle) == 0 {
		return
	}
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// wanted tells whether someone waits for a connection.
func (p *pool) wanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiters) > 0
}

// purge closes the idle connections that have given no sign of life since then: one like
// them was found dead in use.
func (p *pool) purge(since time.Time) {
	var dead []*conn
	p.mu.Lock()
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		if c.spoke.After(since) {
			return false
		}
		delete(p.conns, c)
		dead = append(dead, c)
		return true
	})
	p.schedule()
	p.mu.Unlock()
	for _, c := range dead {
		c.close()
	}
}

func (p *pool) counts() (open, idle, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLimit()
	return len(p.conns) + p.dialing, len(p.idle), p.limit
}

// close ends all connections, also those in use, and refuses all waiters.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for _, c := range idle {
		delete(p.conns, c)
	}
	for c := range p.conns {
		c.kill(net.ErrClosed)
	}
	for _, w := range p.waiters {
		w.ready <- lease{err: net.ErrClosed}
	}
	p.waiters = nil
	for _, t := range []*time.Timer{p.reaper, p.retry} {
		if t != nil {
			t.Stop()
		}
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
