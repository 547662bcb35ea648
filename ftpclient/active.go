package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// openActive lets the server connect to a new listening socket. In a mode that is
// proven everything leaves in one write.
func (c *conn) openActive(ctx context.Context, m Mode, t transfer, proven bool) (net.Conn, error) {
	switch {
	case !c.local.IsValid():
		return nil, &dataError{m, errors.New("the control connection has no IP address to listen on")}
	case m == ModePORT && !c.advertised().Is4():
		return nil, &dataError{m, errors.New("PORT cannot tell an IPv6 address")}
	}
	l, err := c.listenData(ctx)
	if err != nil {
		return nil, err // the mode is not to blame
	}
	defer func() {
		l.end(c.err != nil)
		if l.stranger.IsValid() {
			c.client.cfg.Logger.Warn("data connection from a stranger closed", "from", l.stranger.String())
		}
	}()
	if err := c.mayBegin(t); err != nil {
		return nil, err
	}
	port := portCommand(m, netip.AddrPortFrom(c.advertised(), uint16(l.Addr().(*net.TCPAddr).Port)))
	timeout := c.client.cfg.Timeout
	if !proven {
		timeout = min(timeout, detectTimeout)
	}
	var early net.Conn
	if proven && !c.client.server.connectsAtPort() && !c.client.server.inLockstep() {
		err = c.sendPort(m, port, t)
	} else {
		early, err = c.sendPortApart(m, port, &t, l)
	}
	if err != nil {
		return nil, err
	}
	nc, err := c.acceptTransfer(ctx, m, t, l, early, time.Now().Add(timeout))
	if err != nil && early != nil {
		early.Close()
	}
	return nc, err
}

// sendPort sends the address and the transfer's commands in one write and reads the
// reply to the first.
func (c *conn) sendPort(m Mode, port command, t transfer) error {
	if err := c.send(append([]command{port}, t.commands()...)...); err != nil {
		return err
	}
	r, err := c.receive()
	if err != nil {
		return err
	}
	if !r.ok() {
		// Whatever the transfer command does now, it does not do it with us.
		err := &dataError{m, refusal(port.verb, "", r)}
		c.fail(err)
		return err
	}
	return nil
}

// sendPortApart waits until the server has accepted the address, since some would use
// an older one or none. pyftpdlib connects before it replies and mixes up the order of
// replies if the transfer command comes meanwhile; its connection is returned. Now and
// then it forgets to connect, thus the short timeout.
func (c *conn) sendPortApart(m Mode, port command, t *transfer, l *dataListener) (net.Conn, error) {
	if err := c.send(port); err != nil {
		return nil, err
	}
	r, ce := c.receiveWithin(min(c.client.cfg.Timeout, detectTimeout))
	if ce != nil {
		return nil, unchanged(ce)
	}
	if !r.ok() {
		return nil, &dataError{m, refusal(port.verb, "", r)}
	}
	l.SetDeadline(time.Now().Add(earlyAccept))
	early, err := l.accept(c.peer)
	if err == nil {
		c.client.server.learnConnectsAtPort()
	}
	if err := c.sendTransfer(t); err != nil {
		if early != nil {
			early.Close()
		}
		return nil, err
	}
	return early, nil
}

// earlyAccept is enough to take a connection that is already there.
const earlyAccept = 2 * time.Millisecond

// acceptTransfer reads the replies to the transfer's commands and takes the server's
// connection, if early is not it.
func (c *conn) acceptTransfer(ctx context.Context, m Mode, t transfer, l *dataListener, early net.Conn, deadline time.Time) (net.Conn, error) {
	replies, err := c.activeReplies(m, t, time.Until(deadline))
	if err != nil {
		return nil, err
	}
	nc := early
	switch last := replies[len(replies)-1]; {
	case early != nil:
	case !last.preliminary():
		nc = noData{}
	default:
		if nc, err = c.acceptData(ctx, t, l, deadline); err != nil {
			// After the server's word that it gives up, both are in step.
			_, told := errors.AsType[*Error](err)
			err := &dataError{m, err}
			if !told {
				c.fail(err)
			}
			return nil, err
		}
	}
	switch {
	case c.encryptsData() && replies[len(replies)-1].preliminary():
		nc = c.protect(nc)
	case t.download && c.client.server.wantsFIN():
		closeWrite(nc)
	}
	return c.accepted(m, nc, t, replies)
}

// activeReplies reads the replies to the transfer's commands. A server that cannot
// connect may say nothing for long.
func (c *conn) activeReplies(m Mode, t transfer, timeout time.Duration) ([]reply, error) {
	var replies []reply
	for range len(t.before) + 1 {
		r, err := c.receiveWithin(timeout)
		if err != nil {
			if isTimeout(err) && c.cause(nil) == nil {
				return nil, &dataError{m, fmt.Errorf("the server does not connect: %w", err.err)}
			}
			err.safe = err.safe && len(replies) == 0
			return nil, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// noData stands for the data connection of a transfer that was refused before there
// was one.
type noData struct{ net.Conn }

func (noData) Close() error { return nil }

// advertised is the address that the server is told to connect to.
func (c *conn) advertised() netip.Addr {
	if a := c.client.cfg.ActiveAddress; a.IsValid() {
		return a.Unmap()
	}
	return c.local
}

// portCommand tells the server where to connect to: PORT (RFC 959) or EPRT (RFC 2428).
func portCommand(m Mode, at netip.AddrPort) command {
	addr, port := at.Addr(), at.Port()
	switch {
	case m == ModePORT:
		arg := strings.ReplaceAll(addr.String(), ".", ",")
		return command{"PORT", fmt.Sprintf("%s,%d,%d", arg, port>>8, port&0xff)}
	case addr.Is4():
		return command{"EPRT", fmt.Sprintf("|1|%s|%d|", addr, port)}
	}
	return command{"EPRT", fmt.Sprintf("|2|%s|%d|", addr.WithZone(""), port)}
}

// acceptData waits for the server's connection, until the deadline, the end of ctx, or
// a reply that says that none will come. Connections from other hosts are closed.
func (c *conn) acceptData(ctx context.Context, t transfer, l *dataListener, deadline time.Time) (net.Conn, error) {
	l.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { l.SetDeadline(longAgo) })
	defer stop()

	c.setDeadline(c.nc, deadline)
	watched := make(chan struct{})
	refused := false
	go func() {
		defer close(watched)
		// Only looked at: it is read when its turn comes.
		if b, err := c.br.Peek(1); err == nil && b[0] >= '4' {
			refused = true
			l.SetDeadline(longAgo)
		}
	}()
	nc, err := l.accept(c.peer)
	c.setDeadline(c.nc, longAgo)
	<-watched
	if err == nil {
		return nc, nil
	}
	if refused {
		if r, rerr := c.receive(); rerr == nil {
			return nil, refusal(t.cmd.verb, t.path, r)
		}
	}
	return nil, c.cause(err)
}
