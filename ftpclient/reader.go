package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"sync"
)

// Reader is the content of a remote file from an offset on. It owns a connection
// until all expected bytes have come, an error, or Close. Read is for one goroutine at
// a time; Close may be called from any.
type Reader struct {
	client *Client
	path   string
	c      *conn
	nc     net.Conn
	moving *Transfer
	before int64 // bytes to be left out
	left   int64 // bytes until the known size; -1 unknown
	err    error // of all further Reads

	closed  chan struct{}
	mu      sync.Mutex
	done    bool // the connection has been handed to settle, or there was none
	isClose bool
}

// Retrieve opens a file for reading from offset on (RETR, REST: RFC 959, RFC 3659
// section 5). size is the size of the whole file as far as it is known, -1 if not. It
// blocks until the server has begun to send or refuses; ctx ends only that: the
// Reader is ended by Close, which the caller owes. Nothing is asked if offset is
// beyond 0 and not below size. On servers without REST all before offset is received, too: see
// CanRestart.
func (cl *Client) Retrieve(ctx context.Context, path string, offset, size int64) (*Reader, error) {
	return cl.retrieve(ctx, useBulk, path, offset, size)
}

// RetrieveExtra is Retrieve for a transfer that others can do without: one more part of a
// file that is being read. It waits for no connection that is in use, and leaves one for
// the next transfer besides the one that transfers never get; else it is ErrBusy at once.
func (cl *Client) RetrieveExtra(ctx context.Context, path string, offset, size int64) (*Reader, error) {
	return cl.retrieve(ctx, useExtra, path, offset, size)
}

func (cl *Client) retrieve(ctx context.Context, u use, path string, offset, size int64) (*Reader, error) {
	if err := checkPath("RETR", path); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, &Error{Command: "REST", Path: path, Text: fmt.Sprintf("illegal offset %d", offset)}
	}
	r := &Reader{client: cl, path: path, left: -1, closed: make(chan struct{})}
	if size >= 0 {
		r.left = max(0, size-offset)
	}
	if offset > 0 && r.left == 0 {
		r.done, r.err = true, io.EOF
		return r, nil
	}
	if offset > 0 {
		if err := cl.learnRestart(ctx, u, path, size); err != nil {
			return nil, failed("RETR", path, err)
		}
		if cl.CanRestart() == No {
			offset = r.leavesOut(offset)
		}
	}
	err := r.open(ctx, u, offset)
	if cl.refusesRestart(err) {
		offset = r.leavesOut(offset)
		err = r.open(ctx, u, offset)
	}
	if err != nil {
		return nil, failed("RETR", path, err)
	}
	if offset > 0 && cl.CanRestart() == Unknown && cl.server.announced().has("REST") {
		cl.server.learn(&cl.server.restarts, Yes)
	}
	return r, nil
}

// open begins the transfer.
func (r *Reader) open(ctx context.Context, u use, offset int64) error {
	c, o, err := r.client.openTransfer(ctx, u, true, func(c *conn) (transfer, error) {
		return c.retrieveTransfer(r.path, offset, r.left)
	})
	if err != nil {
		return err
	}
	r.c, r.nc = c, o.nc
	r.moving = r.client.transfers.begin(r.path, false, r.left)
	return nil
}

// Read reads what has come, or waits for at most the timeout. io.EOF means that the
// file is whole: the expected bytes have come, or the server has said so. An
// incomplete file is an error: the server's (*Error) where it gives one.
func (r *Reader) Read(p []byte) (int, error) {
	if err := r.leaveOut(); err != nil {
		return 0, err
	}
	return r.read(p)
}

func (r *Reader) read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left >= 0 && int64(len(p)) > r.left {
		p = p[:r.left]
	}
	if r.left == 0 {
		r.whole()
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	r.c.extend(r.nc)
	n, err := r.nc.Read(p)
	r.client.counters.bytesIn.Add(int64(n))
	r.client.transfers.moved(r.moving, n)
	if r.left > 0 {
		r.left -= int64(n)
	}
	switch {
	case r.left == 0:
		r.whole()
	case errors.Is(err, io.EOF):
		r.ended()
	case err != nil:
		r.failed(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// whole: all expected bytes have come. The connection goes on without us.
func (r *Reader) whole() {
	if r.take(false) {
		r.client.settle(r.c, r.nc, endWhole)
	}
	r.err = io.EOF
}

// ended: the server has ended the data; its final reply tells whether that is all.
func (r *Reader) ended() {
	if !r.take(false) {
		r.err = r.errClosed()
		return
	}
	select {
	case v := <-r.client.settle(r.c, r.nc, endEOF):
		switch {
		case v.err != nil:
			r.err = failed("RETR", r.path, v.err)
		case !v.reply.ok():
			r.err = brokenOff("RETR", r.path, v.reply)
		default:
			r.err = io.EOF
		}
	case <-r.closed:
		r.err = r.errClosed()
	}
}

// failed: the data connection broke. If the server says why, that is the error.
func (r *Reader) failed(err error) {
	err = r.c.cause(err)
	if !r.take(false) {
		r.err = r.errClosed()
		return
	}
	if isTimeout(err) || errors.Is(err, net.ErrClosed) {
		// The control connection will not be better.
		r.c.fail(err)
	}
	r.err = failed("RETR", r.path, err)
	select {
	case v := <-r.client.settle(r.c, r.nc, endEarly):
		if v.err == nil && v.reply.refused() {
			r.err = brokenOff("RETR", r.path, v.reply)
		}
	case <-r.closed:
		r.err = r.errClosed()
	}
}

// Close ends the reading, also a Read that blocks, and does not wait for the network:
// what the server still sends is stopped in the background. It always returns nil.
func (r *Reader) Close() error {
	if r.take(true) {
		reset(r.nc)
		r.client.settle(r.c, r.nc, endEarly)
	}
	return nil
}

// take tells whether the caller is the one to hand the connection to settle.
func (r *Reader) take(closing bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if closing && !r.isClose {
		r.isClose = true
		close(r.closed)
	}
	taken := r.done
	r.done = true
	r.client.transfers.end(r.moving)
	return !taken
}

func (r *Reader) errClosed() error { return fmt.Errorf("read %s: %w", r.path, fs.ErrClosed) }
