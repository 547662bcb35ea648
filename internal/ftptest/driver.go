package ftptest

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	ftpserver "github.com/fclairamb/ftpserverlib"
)

// driver tells ftpserverlib what it wants to know and keeps track of what it opens, so that
// the server can be ended and waited for.
type driver struct {
	opts     Options
	tree     *tree
	listener net.Listener

	handlers sync.WaitGroup // one for each control connection that ftpserverlib has in hand
	sessions atomic.Int32   // so many

	mu      sync.Mutex
	closed  bool
	passive map[*passiveListener]struct{}
}

var (
	errWrongPassword = errors.New("login incorrect")
	errNoTLS         = errors.New("no TLS here")
	errClosed        = errors.New("the server is closed")
)

func newDriver(opts Options) (*driver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &driver{opts: opts, tree: &tree{Fs: opts.Fs, clears: opts.Quirks.Clears}, listener: l, passive: make(map[*passiveListener]struct{})}, nil
}

// serve runs ftpserverlib until close.
func (d *driver) serve() error { return ftpserver.NewFtpServer(d).ListenAndServe() }

// close makes serve return and waits for the handlers, whose control connections have been
// closed. Waiting for a data connection that never comes ends, too.
func (d *driver) close() {
	d.listener.Close()
	d.mu.Lock()
	d.closed = true
	var open []*passiveListener
	for l := range d.passive {
		open = append(open, l)
	}
	d.mu.Unlock()
	for _, l := range open {
		l.Close()
	}
	d.handlers.Wait()
}

func (d *driver) GetSettings() (*ftpserver.Settings, error) {
	return &ftpserver.Settings{
		Listener:                trackingListener{d.listener, d},
		ActiveTransferPortNon20: true,
		DefaultTransferType:     ftpserver.TransferTypeASCII,
		EnableHASH:              d.opts.Checksums,
	}, nil
}

func (d *driver) ClientConnected(ftpserver.ClientContext) (string, error) {
	if d.opts.Quirks.Banner != "" {
		return d.opts.Quirks.Banner, nil
	}
	return "ftptest ready", nil
}

func (d *driver) ClientDisconnected(ftpserver.ClientContext) {}

func (d *driver) AuthUser(_ ftpserver.ClientContext, user, password string) (ftpserver.ClientDriver, error) {
	anonymous := d.opts.Anonymous && (user == "anonymous" || user == "ftp")
	if !anonymous && (user != d.opts.User || password != d.opts.Password) {
		return nil, errWrongPassword
	}
	return d.tree, nil
}

func (d *driver) GetTLSConfig() (*tls.Config, error) { return nil, errNoTLS }

// WrapPassiveListener registers each passive listener so that close can end it: ftpserverlib
// forgets those that a later PASV replaces.
func (d *driver) WrapPassiveListener(l net.Listener) (net.Listener, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		l.Close()
		return nil, errClosed
	}
	p := &passiveListener{Listener: l, driver: d}
	d.passive[p] = struct{}{}
	return p, nil
}

type passiveListener struct {
	net.Listener
	driver *driver
}

func (l *passiveListener) Close() error {
	l.driver.mu.Lock()
	delete(l.driver.passive, l)
	l.driver.mu.Unlock()
	return l.Listener.Close()
}

// trackingListener counts the accepted connections until ftpserverlib closes them, which is
// the last thing that it does with them.
type trackingListener struct {
	net.Listener
	driver *driver
}

func (l trackingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.driver.handlers.Add(1)
	l.driver.sessions.Add(1)
	return &trackedConn{Conn: conn, driver: l.driver}, nil
}

type trackedConn struct {
	net.Conn
	once   sync.Once
	driver *driver
}

func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.driver.sessions.Add(-1)
		c.driver.handlers.Done()
	})
	return err
}
