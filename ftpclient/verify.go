package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
)

// ErrMismatch: the server has stored other bytes than were sent.
var ErrMismatch = errors.New("the server has stored other bytes than were sent")

// check is the checksum of what a Writer sends, computed on the way.
type check struct {
	algorithm Algorithm
	sum       hash.Hash
}

// newCheck takes the best checksum that the server can compute, too.
func (cl *Client) newCheck() *check {
	a := SHA256
	if all := cl.Checksums(); len(all) > 0 {
		a = all[0]
	}
	return &check{a, a.New()}
}

func (k *check) add(p []byte) {
	if k != nil {
		k.sum.Write(p)
	}
}

// verify compares what the server has stored under the temporary name with what was sent.
// A server that does not compute checksums after all has to send the file back.
func (w *Writer) verify(ctx context.Context) error {
	if w.check == nil {
		return nil
	}
	stored, err := w.c.checksum(w.path, w.count, w.check.algorithm)
	if err != nil && w.c.err == nil {
		stored, err = w.readBack(ctx)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", lost(w.verb, w.path, err))
	}
	if sent := w.check.sum.Sum(nil); !bytes.Equal(stored, sent) {
		return fmt.Errorf("verify %s: %w: its %s is %x instead of %x", w.path, ErrMismatch, w.check.algorithm, stored, sent)
	}
	return nil
}

// readBack returns the checksum of what the server sends of the file.
func (w *Writer) readBack(ctx context.Context) ([]byte, error) {
	c := w.c
	t, err := c.retrieveTransfer(w.path, 0, -1)
	if err != nil {
		return nil, err
	}
	o, err := c.openFirm(ctx, t, &attempt{})
	if err != nil {
		return nil, err
	}
	sum, end := w.check.algorithm.New(), endEOF
	n, err := io.Copy(sum, io.LimitReader(&dataReader{c, o.nc}, w.count+1))
	tooLong := n > w.count
	if err != nil || tooLong {
		end = endEarly
	}
	c.setData(nil)
	last := make(chan verdict, 1)
	c.finish(o.nc, end, last)
	v := <-last
	switch {
	case err != nil:
		return nil, c.cause(err)
	case v.err != nil:
		return nil, v.err
	case !v.reply.ok() && !tooLong:
		return nil, refusal("RETR", w.path, v.reply)
	}
	return sum.Sum(nil), nil
}

// dataReader reads a data connection; the timeout is one of silence.
type dataReader struct {
	c  *conn
	nc net.Conn
}

func (r *dataReader) Read(p []byte) (int, error) {
	r.c.extend(r.nc)
	n, err := r.nc.Read(p)
	r.c.client.counters.bytesIn.Add(int64(n))
	return n, err
}
