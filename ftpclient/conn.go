package ftpclient

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	maxPath = 1900     // bytes of a path in a command: the shortest line that a server was seen to refuse is 2048 long
	window  = 2048     // most bytes of commands without a reply; proftpd tears commands apart from 4 KB on
	wide    = 16 << 10 // the same where many more were seen to be borne
)

// command is one line to be sent.
type command struct {
	verb string // "RETR", "SITE CHMOD"
	arg  string // encoded; "" none
}

func (k command) line() string {
	if k.arg == "" {
		return k.verb + "\r\n"
	}
	return k.verb + " " + k.arg + "\r\n"
}

// connError is the loss of a control connection, or a conversation that cannot be
// trusted any more.
type connError struct {
	err  error
	safe bool // the server has done nothing of what it was asked: it may be asked again
}

func (e *connError) Error() string { return e.err.Error() }
func (e *connError) Unwrap() error { return e.err }

// conn is one control connection. It is owned by one goroutine at a time: who got it
// from the pool, a settling goroutine, or the pool. Only interrupt and kill may be
// called by others.
type conn struct {
	client *Client
	id     int
	tcp    net.Conn // the socket
	nc     net.Conn // tcp, or TLS over it
	br     *bufio.Reader
	tls    *tls.Config   // for data connections; nil in clear
	peer   netip.Addr    // of the control connection; invalid where the network has no IP addresses
	local  netip.Addr    // ours
	rtt    time.Duration // as the TCP handshake took

	err     error // why it must not be used any more
	reused  bool  // has been idle since the login
	greeted bool  // banner has come
	banner  string
	facts   string    // goes before the next MLSD, as the argument of OPTS MLST; "" nothing
	spare   *dataDial // passive data connection for the next transfer
	chained Mode      // asked for the next one behind the command of the transfer under way; ModeAuto: not
	used    time.Time // last taken or given back by a caller
	spoke   time.Time // last reply

	mu          sync.Mutex
	interrupted error    // all deadlines have passed for good
	data        net.Conn // data connection in use
}

func newConn(cl *Client, nc net.Conn, rtt time.Duration) *conn {
	return &conn{
		client: cl,
		id:     int(cl.conns.Add(1)),
		tcp:    nc,
		nc:     nc,
		br:     bufio.NewReaderSize(nc, maxReplyLine),
		peer:   addrOf(nc.RemoteAddr()),
		local:  addrOf(nc.LocalAddr()),
		rtt:    rtt,
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// exchange sends commands in one write and reads their replies in order; where they
// exceed the window, the rest follows as replies come. Fewer replies than commands
// are returned only with an error, which is a *connError.
func (c *conn) exchange(cmds ...command) ([]reply, error) {
	replies := make([]reply, 0, len(cmds))
	var sizes []int
	sent, unanswered := 0, 0
	for len(replies) < len(cmds) {
		if window := c.client.server.window(); sent < len(cmds) && unanswered <= window/2 {
			var burst []byte
			for sent < len(cmds) {
				line := c.line(cmds[sent])
				if unanswered > 0 && unanswered+len(line) > window {
					break
				}
				burst = append(burst, line...)
				sizes = append(sizes, len(line))
				unanswered += len(line)
				sent++
			}
			if err := c.write(burst); err != nil {
				err.safe = err.safe && len(replies) == 0
				return replies, err
			}
		}
		r, err := c.receive()
		if err != nil {
			err.safe = err.safe && len(replies) == 0
			return replies, err
		}
		if r.preliminary() {
			return replies, c.fail(fmt.Errorf("%w: %d %s", errSurprise, r.code, r.shown()))
		}
		unanswered -= sizes[len(replies)]
		replies = append(replies, r)
	}
	return replies, nil
}

// send writes commands in one write, without waiting.
func (c *conn) send(cmds ...command) *connError {
	var burst []byte
	for _, k := range cmds {
		burst = append(burst, c.line(k)...)
	}
	return c.write(burst)
}

var errSurprise = errors.New("unexpected reply")

// line counts and traces a command.
func (c *conn) line(k command) string {
	line := k.line()
	c.client.counters.commands.Add(1)
	c.trace(true, line[:len(line)-2])
	return line
}

func (c *conn) write(burst []byte) *connError {
	if c.err != nil {
		return &connError{err: c.err, safe: true}
	}
	c.client.counters.roundTrips.Add(1)
	c.extend(c.nc)
	n, err := c.nc.Write(burst)
	if err != nil {
		ce := c.fail(err)
		ce.safe = n == 0
		return ce
	}
	return nil
}

// errHungUp is the end of the control connection where a reply was to come.
type errHungUp struct{}

func (errHungUp) Error() string { return "the server has closed the connection" }
func (errHungUp) Unwrap() error { return io.EOF }

// receive reads one reply. 421 means that the server closes the connection without
// having done what it answers.
func (c *conn) receive() (reply, *connError) {
	return c.receiveWithin(c.client.cfg.Timeout)
}

func (c *conn) receiveWithin(d time.Duration) (reply, *connError) {
	if c.err != nil {
		return reply{}, &connError{err: c.err}
	}
	c.setDeadline(c.nc, time.Now().Add(d))
	r, err := readReply(c.br, c.traceReceived)
	if errors.Is(err, io.EOF) {
		err = errHungUp{}
	}
	if err != nil {
		return reply{}, c.fail(err)
	}
	r.secrets = c.client.secrets
	c.spoke = time.Now()
	if r.code == 421 {
		ce := c.fail(refusal("", "", r))
		ce.safe = true
		return reply{}, ce
	}
	return r, nil
}

// fail marks the connection as unusable. The first reason stays; that of an
// interruption counts more than the deadline it looks like.
func (c *conn) fail(err error) *connError {
	c.mu.Lock()
	if c.interrupted != nil {
		err = c.interrupted
	}
	c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	return &connError{err: err}
}

// interrupt makes every read and write on the connection and its data connection fail
// with err, now and later.
func (c *conn) interrupt(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted != nil {
		return
	}
	c.interrupted = err
	c.tcp.SetDeadline(longAgo)
	if c.data != nil {
		c.data.SetDeadline(longAgo)
	}
}

var longAgo = time.Unix(1, 0)

// kill interrupts the connection and closes its sockets.
func (c *conn) kill(err error) {
	c.interrupt(err)
	c.tcp.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.data != nil {
		reset(c.data)
	}
}

// setData names the data connection that an interruption has to reach; nil none.
func (c *conn) setData(nc net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = nc
	if nc != nil && c.interrupted != nil {
		nc.SetDeadline(longAgo)
	}
}

// extend allows nc, the control or the data connection, another timeout of silence.
func (c *conn) extend(nc net.Conn) {
	c.setDeadline(nc, time.Now().Add(c.client.cfg.Timeout))
}

func (c *conn) setDeadline(nc net.Conn, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted == nil {
		nc.SetDeadline(t)
	}
}

// cause is the reason of an interruption, else err.
func (c *conn) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted != nil {
		return c.interrupted
	}
	return err
}

// alive tells, without waiting, whether an idle connection may be used: the server has
// neither closed it nor said anything unasked, such as a 421.
func (c *conn) alive() bool {
	return c.err == nil && !c.heard() && silent(c.tcp)
}

// heard tells whether something that nobody has asked for has been received. TLS may hold it
// where neither the buffer nor the kernel shows it.
func (c *conn) heard() bool {
	if c.br.Buffered() > 0 || c.tls == nil {
		return c.br.Buffered() > 0
	}
	c.setDeadline(c.nc, longAgo)
	_, err := c.br.Peek(1)
	return !isTimeout(err)
}

// close ends the connection. A connection in order says goodbye; nobody waits for the
// answer.
func (c *conn) close() {
	c.dropSpare()
	if c.err == nil {
		c.setDeadline(c.nc, time.Now().Add(time.Second))
		c.nc.Write([]byte(c.line(command{verb: "QUIT"})))
		c.nc.Close()
	}
	c.tcp.Close()
}

func (c *conn) trace(sent bool, line string) {
	if f := c.client.cfg.Trace; f != nil {
		f(TraceLine{Conn: c.id, Sent: sent, Line: masked(line)})
	}
}

// traceReceived returns the line as it may be shown.
func (c *conn) traceReceived(line string) string {
	line = c.client.secrets.hide(line)
	c.trace(false, line)
	return line
}
