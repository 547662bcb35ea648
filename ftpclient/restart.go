package ftpclient

import "errors"

// CanRestart tells whether a download can begin at an offset (REST), as far as it is known. Where
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
