package ftpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Client is a pool of connections to one server. All methods may be called from
// several goroutines at once.
type Client struct {
	cfg       Config
	secrets   secrets     // of cfg
	tlsConfig *tls.Config // cloned for each control connection
	server    serverInfo
	modes     modeMemory
	clock     serverClock
	login     loginGate
	pool      pool
	counters  counters
	transfers transfers
	conns     atomic.Int64 // numbers given to control connections
	ports     portQueue
	large     chan struct{} // holds a value while a large listing is read

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool           // no more goroutines
	wg     sync.WaitGroup // dials, settling, probes
}

// New checks the configuration and returns a client without connections; the first
// use opens them. Close must be called.
func New(cfg Config) (*Client, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	names, err := parseCharset(cfg.Charset)
	if err != nil {
		return nil, fmt.Errorf("ftp: %w", err)
	}
	cl := &Client{cfg: cfg, secrets: cfg.secrets(), tlsConfig: cfg.tlsConfig(), ports: newPortQueue(cfg.ActivePorts), large: make(chan struct{}, 1)}
	cl.server.names = names
	cl.ctx, cl.cancel = context.WithCancel(context.Background())
	cl.pool = pool{client: cl, limit: cfg.Connections, conns: map[*conn]use{}, freed: make(chan struct{}, 1)}
	return cl, nil
}

// Connect makes sure that a login works: it takes a connection from the pool, or
// opens one.
func (cl *Client) Connect(ctx context.Context) error {
	c, err := cl.pool.get(ctx, useShort)
	if err != nil {
		return err
	}
	cl.pool.put(c)
	return nil
}

// Contended tells whether someone waits for a connection and only the end of another use
// can help: all connections allowed by the limit are in use, or all that transfers may
// have. It is false while a login that serves the waiter is under way or about to be tried.
// Who holds a Reader or Writer that does nothing should end it then. It does not block.
func (cl *Client) Contended() bool {
	cl.pool.mu.Lock()
	defer cl.pool.mu.Unlock()
	return cl.pool.contended
}

// Idle returns the channel, always the same and never closed, that receives when a connection
// was given back that nobody waited for; once for several before that was received. Who
// works ahead on connections that nobody needs goes on then.
func (cl *Client) Idle() <-chan struct{} { return cl.pool.freed }

// Close ends all connections and transfers and waits for the client's goroutines.
// Open Readers and Writers fail with net.ErrClosed. Later calls do nothing.
func (cl *Client) Close() error {
	cl.mu.Lock()
	cl.closed = true
	cl.mu.Unlock()
	cl.cancel()
	cl.pool.close()
	cl.wg.Wait()
	return nil
}

// spawn runs f in a goroutine that Close waits for; false after Close.
func (cl *Client) spawn(f func()) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed {
		return false
	}
	cl.wg.Go(f)
	return true
}

// release gives a connection back after use. Before it becomes idle it gets a spare
// data connection, unless someone waits for it.
func (cl *Client) release(c *conn) {
	c.used = time.Now()
	m := c.wantsSpare()
	if m == ModeAuto || cl.pool.wanted() {
		cl.pool.put(c)
		return
	}
	if !cl.spawn(func() { c.prepare(m); cl.pool.put(c) }) {
		cl.pool.put(c)
	}
}

// maxAttempts bounds how often an operation is tried on another connection.
const maxAttempts = 4

// do runs f on a connection of the pool, until ctx ends. It is run again on another
// connection if the one used had been idle and turned out to be dead, provided that
// nothing can have been done (replay: asking again changes nothing).
func (cl *Client) do(ctx context.Context, u use, replay bool, f func(c *conn) error) error {
	for n := 1; ; n++ {
		c, err := cl.pool.get(ctx, u)
		if err != nil {
			return err
		}
		release := c.bind(ctx)
		err = f(c)
		again := n < maxAttempts && ctx.Err() == nil && c.mayRepeat(err, replay)
		suspect := c.foundDead(ctx, err)
		release()
		suspect()
		if !again {
			return err
		}
	}
}

// foundDead returns a function to be called when the connection has been given back: if
// err means that it had died while it was idle, the others that were idle at that time are
// not trusted any more.
func (c *conn) foundDead(ctx context.Context, err error) (suspect func()) {
	since, p := c.used, &c.client.pool
	if _, lost := errors.AsType[*connError](err); !lost || !c.reused || ctx.Err() != nil {
		return func() {}
	}
	return func() { p.purge(since) }
}

// bind lets the end of ctx interrupt the connection; the function returned ends this
// and gives the connection back.
func (c *conn) bind(ctx context.Context) (release func()) {
	unbind := c.watch(ctx)
	return func() {
		unbind()
		c.client.release(c)
	}
}

// watch is bind without giving back.
func (c *conn) watch(ctx context.Context) (unwatch func()) {
	stop := context.AfterFunc(ctx, func() { c.interrupt(context.Cause(ctx)) })
	return func() {
		if !stop() {
			c.fail(context.Cause(ctx))
		}
	}
}

// mayRepeat tells whether what failed with err may be tried on another connection.
func (c *conn) mayRepeat(err error, replay bool) bool {
	if isDataError(err) {
		return c.err != nil // a mode that works may be found there
	}
	ce, lost := errors.AsType[*connError](err)
	return lost && c.reused && (replay || ce.safe)
}

// failed names the operation in an error.
func failed(verb, path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Command != "" {
			return err
		}
		// A 421 that answers whatever was asked.
		return &Error{Command: verb, Path: path, Code: e.Code, Text: e.Text}
	}
	if path != "" {
		verb += " " + path
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// lost is failed for a command that changes something: where it may have been done,
// the error says so.
func lost(verb, path string, err error) error {
	if ce, ok := errors.AsType[*connError](err); ok && !ce.safe {
		return &LostError{Command: verb, Path: path, Err: ce.err}
	}
	return failed(verb, path, err)
}
