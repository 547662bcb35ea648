package ftpclient

import (
	"context"
	"errors"
	"time"
)

// Over a spare data connection an upload begins without the server's answer to its
// command. What has been sent is kept until then: if nothing was stored because the data
// connection was dead, or the server does not append, it is sent once more over another one.

// maxEarly bounds the data sent before the server's answer. A server that refuses may
// leave it unread: so much fits into the buffers of a connection.
const maxEarly = 64 << 10

// sendEarly sends as much as may leave before the server's answer. Where there is no more
// room it waits for the answer. It leaves its error in w.err.
func (w *Writer) sendEarly(piece []byte) int {
	piece = piece[:min(len(piece), maxEarly-len(w.early))]
	if len(piece) == 0 {
		w.confirm()
		return 0
	}
	w.early = append(w.early, piece...)
	w.c.setDeadline(w.nc, time.Now().Add(w.c.soon()))
	n, err := w.nc.Write(piece)
	if err == nil {
		return n
	}
	// The buffers are smaller, or the connection is broken: the answer tells.
	switch repeated := w.confirm(); {
	case repeated:
		return len(piece)
	case w.err == nil && !isTimeout(err):
		w.failed(err)
	}
	return n
}

// confirm waits for the server's answer and tells whether all was sent once more. It
// leaves its error in w.err.
func (w *Writer) confirm() (repeated bool) {
	if !w.begin() {
		w.err = w.errAborted()
		return false
	}
	err := w.readAnswer()
	if w.mayRepeat(err) || w.mayStore(err) {
		again := w.repeat(context.Background())
		if repeated = again == nil; !keepsFirst(again) {
			err = again
		}
	}
	if err == nil && w.resume() {
		return repeated
	}
	if err == nil {
		err = errAborted
	}
	w.err = lost(w.verb, w.path, err)
	w.dropData()
	w.finish()
	return false
}

// readAnswer reads the preliminary reply or the refusal in its place.
func (w *Writer) readAnswer() error {
	r, err := w.c.receive()
	switch {
	case err != nil:
		return err
	case r.refused():
		return refusal(w.verb, w.path, r)
	case !r.preliminary():
		return w.c.surprised(r)
	}
	w.answered()
	return nil
}

func (w *Writer) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unanswered = false
	if !w.hastened {
		w.early = nil
	}
}

// resume lets the writing go on after begin; false after Abort.
func (w *Writer) resume() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted {
		return false
	}
	w.state = stateWriting
	return true
}

// mayRepeat tells whether the server has answered that it has stored nothing, for no
// other reason than a connection that was dead.
func (w *Writer) mayRepeat(err error) bool {
	if err == nil || !w.unanswered {
		return false
	}
	if e, ok := errors.AsType[*Error](err); ok && w.c.err == nil {
		return e.Code == 425 || e.Code == 426
	}
	return w.c.mayRepeat(err, false)
}

// repeat begins once more, over a fresh data connection, and sends what has been sent.
func (w *Writer) repeat(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.dropData()
	if !w.giveBack(cancel) {
		return errAborted
	}
	c, o, err := w.client.openTransfer(ctx, useBulk, false, func(c *conn) (transfer, error) {
		c.dropSpare() // of another connection
		return c.uploadTransfer(w.verb, w.path, w.still)
	})
	if err != nil {
		return err
	}
	sent := w.early
	w.takeOver(c, o)
	defer c.watch(ctx)()
	c.extend(o.nc)
	if _, err := o.nc.Write(sent); err != nil {
		return w.broken(err)
	}
	return nil
}

// dropData ends the data connection by reset.
func (w *Writer) dropData() {
	reset(w.nc)
	if w.c != nil {
		w.c.setData(nil)
	}
}

// giveBack gives the connection back before another one is taken; false after Abort.
func (w *Writer) giveBack(cancel context.CancelCauseFunc) bool {
	w.mu.Lock()
	c := w.c
	w.c, w.cancel = nil, cancel
	aborted := w.aborted
	w.mu.Unlock()
	w.client.pool.put(c) // without a spare data connection, which would be dead, too
	return !aborted
}

func (w *Writer) takeOver(c *conn, o opened) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c, w.nc, w.unanswered, w.early = c, o.nc, false, nil
	if w.aborted {
		c.interrupt(errAborted)
	}
}

// keepsFirst tells whether a server refuses to store a file once more because it has begun to
// store it: that says nothing about the file.
func keepsFirst(err error) bool {
	e, refused := errors.AsType[*Error](err)
	return refused && (e.Code == 550 || e.Code == 553)
}
