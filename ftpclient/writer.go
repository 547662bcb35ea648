package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"time"
)

// Writer sends a file's content. It owns a connection until Close, Commit or Abort.
// Write, Close and Commit are for one goroutine; Abort may be called from any.
type Writer struct {
	client *Client
	verb   string
	path   string
	c      *conn
	nc     net.Conn
	count  int64 // bytes sent
	err    error // of all further calls

	mu    sync.Mutex
	state writerState
}

type writerState uint8

const (
	stateWriting writerState = iota
	stateEnding              // somebody waits for the final reply
	stateEnded               // the connection is somebody else's
)

// Store opens a file for writing, which the server truncates at once (STOR). It blocks
// until the server is ready or refuses; ctx ends only that. The caller owes Close,
// Commit or Abort.
func (cl *Client) Store(ctx context.Context, path string) (*Writer, error) {
	return cl.upload(ctx, "STOR", path)
}

// Append opens a file for writing at its end (APPE), otherwise like Store.
func (cl *Client) Append(ctx context.Context, path string) (*Writer, error) {
	return cl.upload(ctx, "APPE", path)
}

func (cl *Client) upload(ctx context.Context, verb, path string) (*Writer, error) {
	if err := checkPath(verb, path); err != nil {
		return nil, err
	}
	c, nc, err := cl.openTransfer(ctx, useBulk, false, func(c *conn) (transfer, error) {
		if err := cl.server.checkNew(verb, path); err != nil {
			return transfer{}, err
		}
		arg, err := c.arg(verb, path)
		return transfer{cmd: command{verb, arg}, path: path}, err
	})
	if err != nil {
		return nil, lost(verb, path, err)
	}
	return &Writer{client: cl, verb: verb, path: path, c: c, nc: nc}, nil
}

// Write sends p. A failure is the server's refusal (*Error) where it gives one, such as
// a full disk.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	written := 0
	for written < len(p) {
		// In pieces, so that the timeout is one of silence.
		piece := p[written:min(len(p), written+256<<10)]
		w.c.extend(w.nc)
		n, err := w.nc.Write(piece)
		written += n
		w.count += int64(n)
		w.client.counters.bytesOut.Add(int64(n))
		if err != nil {
			w.failed(err)
			return written, w.err
		}
	}
	return written, nil
}

// failed: the data connection broke. The server mostly says why.
func (w *Writer) failed(err error) {
	err = w.c.cause(err)
	w.err = failed(w.verb, w.path, err)
	if !w.begin() {
		w.err = w.errAborted()
		return
	}
	reset(w.nc)
	w.c.setData(nil)
	if w.c.replyComes(w.c.soon() + time.Second) {
		if r, rerr := w.c.receive(); rerr == nil && r.refused() {
			w.err = refusal(w.verb, w.path, r)
		}
	} else {
		w.c.fail(err)
	}
	w.finish()
}

// Close ends the file and returns the server's verdict: nil means that it has
// acknowledged every byte. Without a reply the error is a *LostError.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if !w.begin() {
		return w.errAborted()
	}
	defer w.finish()
	return w.complete()
}

// complete ends the data and reads the final reply.
func (w *Writer) complete() error {
	w.err = w.errClosed()
	closeErr := w.nc.Close()
	w.c.setData(nil)
	r, err := w.c.receive()
	switch {
	case err != nil:
		err.safe = false
		return lost(w.verb, w.path, err)
	case r.refused():
		return refusal(w.verb, w.path, r)
	case !r.ok():
		return failed(w.verb, w.path, w.c.surprised(r))
	case closeErr != nil:
		return failed(w.verb, w.path, closeErr)
	}
	return nil
}

// Abort ends the file by reset; whatever the server has of it stays. It does not wait
// and wakes a Write, Close or Commit that blocks. Nothing happens after their end.
func (w *Writer) Abort() {
	w.mu.Lock()
	state := w.state
	if state == stateEnding {
		w.c.interrupt(errAborted)
	}
	if state == stateWriting {
		w.state = stateEnded
	}
	w.mu.Unlock()
	if state == stateWriting {
		reset(w.nc)
		w.client.settle(w.c, w.nc, endEarly)
	}
}

var errAborted = errors.New("upload aborted")

func (w *Writer) errAborted() error { return fmt.Errorf("%s %s: %w", w.verb, w.path, errAborted) }
func (w *Writer) errClosed() error  { return fmt.Errorf("%s %s: %w", w.verb, w.path, fs.ErrClosed) }

// begin takes the control connection for the end of the upload; false after Abort.
func (w *Writer) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != stateWriting {
		return false
	}
	w.state = stateEnding
	return true
}

// finish gives the connection back.
func (w *Writer) finish() {
	w.mu.Lock()
	w.state = stateEnded
	w.mu.Unlock()
	w.client.pool.settling(w.c)
	w.client.release(w.c)
}
