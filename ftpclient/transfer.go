package ftpclient

import (
	"context"
	"errors"
	"strconv"
	"syscall"
)

// openTransfer starts a transfer on a connection of the pool, which from then on
// belongs to it. replay: it may be started again although the server may have begun.
// transfer is made for the connection: it may have to go to a directory first.
func (cl *Client) openTransfer(ctx context.Context, u use, replay bool, transfer func(c *conn) (transfer, error)) (*conn, opened, error) {
	var a attempt
	for n := 1; ; n++ {
		c, err := cl.pool.get(ctx, u)
		if err != nil {
			return nil, opened{}, err
		}
		unwatch := c.watch(ctx)
		var o opened
		t, err := transfer(c)
		if err == nil {
			o, err = c.openFirm(ctx, t, &a)
		} else {
			err = unchanged(err)
		}
		unwatch()
		if err == nil && c.err != nil {
			err = &connError{err: c.err} // ctx has ended meanwhile
			o.nc.Close()
			c.setData(nil)
		}
		if err == nil {
			return c, o, nil
		}
		again := n < maxAttempts && ctx.Err() == nil && c.mayRepeat(err, replay)
		if isDataError(err) && !a.left(cl.cfg.Mode.candidates(c.peer.Is6())) {
			again = false
		}
		suspect := c.foundDead(ctx, err)
		cl.release(c)
		suspect()
		if !again {
			return nil, opened{}, err
		}
	}
}

// openFirm is open; a download over a spare data connection that turns out to be dead
// is started again over a fresh one.
func (c *conn) openFirm(ctx context.Context, t transfer, a *attempt) (opened, error) {
	o, err := c.open(ctx, t, a)
	if err != nil || !o.spared || !t.download || c.encryptsData() { // a handshake proves that it lives
		return o, err
	}
	c.extend(o.nc)
	if err := awaitData(o.nc); !errors.Is(err, syscall.ECONNRESET) {
		return o, nil
	}
	if _, err := c.endEarly(o.nc); err != nil {
		return opened{}, err
	}
	return c.open(ctx, t, a)
}

// maxChained is the size of files of which the rest is not worth a reset.
const maxChained = 64 << 10

// retrieveTransfer is RETR, with REST directly before it, since some servers forget
// an offset otherwise.
func (c *conn) retrieveTransfer(p string, offset, length int64) (transfer, error) {
	arg, err := c.arg("RETR", p)
	t := transfer{cmd: command{"RETR", arg}, path: p, download: true, whole: length >= 0 && length <= maxChained}
	if offset > 0 {
		t.before = []command{{"REST", strconv.FormatInt(offset, 10)}}
	}
	return t, err
}
