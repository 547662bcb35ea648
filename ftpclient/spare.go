package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// dataDial is a passive data connection that is being opened or is open.
type dataDial struct {
	mode   Mode
	cancel context.CancelFunc
	done   chan struct{} // closed when nc and err are set
	nc     net.Conn
	err    error

	mu      sync.Mutex
	dropped bool
}

// dialData opens a data connection in the background.
func (c *conn) dialData(m Mode, to passivePort, timeout time.Duration) *dataDial {
	cl := c.client
	ctx, cancel := context.WithTimeout(cl.ctx, timeout)
	d := &dataDial{mode: m, cancel: cancel, done: make(chan struct{})}
	started := cl.spawn(func() {
		defer cancel()
		defer close(d.done)
		nc, err := cl.cfg.Dial(ctx, "tcp", to.addr)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("connect to %s: %w", to.addr, os.ErrDeadlineExceeded)
		}
		if err != nil {
			err = to.explain(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.dropped && nc != nil {
			nc.Close()
		}
		d.nc, d.err = nc, err
	})
	if !started {
		cancel()
		d.err = net.ErrClosed
		close(d.done)
	}
	return d
}

// await waits for the data connection. Cancellation costs the control connection: the
// server has been told to expect a data connection.
func (c *conn) await(ctx context.Context, d *dataDial) error {
	select {
	case <-d.done:
	case <-ctx.Done():
		return c.fail(context.Cause(ctx))
	}
	if d.err != nil {
		if err := c.cause(nil); err != nil {
			return c.fail(err)
		}
		return &dataError{d.mode, d.err}
	}
	return nil
}

// drop closes the data connection, now or when it comes.
func (d *dataDial) drop() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.nc != nil && !d.dropped {
		d.nc.Close()
	}
	d.dropped = true
}

// ready tells whether the data connection is open.
func (d *dataDial) ready() bool {
	select {
	case <-d.done:
		return d.err == nil
	default:
		return false
	}
}

// dropSpare closes the spare data connection.
func (c *conn) dropSpare() {
	if c.spare != nil {
		c.spare.drop()
		c.spare = nil
	}
}

// dialSpare begins to open the spare data connection.
func (c *conn) dialSpare(m Mode, to passivePort) {
	c.dropSpare()
	c.spare = c.dialData(m, to, min(c.client.cfg.Timeout, detectTimeout))
}

// takeSpare returns the spare data connection if it is of this mode and open and silent,
// or still being opened; in a mode that is not proven also if it has failed.
func (c *conn) takeSpare(m Mode) *dataDial {
	d := c.spare
	c.spare = nil
	if d == nil {
		return nil
	}
	if d.mode != m {
		d.drop()
		return nil
	}
	select {
	case <-d.done:
	default:
		return d
	}
	if d.err != nil {
		if c.client.modes.get() != m {
			return d
		}
		c.client.modes.forget(m)
		return nil
	}
	if !silent(d.nc) {
		d.drop()
		return nil
	}
	return d
}
