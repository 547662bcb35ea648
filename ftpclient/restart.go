package ftpclient

import (
	"context"
	"errors"
	"io"
)

// CanRestart tells whether a download can begin at an offset (REST), as far as it is known: since
// Retrieve was asked for one, which finds it out where the server does not announce it. Where
// it cannot, Retrieve reads from the start and leaves out what comes before.
func (cl *Client) CanRestart() Capability { return cl.server.can(&cl.server.restarts) }

// refusesRestart tells whether err says that the server has no REST, which is remembered.
func (cl *Client) refusesRestart(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Command != "REST" || e.Code < 500 || e.Kind() != KindUnsupported || cl.CanRestart() == Yes {
		return false
	}
	cl.server.learn(&cl.server.restarts, No)
	return true
}

// enough is how many bytes too many tell that all are sent: so much does no file grow meanwhile.
const enough = 4096

// learnRestart finds out whether a server that does not announce REST begins where it agrees to:
// some send the whole file all the same. It asks for the last byte of a file of that size.
func (cl *Client) learnRestart(ctx context.Context, u use, path string, size int64) error {
	if size < 2 || cl.CanRestart() != Unknown {
		return nil
	}
	if err := cl.introduced(ctx); err != nil || cl.server.announced().has("REST") {
		return err
	}
	r := &Reader{client: cl, path: path, left: -1, closed: make(chan struct{})}
	if err := r.open(ctx, u, size-1); err != nil {
		if cl.refusesRestart(err) {
			return nil
		}
		return err
	}
	defer r.Close()
	buf := make([]byte, min(size, enough))
	switch n, err := io.ReadFull(r, buf); {
	case err == nil:
		cl.server.learn(&cl.server.restarts, No)
	case n == 1 && errors.Is(err, io.ErrUnexpectedEOF):
		cl.server.learn(&cl.server.restarts, Yes)
	}
	return nil
}

// leavesOut makes r one that reads from the start and leaves out the bytes before offset. It
// returns where the transfer begins.
func (r *Reader) leavesOut(offset int64) (begin int64) {
	r.before = offset
	if r.left >= 0 {
		r.left += offset
	}
	return 0
}

// leaveOut reads what comes before the offset.
func (r *Reader) leaveOut() error {
	if r.before == 0 {
		return nil
	}
	buf := make([]byte, min(r.before, 64<<10))
	for r.before > 0 {
		n, err := r.read(buf[:min(int64(len(buf)), r.before)])
		r.before -= int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
