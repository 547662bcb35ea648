package ftptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/spf13/afero"
)

// Options says how an embedded server shall be; the zero value serves an empty file system in
// memory to the user "user" with the password "secret".
type Options struct {
	Fs             afero.Fs // what is served; nil = a new one in memory
	Upstream       string   // host:port, on loopback, of another server to stand before, in the place of ftpserverlib; it checks User and Password, and Fs is what it serves
	User, Password string   // "" = "user", "secret"
	Anonymous      bool     // "anonymous" and "ftp" may log in, too, with any password
	Checksums      bool     // XSHA256 and the like
	IPv6           bool     // listen on ::1 instead of 127.0.0.1
	TLS            bool     // AUTH TLS; logins in clear stay possible
	Quirks         Quirks
}

// Quirks are lasting differences between servers.
type Quirks struct {
	Banner  string   // text of the greeting
	Unknown []string // verbs answered "500 Unknown command" and absent from FEAT
	Hidden  []string // verbs absent from FEAT, whether they work or not
	Clears  bool     // RMD and RNTO remove a directory with all that is in it
}

// Embedded is a running embedded server. Its methods may be called from any goroutine.
type Embedded struct {
	opts     Options
	driver   *driver
	upstream string // address of the server that we stand before
	port     *reservedPort
	log      Log
	faults   faults
	tls      *tls.Config // nil: AUTH is not known

	group sync.WaitGroup // all goroutines; Close waits for them

	mu       sync.Mutex
	closed   bool
	listener net.Listener // nil while down
	lastConn int
	conns    map[*control]struct{}
	relays   map[*relay]struct{}
}

// New starts an embedded server and returns when it listens. The caller closes it.
func New(opts Options) (*Embedded, error) {
	if opts.Fs == nil {
		opts.Fs = afero.NewMemMapFs()
	}
	if opts.User == "" {
		opts.User = "user"
	}
	if opts.Password == "" {
		opts.Password = "secret"
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if opts.IPv6 {
		ip = netip.IPv6Loopback()
	}
	port, err := reservePort(ip)
	if err != nil {
		return nil, err
	}
	d, err := newDriver(opts)
	if err != nil {
		port.release()
		return nil, err
	}
	e := &Embedded{
		opts: opts, driver: d, port: port, upstream: opts.Upstream,
		conns: make(map[*control]struct{}), relays: make(map[*relay]struct{}),
	}
	if opts.TLS {
		if e.tls, err = tlsConfig(); err != nil {
			d.listener.Close()
			port.release()
			return nil, err
		}
	}
	if e.upstream == "" {
		e.upstream = d.listener.Addr().String()
	}
	if err := e.Up(); err != nil {
		d.listener.Close()
		port.release()
		return nil, fmt.Errorf("start the embedded server: %w", err)
	}
	e.group.Go(func() { d.serve() }) // returns, with no error worth telling, when its listener is closed
	return e, nil
}

// Start is New for tests: it fails the test when the server cannot be started, and closes it
// by t.Cleanup.
func Start(t testing.TB, opts Options) *Embedded {
	t.Helper()
	e, err := New(opts)
	if err != nil {
		t.Fatalf("ftptest: %v", err)
	}
	t.Cleanup(e.Close)
	return e
}

// Addr returns the server's host:port.
func (e *Embedded) Addr() string { return e.port.addr.String() }

// Fs returns what is served, without the checks that clients are subject to.
func (e *Embedded) Fs() afero.Fs { return e.opts.Fs }

// Log returns the record of all control connections.
func (e *Embedded) Log() *Log { return &e.log }

// Connected returns how many control connections there have been so far, also of those refused.
func (e *Embedded) Connected() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lastConn
}

// Connections returns the number of open control connections.
func (e *Embedded) Connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

// Sessions returns the number of sessions of which something may still happen on the server, also
// of clients that have gone. Those of Options.Upstream have to be asked of that.
func (e *Embedded) Sessions() int {
	return e.Connections() + int(e.driver.sessions.Load())
}

// Say sends reply, that nobody asked for, on all control connections.
func (e *Embedded) Say(reply string) {
	for _, c := range e.controls() {
		c.deliver(&delivery{lines: []string{reply}})
	}
}

// DropAll resets all control and data connections. New ones are accepted.
func (e *Embedded) DropAll() {
	for _, c := range e.controls() {
		c.reset()
	}
	e.mu.Lock()
	var open []*relay
	for r := range e.relays {
		open = append(open, r)
	}
	e.mu.Unlock()
	for _, r := range open {
		r.abort()
	}
}

// Down resets all connections and refuses new ones, as a server does that has been killed.
func (e *Embedded) Down() {
	e.mu.Lock()
	l := e.listener
	e.listener = nil
	e.mu.Unlock()
	if l != nil {
		l.Close()
	}
	e.DropAll()
}

// Up accepts connections again, on the same port, after Down.
func (e *Embedded) Up() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errClosed
	}
	if e.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", e.Addr())
	if err != nil {
		return err
	}
	e.listener = l
	e.group.Go(func() { e.accept(l) })
	return nil
}

// Close ends the server and all its connections and waits for its goroutines.
func (e *Embedded) Close() {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.closed = true
	e.mu.Unlock()
	e.Down()
	e.driver.close()
	e.group.Wait()
	e.port.release()
}

func (e *Embedded) controls() []*control {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*control
	for c := range e.conns {
		all = append(all, c)
	}
	return all
}

func (e *Embedded) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a client that was gone before it was accepted
		}
		e.welcome(l, conn.(*net.TCPConn))
	}
}

// welcome takes a control connection in, unless l has been closed meanwhile.
func (e *Embedded) welcome(l net.Listener, conn *net.TCPConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listener != l {
		reset(conn)
		return
	}
	e.lastConn++
	if e.faults.exceeded(len(e.conns)+1, Unheard) {
		conn.Close()
		return
	}
	c := newControl(e, e.lastConn, conn)
	e.conns[c] = struct{}{}
	tooMany := e.faults.exceeded(len(e.conns), AtGreeting)
	e.group.Go(func() { c.run(tooMany) })
}

func (e *Embedded) forget(c *control) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}

// reset ends a connection by RST.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}
