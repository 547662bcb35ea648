package ftptest

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// relay is one data connection. The side that connects finds our listener, the other side is
// then connected to, and bytes and their end are passed on both ways.
type relay struct {
	e        *Embedded
	listener net.Listener
	target   string // address of the other side
	toClient bool   // the other side is the client: active mode
	private  bool   // the client's side is under TLS

	ready chan struct{} // closed when the other side has been tried
	armed chan struct{} // closed when the transfer's command has been seen
	ended chan struct{} // closed by abort

	mu      sync.Mutex
	isArmed bool
	over    bool
	err     error // of the connection to the other side
	conns   []*net.TCPConn
	upload  bool
	faults  []*rule // of the transfer
}

var dataFaults = []kind{cutData, endData, stallData, dripData}

func isTransfer(verb string) bool {
	return slices.Contains([]string{"RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"}, verb)
}

// newRelay listens on ip for one data connection.
func newRelay(e *Embedded, ip, target string, toClient, private bool) (*relay, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, err
	}
	r := &relay{
		e: e, listener: l, target: target, toClient: toClient, private: private,
		ready: make(chan struct{}), armed: make(chan struct{}), ended: make(chan struct{}),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		l.Close()
		return nil, errClosed
	}
	e.relays[r] = struct{}{}
	e.group.Go(r.run)
	return r, nil
}

func (r *relay) port() uint16 { return uint16(r.listener.Addr().(*net.TCPAddr).Port) }

// arm tells the relay which transfer it is for, so that the faults meant for it happen.
func (r *relay) arm(verb string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.upload = verb == "STOR" || verb == "APPE" || verb == "STOU"
	r.faults = nil
	for _, k := range dataFaults {
		if f := r.e.faults.take(k, verb, nil); f != nil {
			r.faults = append(r.faults, f)
		}
	}
	if !r.isArmed {
		r.isArmed = true
		close(r.armed)
	}
}

// connected waits for an active connection to reach the client and reports whether it did.
func (r *relay) connected(end <-chan struct{}) bool {
	select {
	case <-r.ready:
	case <-end:
	}
	return !r.failed()
}

// failed reports whether the connection to the other side has failed.
func (r *relay) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil
}

// abort resets both sides.
func (r *relay) abort() { r.finish(reset) }

// finish ends both sides, once.
func (r *relay) finish(end func(*net.TCPConn)) {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	r.over = true
	conns := r.conns
	r.mu.Unlock()
	close(r.ended)
	r.listener.Close()
	for _, c := range conns {
		end(c)
	}
}

func (r *relay) run() {
	defer func() {
		r.abort()
		r.e.mu.Lock()
		delete(r.e.relays, r)
		r.e.mu.Unlock()
	}()
	near, far := r.open()
	if far == nil {
		return
	}
	if r.toClient {
		near, far = far, near
	}
	client, server := socket{near, nil}, socket{far, nil}
	if r.private {
		client = r.e.secured(near)
	}
	var up sync.WaitGroup
	up.Go(func() {
		select { // a client may write before its STOR has been read
		case <-r.armed:
		case <-r.ended:
		}
		r.copy(server, client, true)
	})
	r.copy(client, server, false)
	up.Wait()
	r.finish(func(c *net.TCPConn) { c.Close() }) // what is on its way arrives
}

// open accepts the side that connects and connects to the other.
func (r *relay) open() (near, far *net.TCPConn) {
	defer close(r.ready)
	defer r.listener.Close()
	conn, err := r.listener.Accept()
	if err != nil {
		return nil, nil
	}
	if near = conn.(*net.TCPConn); !r.keep(near) {
		return nil, nil
	}
	conn, err = net.Dial("tcp", r.target)
	if err != nil {
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
		return nil, nil
	}
	if far = conn.(*net.TCPConn); !r.keep(far) {
		return nil, nil
	}
	return near, far
}

// keep puts a connection under the care of abort.
func (r *relay) keep(conn *net.TCPConn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		reset(conn)
		return false
	}
	r.conns = append(r.conns, conn)
	return true
}

// copy passes bytes from src to dst until src ends: its end is passed on, its reset resets.
func (r *relay) copy(dst, src socket, upload bool) {
	buf := make([]byte, 32<<10)
	var passed int64
	dripping := false
	for {
		n, err := src.Read(buf)
		for chunk := buf[:n]; len(chunk) > 0; {
			part, fault := r.next(chunk, passed, upload)
			if dripping {
				part, fault = chunk[:1], nil
				r.pause()
			}
			if _, err := dst.Write(part); err != nil {
				r.abort()
				return
			}
			passed += int64(len(part))
			chunk = chunk[len(part):]
			if fault != nil && fault.kind == dripData {
				dripping = true
				continue
			}
			if fault != nil && !r.happen(fault, dst, src) {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			dst.end()
			return
		}
		if err != nil {
			r.abort()
			return
		}
	}
}

// pause is the time between two bytes that drip.
func (r *relay) pause() {
	select {
	case <-time.After(DripPause):
	case <-r.ended:
	}
}

// next returns how much of chunk may pass before which fault happens.
func (r *relay) next(chunk []byte, passed int64, upload bool) ([]byte, *rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if upload != r.upload {
		return chunk, nil
	}
	first := -1
	for i, f := range r.faults {
		if passed+int64(len(chunk)) > f.bytes && (first < 0 || f.bytes < r.faults[first].bytes) {
			first = i
		}
	}
	if first < 0 {
		return chunk, nil
	}
	f := r.faults[first]
	r.faults = slices.Delete(r.faults, first, first+1)
	return chunk[:max(0, f.bytes-passed)], f
}

// happen does what the fault wants and reports whether the transfer goes on.
func (r *relay) happen(f *rule, dst, src socket) bool {
	switch f.kind {
	case stallData:
		f.hold.wait(r.ended)
		return true
	case endData:
		dst.CloseWrite()
		reset(src.TCPConn)
	default:
		r.abort()
	}
	return false
}
