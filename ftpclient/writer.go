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
	count  int64  // bytes sent
	early  []byte // all of them, as long as unanswered or hastened
	err    error  // of all further calls
	moving *Transfer
	check  *check       // of what is sent; nil none
	still  func() error // of StoreIf and AppendIf; else nil

	created  bool // of a file that is not there, so STOR and APPE are the same
	hastened bool // its end was

	// Changed under the lock; c, nc and unanswered only by the writing goroutine, which
	// reads them without it.
	mu         sync.Mutex
	c          *conn // nil while a second one is opened
	nc         net.Conn
	unanswered bool // the preliminary reply has not been read
	state      writerState
	aborted    bool
	cancel     context.CancelCauseFunc // of a second opening; nil none
}

type writerState uint8

const (
	stateWriting writerState = iota
	stateEnding              // the writing goroutine reads the control connection
	stateEnded               // the connection is somebody else's
)

// Store opens a file for writing, which the server truncates at once (STOR). It blocks
// until the server is ready or refuses; ctx ends only that. The caller owes Close, Commit
// or Abort.
//
// If a data connection is open already and the server is known to bear it, Store does not
// wait for the server's answer, nor do the first 64 KiB of data: a refusal is then the
// error of Write, Close or Commit.
func (cl *Client) Store(ctx context.Context, path string) (*Writer, error) {
	return cl.upload(ctx, "STOR", path, nil)
}

// StoreIf is Store for a path that may come to belong to another file while a connection is awaited:
// still is asked just before each command that opens the file. If it returns an error nothing is
// sent, and that is wrapped in the answer. It must not block.
func (cl *Client) StoreIf(ctx context.Context, path string, still func() error) (*Writer, error) {
	return cl.upload(ctx, "STOR", path, still)
}

// Append opens a file for writing at its end (APPE), otherwise like Store.
func (cl *Client) Append(ctx context.Context, path string) (*Writer, error) {
	return cl.upload(ctx, "APPE", path, nil)
}

// AppendIf is to Append what StoreIf is to Store.
func (cl *Client) AppendIf(ctx context.Context, path string, still func() error) (*Writer, error) {
	return cl.upload(ctx, "APPE", path, still)
}

func (cl *Client) upload(ctx context.Context, verb, path string, still func() error) (*Writer, error) {
	if err := checkPath(verb, path); err != nil {
		return nil, err
	}
	c, o, err := cl.openTransfer(ctx, useBulk, false, func(c *conn) (transfer, error) {
		return c.uploadTransfer(verb, path, still)
	})
	if err != nil {
		return nil, lost(verb, path, err)
	}
	w := &Writer{client: cl, verb: verb, path: path, still: still, c: c, nc: o.nc, unanswered: o.unanswered}
	w.moving = cl.transfers.begin(path, true, -1)
	if cl.cfg.Verify && verb == "STOR" {
		w.check = cl.newCheck()
	}
	return w, nil
}

func (c *conn) uploadTransfer(verb, path string, still func() error) (transfer, error) {
	server := &c.client.server
	if err := server.checkNew(verb, path); err != nil {
		return transfer{}, err
	}
	arg, err := c.arg(verb, path)
	return transfer{cmd: command{verb, arg}, path: path, eager: server.bearsEarlyData() && !c.encryptsData(), still: still}, err
}

// Write sends p. A failure is the server's refusal (*Error) where it gives one, such as
// a full disk.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) && w.err == nil {
		// In pieces, so that the timeout is one of silence.
		piece := p[written:min(len(p), written+256<<10)]
		send := w.send
		if w.unanswered {
			send = w.sendEarly
		}
		n := send(piece)
		w.check.add(piece[:n])
		written += n
		w.count += int64(n)
		w.client.counters.bytesOut.Add(int64(n))
		w.client.transfers.moved(w.moving, n)
	}
	return written, w.err
}

// send leaves its error in w.err.
func (w *Writer) send(piece []byte) int {
	w.c.extend(w.nc)
	n, err := w.nc.Write(piece)
	if err != nil {
		w.failed(err)
	}
	return n
}

// failed: the data connection broke. The server mostly says why.
func (w *Writer) failed(err error) {
	if !w.begin() {
		w.err = w.errAborted()
		return
	}
	w.err = failed(w.verb, w.path, w.broken(err))
	w.finish()
}

// broken returns the server's reason for the end of the data connection, else err.
func (w *Writer) broken(err error) error {
	err = w.c.cause(err)
	reset(w.nc)
	w.c.setData(nil)
	if !w.c.replyComes(w.c.soon() + time.Second) {
		w.c.fail(err)
		return err
	}
	if r, rerr := w.c.receive(); rerr == nil && r.refused() {
		e := refusal(w.verb, w.path, r)
		e.Late = !w.unanswered
		return e
	}
	return err
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
	return w.complete(context.Background())
}

// complete ends the file, until ctx ends.
func (w *Writer) complete(ctx context.Context) error {
	w.err = w.errClosed()
	err := w.end(ctx)
	if w.mayRepeat(err) || w.mayStore(err) || w.tooHasty(err) {
		switch again := w.repeat(ctx); {
		case again == nil:
			err = w.end(ctx)
		case !keepsFirst(again):
			err = again
		}
	}
	return lost(w.verb, w.path, err)
}

// end ends the data and reads the final reply.
func (w *Writer) end(ctx context.Context) error {
	defer w.c.watch(ctx)()
	closeErr := w.endData()
	r, err := w.c.receive()
	if err == nil && w.unanswered && r.preliminary() {
		w.answered()
		r, err = w.c.receive()
	}
	w.c.afterUpload(w.nc)
	w.c.setData(nil)
	switch {
	case err != nil:
		// 421 in place of the preliminary reply means that nothing was done.
		err.safe = err.safe && w.unanswered
		return err
	case w.c.unordered(r):
		return w.c.surprised(r)
	}
	w.c.unchain()
	switch {
	case r.refused():
		e := refusal(w.verb, w.path, r)
		e.Late = !w.unanswered
		return e
	case !r.ok():
		return w.c.surprised(r)
	}
	return closeErr
}

// Moved tells that the file is at path now, as a directory above it was renamed. It is for who
// writes.
func (w *Writer) Moved(path string) { w.path = path }

// Abort ends the file by reset; whatever the server has of it stays. It does not wait
// and wakes a Write, Close or Commit that blocks. Nothing happens after their end.
func (w *Writer) Abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.state {
	case stateEnding:
		w.aborted = true
		if w.c != nil {
			w.c.interrupt(errAborted)
		}
		if w.cancel != nil {
			w.cancel(errAborted)
		}
	case stateWriting:
		w.state = stateEnded
		end := endEarly
		if w.unanswered {
			end = endUnanswered
		}
		reset(w.nc)
		w.client.transfers.end(w.moving)
		w.client.settle(w.c, w.nc, end)
	}
}

var errAborted = errors.New("upload aborted")

func (w *Writer) errAborted() error { return fmt.Errorf("%s %s: %w", w.verb, w.path, errAborted) }
func (w *Writer) errClosed() error  { return fmt.Errorf("%s %s: %w", w.verb, w.path, fs.ErrClosed) }

// begin takes the control connection; false after Abort.
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
	w.client.transfers.end(w.moving)
	c := w.c
	w.mu.Unlock()
	if c != nil {
		w.client.pool.settling(c)
		w.client.release(c)
	}
}
