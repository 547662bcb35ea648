package ftpclient

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// ending says how the data of a download has ended.
type ending uint8

const (
	endEOF        ending = iota // the server has ended it
	endWhole                    // everything expected has come, perhaps not yet the end
	endEarly                    // nobody wants the rest
	endUnanswered               // an upload is given up whose preliminary reply has not been read
)

// verdict is the server's final word on a transfer.
type verdict struct {
	reply reply
	err   error // there was none: *connError
}

// settle ends a transfer in the background: data connection, final reply, the next
// spare data connection, return to the pool. The verdict is sent as soon as it is
// known, and always.
func (cl *Client) settle(c *conn, nc net.Conn, end ending) <-chan verdict {
	cl.pool.settling(c)
	v := make(chan verdict, 1)
	started := cl.spawn(func() {
		c.setData(nil)
		c.finish(nc, end, v)
		cl.release(c)
	})
	if !started {
		nc.Close()
		c.fail(net.ErrClosed)
		v <- verdict{err: net.ErrClosed}
		cl.pool.put(c)
	}
	return v
}

func (c *conn) finish(nc net.Conn, end ending, v chan<- verdict) {
	if end == endWhole && c.atEOF(nc) {
		end = endEOF
	}
	if end != endEOF {
		r, err := c.giveUp(nc, end)
		v <- verdict{r, err}
		return
	}
	nc.Close()
	atEnd := c.chain()
	r, err := c.receive()
	switch {
	case err != nil:
		v <- verdict{err: err}
	case r.preliminary():
		v <- verdict{err: c.surprised(r)}
	case atEnd && (r.isPassive() || r.refused()):
		v <- c.sortOut(r)
	case c.unordered(r):
		v <- verdict{err: c.surprised(r)}
	default:
		v <- verdict{reply: r}
		c.unchain()
	}
}

// sortOut returns the final reply to a transfer, where the one that came first may be that to the
// passive command sent at the end of its data: a server that does both at once may be sooner
// with that, or refuse it because the transfer has not ended for it.
func (c *conn) sortOut(first reply) verdict {
	second, err := c.receive()
	switch {
	case err != nil && first.refused():
		return verdict{reply: first}
	case err != nil:
		return verdict{err: err}
	case second.preliminary(), first.isPassive() && second.isPassive():
		return verdict{err: c.surprised(second)}
	case first.isPassive():
		c.takeChained(first)
		return verdict{reply: second}
	case second.ok() && !second.isPassive():
		c.chained = ModeAuto
		c.client.server.learnReluctant()
		return verdict{reply: second}
	}
	c.takeChained(second)
	return verdict{reply: first}
}

// chain asks for the next passive address, unless that was done: it comes together with the
// final reply. It tells whether it has asked.
func (c *conn) chain() bool {
	m := c.passiveMode()
	if c.chained != ModeAuto || m == ModeAuto || !c.client.server.takesPassiveAtEnd() || c.send(passiveCommand(m)) != nil {
		return false
	}
	c.chained = m
	return true
}

// unordered tells whether r, in the place of a final reply, answers chain: something answers
// before the transfer has ended, whose own verdict may still come.
func (c *conn) unordered(r reply) bool {
	if c.chained == ModeAuto || !r.isPassive() {
		return false
	}
	c.client.server.dontChain()
	return true
}

// atEOF waits for the end of data that is whole, if it is about to come.
func (c *conn) atEOF(nc net.Conn) bool {
	c.setDeadline(nc, time.Now().Add(c.soon()))
	n, err := nc.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
}

// soon is how long a reply that is on its way may take.
func (c *conn) soon() time.Duration { return c.rtt + 200*time.Millisecond }

// giveUp is endEarly; where the preliminary reply is still to come it is read first, and
// another reply in its place is the only one.
func (c *conn) giveUp(nc net.Conn, end ending) (reply, error) {
	if end == endUnanswered {
		reset(nc)
		r, err := c.receive()
		if err != nil {
			return r, err
		}
		if !r.preliminary() {
			return r, nil
		}
	}
	return c.endEarly(nc)
}

// endEarly resets the data connection and makes sure that no reply to the transfer is
// left over. Never by ABOR, which each server answers in another way.
//
// One reply follows the reset: 426 or the like, with pure-ftpd a second 150; or none,
// if the reset came early. A NOOP then shows whether the conversation is in step, as it does
// where another reply is due.
func (c *conn) endEarly(nc net.Conn) (reply, error) {
	reset(nc)
	if c.err != nil {
		return reply{}, &connError{err: c.err}
	}
	if c.chained == ModeAuto && c.replyComes(c.soon()) {
		r, err := c.receive()
		if err != nil {
			return reply{}, err
		}
		return r, nil
	}
	if err := c.send(command{verb: "NOOP"}); err != nil {
		return reply{}, err
	}
	var final reply
	defer func() { c.chained = ModeAuto }()
	for {
		r, err := c.receive()
		switch {
		case err != nil:
			return reply{}, err
		case c.chained != ModeAuto && r.isPassive():
			c.keepSpare(c.chained, r)
			c.chained = ModeAuto
		case r.code == 200 || r.ok() && isNoop(r):
			return final, nil
		case final.code == 0 && (r.preliminary() || r.ok() || endsTransfer(r.code)):
			final = r
		default:
			return reply{}, c.surprised(r)
		}
	}
}

// isNoop recognises answers to NOOP that are not 200.
func isNoop(r reply) bool { return strings.Contains(strings.ToUpper(r.text()), "NOOP") }

func endsTransfer(code int) bool {
	switch code {
	case 425, 426, 450, 451, 550, 551:
		return true
	}
	return false
}

// replyComes waits for the first byte of a reply.
func (c *conn) replyComes(within time.Duration) bool {
	c.setDeadline(c.nc, time.Now().Add(within))
	_, err := c.br.Peek(1)
	return err == nil || !isTimeout(err) || c.cause(nil) != nil
}

// reset closes a data connection with RST: a mere close would let the server send on
// into our receive buffer, and TLS or the kernel wait for it.
func reset(nc net.Conn) {
	if s, ok := nc.(*secureData); ok {
		nc = s.raw.Conn
	}
	if t, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		t.SetLinger(0)
	}
	nc.Close()
}

// prepare opens a spare data connection for the next transfer.
func (c *conn) prepare(m Mode) {
	if c.check() != nil {
		return
	}
	if replies, err := c.exchange(passiveCommand(m)); err == nil {
		c.keepSpare(m, replies[0])
	}
}

func (c *conn) keepSpare(m Mode, r reply) {
	to, err := c.passiveAddr(m, r)
	if err != nil {
		// What has worked so far does not any more, or the reply answers something else.
		c.client.modes.forget(m)
		c.fail(err)
		return
	}
	c.dialSpare(m, to)
}

// wantsSpare tells in which mode the connection should open a spare data connection;
// ModeAuto: none.
func (c *conn) wantsSpare() Mode {
	if c.err != nil || c.spare != nil {
		return ModeAuto
	}
	return c.passiveMode()
}

// passiveMode is the proven mode if it is passive and this connection can use it; else
// ModeAuto.
func (c *conn) passiveMode() Mode {
	return c.usable(c.client.modes.get())
}

// usable is m if it is passive and tells addresses such as the server's; else ModeAuto.
func (c *conn) usable(m Mode) Mode {
	if !m.passive() || m == ModePASV && c.peer.IsValid() && !c.peer.Is4() {
		return ModeAuto
	}
	return m
}
