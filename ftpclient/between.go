package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// LinkError says that two servers have not opened a data connection between them: one of them
// refuses foreign addresses, as most do by default, or cannot reach the other. Nothing has been
// transferred.
type LinkError struct {
	TargetListens error // when the source was to connect to the target
	SourceListens error // when the target was to connect to the source
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("no data connection between the servers: when the target listens, %v; when the source listens, %v",
		e.TargetListens, e.SourceListens)
}

func (e *LinkError) Unwrap() []error { return []error{e.TargetListens, e.SourceListens} }

// CopyTo lets the server send a file to another server, whose client is target, without the
// data coming here (RFC 959 section 2.3, Figure 2): one server listens, first the target unless
// the source is better at that, the other connects to it. The error is a *LinkError if they do not, else that of one of the
// servers. After an error a part of the file may be on the target.
//
// CopyTo blocks until both servers have confirmed the transfer. Since nothing tells how it
// goes, only ctx bounds it once it has begun: ask the target for the size meanwhile. target must not be
// the client itself. The data is in clear: both configurations are without TLS or have ClearData.
func (cl *Client) CopyTo(ctx context.Context, from string, target *Client, to string) error {
	if err := checkPath("RETR", from); err != nil {
		return err
	}
	if err := checkPath("STOR", to); err != nil {
		return err
	}
	for _, c := range []*Client{cl, target} {
		if c.cfg.TLS != TLSOff && !c.cfg.ClearData {
			return fmt.Errorf("RETR %s: data cannot be encrypted between servers: ClearData is not set", from)
		}
	}
	if err := cl.Connect(ctx); err != nil {
		return failed("RETR", from, err)
	}
	var refused LinkError
	sourceListens := cl.server.deafens()
	for range 2 {
		err := cl.copyTo(ctx, from, target, to, !sourceListens)
		if _, ok := errors.AsType[*linkError](err); !ok {
			return err
		}
		if sourceListens {
			refused.SourceListens = err
		} else {
			refused.TargetListens = err
		}
		sourceListens = !sourceListens
	}
	return &refused
}

// linkError: no data connection came about in one way.
type linkError struct{ err error }

func (e *linkError) Error() string { return e.err.Error() }
func (e *linkError) Unwrap() error { return e.err }

// part is one server's part in a copy.
type part struct {
	c *conn
	t transfer

	replied chan struct{} // closed after the first reply, or when there is none
	began   bool          // the server has said that the transfer begins
	reply   reply         // the last
	err     error         // there is none
}

func (cl *Client) copyTo(ctx context.Context, from string, target *Client, to string, targetListens bool) error {
	send, err := cl.takePart(ctx, "RETR", from)
	if err != nil {
		return err
	}
	defer send.c.bind(ctx)()
	receive, err := target.takePart(ctx, "STOR", to)
	if err != nil {
		return err
	}
	defer receive.c.bind(ctx)()

	listener, connector := receive, send
	if !targetListens {
		listener, connector = send, receive
	}
	at, err := listener.c.listenForAnother()
	if err == nil {
		err = connector.c.connectToAnother(at)
	}
	if err == nil {
		err = send.prepare()
	}
	if err == nil {
		err = receive.prepare()
	}
	if err != nil {
		return err
	}
	both := make(chan *part, 2)
	begin := func(p *part) { go func() { p.carryOut(); both <- p }() }
	begin(receive)
	if !target.server.bearsEarlyData() {
		// The data must not be there before the command. Most servers reply to it only when
		// they are connected, which cannot be waited for.
		select {
		case <-receive.replied:
		case <-time.After(receive.c.soon()):
		}
	}
	begin(send)
	first := <-both
	other := send
	if first == send {
		other = receive
	}
	if first.failure() != nil {
		// What the other waits for may never come.
		giveUp := time.AfterFunc(first.c.soon()+other.c.soon(), func() { other.c.interrupt(errOtherGaveUp) })
		defer giveUp.Stop()
	}
	<-both
	return worstOf(send, receive)
}

var errOtherGaveUp = errors.New("the other server has given up")

func (cl *Client) takePart(ctx context.Context, verb, path string) (*part, error) {
	c, err := cl.pool.get(ctx, useBulk)
	if err != nil {
		return nil, failed(verb, path, err)
	}
	c.dropSpare() // its server is about to listen again, or to connect
	return &part{c: c, replied: make(chan struct{}), t: transfer{cmd: command{verb: verb}, path: path}}, nil
}

// prepare finds out how the path is written in the command.
func (p *part) prepare() error {
	verb := p.t.cmd.verb
	if verb == "STOR" {
		if err := p.c.client.server.checkNew(verb, p.t.path); err != nil {
			return err
		}
	}
	arg, err := p.c.arg(verb, p.t.path)
	p.t.cmd.arg = arg
	return failed(verb, p.t.path, err)
}

// carryOut sends the command and waits for the final reply.
func (p *part) carryOut() {
	p.err = p.ask()
	close(p.replied)
	for p.err == nil && p.reply.preliminary() {
		p.began = true
		r, err := p.c.receiveWithin(unbounded)
		if p.reply = r; err != nil {
			p.err = err
		}
	}
}

// ask sends the command and reads the first reply.
func (p *part) ask() error {
	if err := p.c.send(p.t.cmd); err != nil {
		return err
	}
	r, err := p.c.receive()
	if err != nil {
		return err
	}
	p.reply = r
	return nil
}

// unbounded is how long a transfer may take of which nothing is seen.
const unbounded = 10_000 * time.Hour

// failure is why the part is not done, or nil.
func (p *part) failure() error {
	verb := p.t.cmd.verb
	switch {
	case p.err != nil && !p.began && isTimeout(p.err):
		return &linkError{failed(verb, p.t.path, p.err)}
	case p.err != nil:
		return failed(verb, p.t.path, p.err)
	case p.reply.code == 425:
		return &linkError{refusal(verb, p.t.path, p.reply)}
	case !p.reply.ok():
		return refusal(verb, p.t.path, p.reply)
	}
	return nil
}

// worstOf tells why the copy is not done, or nil. A refusal of a file counts most, since it makes
// the other server wait in vain; the lack of a connection between the servers counts more than
// the end of one.
func worstOf(parts ...*part) error {
	var worst error
	for _, p := range parts {
		if err := p.failure(); weight(err) > weight(worst) {
			worst = err
		}
	}
	return worst
}

func weight(err error) int {
	_, link := errors.AsType[*linkError](err)
	e, said := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return 0
	case link:
		return 3
	case said && e.Code != 426:
		return 4
	case said:
		return 2
	}
	return 1
}

// listenForAnother has the server listen for another one and returns where.
func (c *conn) listenForAnother() (netip.AddrPort, error) {
	modes := []Mode{ModePASV, ModeEPSV}
	if c.peer.Is6() {
		modes = modes[1:]
	}
	var refused error
	for _, m := range modes {
		if err := c.check(); err != nil {
			return netip.AddrPort{}, err
		}
		replies, err := c.exchange(passiveCommand(m))
		if err != nil {
			return netip.AddrPort{}, err
		}
		to, err := c.passiveAddr(m, replies[0])
		if err == nil {
			return c.publicAddr(to)
		}
		if !isDataError(err) {
			return netip.AddrPort{}, err
		}
		refused = errors.Join(refused, err)
	}
	return netip.AddrPort{}, &linkError{refused}
}

// publicAddr is where another server may connect to. Behind a proxy only the server itself
// knows its address.
func (c *conn) publicAddr(to passivePort) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(to.addr)
	if err == nil {
		return netip.AddrPortFrom(at.Addr().WithZone(""), at.Port()), nil
	}
	if believable(to.told, c.peer) {
		_, port, _ := net.SplitHostPort(to.addr)
		if at, err := netip.ParseAddrPort(net.JoinHostPort(to.told.String(), port)); err == nil {
			return at, nil
		}
	}
	return netip.AddrPort{}, &linkError{errors.New("the address of the server is not known behind a proxy")}
}

// connectToAnother has the server connect there for the next transfer.
func (c *conn) connectToAnother(at netip.AddrPort) error {
	if c.peer.IsValid() && c.peer.Is4() != at.Addr().Is4() {
		return &linkError{fmt.Errorf("one server is reached over IPv4, the other over IPv6")}
	}
	if err := c.check(); err != nil {
		return err
	}
	m := ModePORT
	if at.Addr().Is6() {
		m = ModeEPRT
	}
	k := portCommand(m, at)
	replies, err := c.exchange(k)
	if err != nil {
		return err
	}
	if !replies[0].ok() {
		return &linkError{refusal(k.verb, at.String(), replies[0])}
	}
	return nil
}
