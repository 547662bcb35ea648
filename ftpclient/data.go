package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// transfer is one command that needs a data connection.
type transfer struct {
	before   []command // go in the same write: CWD, REST, OPTS
	cmd      command
	path     string
	download bool         // the data comes from the server
	whole    bool         // and will be read to its end, which is not far
	eager    bool         // over a spare data connection, data may leave before the server has answered
	still    func() error // asked just before it is sent; nil: nobody is
}

// opened is the data connection of a transfer that has begun.
type opened struct {
	nc         net.Conn
	spared     bool // was opened some time ago
	unanswered bool // the preliminary reply has not been read: an eager transfer
}

// commands are all that leave in one write.
func (t transfer) commands() []command {
	return append(t.before[:len(t.before):len(t.before)], t.cmd)
}

// refusal returns the error of the first command that was refused, or nil.
func (t transfer) refusal(replies []reply) error {
	for i, k := range t.commands() {
		if k.verb == "OPTS" {
			continue // whose answer does not matter
		}
		if i < len(replies) && replies[i].refused() {
			return refusal(k.verb, t.path, replies[i])
		}
	}
	return nil
}

// brokenOff is the refusal of a transfer that had begun.
func brokenOff(verb, path string, r reply) *Error {
	e := refusal(verb, path, r)
	e.Late = true
	return e
}

func refusal(verb, path string, r reply) *Error {
	return &Error{Command: verb, Path: path, Code: r.code, Text: r.shown()}
}

// open starts a transfer and returns its data connection once the server has given a
// preliminary reply, or at once if the transfer is eager and there is a spare data
// connection. The control connection then belongs to the transfer until settle.
//
// An error is the server's refusal (*Error), the loss of the control connection
// (*connError), or, when no data connection came about, a *dataError; with the latter
// the control connection is usable unless c.err is set.
func (c *conn) open(ctx context.Context, t transfer, a *attempt) (opened, error) {
	if m := c.client.modes.get(); c.spare != nil && c.spare.mode == m {
		if d := c.takeSpare(m); d != nil {
			o, err := c.openSpare(ctx, d, t)
			if !isDataError(err) {
				return o, err
			}
			if c.err != nil {
				c.client.modes.forget(m)
				return opened{}, err
			}
			// The spare data connection was dead; the control connection is in order.
		}
	}
	nc, err := c.openAnyhow(ctx, t, a)
	return c.begun(opened{nc: nc}, err)
}

func (c *conn) openSpare(ctx context.Context, d *dataDial, t transfer) (opened, error) {
	if err := c.launch(ctx, d, &t); err != nil {
		return opened{}, err
	}
	if t.eager {
		return c.begun(opened{nc: d.nc, spared: true, unanswered: true}, nil)
	}
	nc, err := c.answer(d, t)
	return c.begun(opened{nc: nc, spared: true}, err)
}

func (c *conn) begun(o opened, err error) (opened, error) {
	if err != nil {
		return opened{}, err
	}
	c.client.counters.transfers.Add(1)
	c.setData(o.nc)
	return o, nil
}

// openAnyhow opens a data connection in whatever mode works.
func (c *conn) openAnyhow(ctx context.Context, t transfer, a *attempt) (net.Conn, error) {
	modes := &c.client.modes
	if m := modes.get(); m != ModeAuto && !a.tried(m) {
		nc, err := c.openBy(ctx, m, t, true)
		de, failed := errors.AsType[*dataError](err)
		if !failed {
			return nc, err
		}
		modes.forget(m)
		a.failed = append(a.failed, de)
		if c.err != nil {
			return nil, err
		}
	}
	for _, m := range c.client.cfg.Mode.candidates(c.peer.Is6()) {
		if a.tried(m) {
			continue
		}
		nc, err := c.openBy(ctx, m, t, false)
		de, failed := errors.AsType[*dataError](err)
		if !failed {
			if err == nil && modes.set(m) != m {
				c.client.cfg.Logger.Info("data connections work", "mode", m.String(), "failed", a.reasons())
				c.client.pool.proven()
			}
			return nc, err
		}
		a.failed = append(a.failed, de)
		if c.err != nil {
			return nil, err
		}
	}
	return nil, a.err()
}

func isDataError(err error) bool {
	_, ok := errors.AsType[*dataError](err)
	return ok
}

// openBy opens a transfer in one mode. A mode that is proven may be trusted with the
// transfer command before the data connection exists.
func (c *conn) openBy(ctx context.Context, m Mode, t transfer, proven bool) (net.Conn, error) {
	if !m.passive() {
		c.dropSpare() // the server forgets it
		return c.openActive(ctx, m, t, proven)
	}
	d := c.takeSpare(m)
	if d == nil {
		to, err := c.askPassive(m)
		if err != nil {
			return nil, err
		}
		if proven {
			return c.start(ctx, c.dialData(m, to, c.client.cfg.Timeout), t)
		}
		d = c.dialData(m, to, min(c.client.cfg.Timeout, detectTimeout))
	}
	if err := c.await(ctx, d); err != nil {
		d.drop()
		return nil, err
	}
	return c.start(ctx, d, t)
}

const detectTimeout = 5 * time.Second

// start begins a transfer over a passive data connection that is open or being
// opened.
func (c *conn) start(ctx context.Context, d *dataDial, t transfer) (net.Conn, error) {
	if err := c.launch(ctx, d, &t); err != nil {
		return nil, err
	}
	return c.answer(d, t)
}

// launch sends the transfer commands and makes sure of the data connection. The servers that
// end a download at once when they have our FIN keep later commands in their queue: so the
// next passive address is asked for in the same write and comes with the final reply. What t
// has left are the commands without a reply.
func (c *conn) launch(ctx context.Context, d *dataDial, t *transfer) error {
	sendFIN := t.download && c.client.server.wantsFIN() && !c.encryptsData()
	ready := d.ready()
	if err := c.mayBegin(*t); err != nil {
		d.drop()
		return err
	}
	if err := c.sendBefore(t); err != nil {
		d.drop()
		return err
	}
	cmds := t.commands()
	if sendFIN && t.whole && c.client.server.chains() {
		cmds = append(cmds, passiveCommand(d.mode))
		c.chained = d.mode
	}
	if err := c.send(cmds...); err != nil {
		d.drop()
		return err
	}
	if !ready {
		if err := c.await(ctx, d); err != nil {
			// The server waits for a connection that never comes, some without end.
			d.drop()
			c.fail(err)
			return err
		}
	}
	if sendFIN {
		closeWrite(d.nc)
	}
	d.nc = c.protect(d.nc)
	return nil
}

// answer reads the replies to the transfer commands.
func (c *conn) answer(d *dataDial, t transfer) (net.Conn, error) {
	replies, err := c.startReplies(t, nil)
	if err != nil {
		d.drop()
		return nil, err
	}
	nc, err := c.accepted(d.mode, d.nc, t, replies)
	if err != nil {
		c.unchain()
	}
	return nc, err
}

// unchain reads where the server waits for the next data connection, if it was asked for
// behind the transfer command.
func (c *conn) unchain() {
	if c.chained == ModeAuto || c.err != nil {
		c.chained = ModeAuto
		return
	}
	if r, err := c.receive(); err == nil {
		c.takeChained(r)
	}
}

// takeChained is unchain when the reply has been read.
func (c *conn) takeChained(r reply) {
	m := c.chained
	c.chained = ModeAuto
	if c.keepSpare(m, r); c.err != nil {
		c.client.server.dontChain()
	}
}

// closeWrite ends our direction of a data connection that only the server writes to:
// vsftpd and proftpd send their final reply only after the client's FIN, which thus
// saves a round trip.
func closeWrite(nc net.Conn) {
	if w, ok := nc.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
}

// startReplies adds the replies to all commands of t, up to the preliminary one.
func (c *conn) startReplies(t transfer, replies []reply) ([]reply, error) {
	for range len(t.before) + 1 {
		r, err := c.receive()
		if err != nil {
			err.safe = err.safe && len(replies) == 0
			return nil, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

// accepted decides what the replies to a transfer's commands mean.
func (c *conn) accepted(m Mode, nc net.Conn, t transfer, replies []reply) (net.Conn, error) {
	last := replies[len(replies)-1]
	for _, r := range replies[:len(replies)-1] {
		if r.preliminary() {
			nc.Close()
			return nil, c.surprised(r)
		}
	}
	err := t.refusal(replies)
	switch {
	case last.preliminary() && err == nil:
		return c.secured(m, nc, t)
	case last.preliminary():
		// CWD or REST was refused, so this transfer is not what was asked for.
		c.endEarly(nc)
		return nil, err
	}
	nc.Close()
	switch {
	case err == nil:
		return nil, c.surprised(last)
	case last.code == 425 || last.code == 426:
		return nil, &dataError{m, err}
	}
	return nil, err
}

func (c *conn) surprised(r reply) error {
	return c.fail(fmt.Errorf("%w: %d %s", errSurprise, r.code, r.shown()))
}

// check refuses to start anything on a connection on which something unasked has
// arrived.
func (c *conn) check() error {
	switch {
	case c.err != nil:
		return &connError{err: c.err, safe: true}
	case c.heard():
		ce := c.fail(errSurprise)
		ce.safe = true
		return ce
	}
	return nil
}

// mayBegin is check for a transfer.
func (c *conn) mayBegin(t transfer) error {
	if err := c.check(); err != nil {
		return err
	}
	return t.wanted()
}

// wanted asks whether t is still wanted.
func (t transfer) wanted() error {
	if t.still == nil {
		return nil
	}
	return t.still()
}
