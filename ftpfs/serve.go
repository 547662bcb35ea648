package ftpfs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"bazil.org/fuse"
)

// grace is how long a signal leaves a waiting request alone, unless it is the end of who
// waits. At once would break programs with interval timers, whose system calls would never end.
const grace = 1500 * time.Millisecond

// A server answers the kernel's requests: in the reader what memory and the
// local disk can answer, in goroutines what may wait for the network. It is
// registered which of these are at work before the next request is read, so
// that no interrupt is lost.
type server struct {
	conn    *fuse.Conn
	device  *device
	fs      *FS
	log     *slog.Logger
	base    context.Context // ends when the mount is given up
	readers *readers
	wg      sync.WaitGroup // requests at work
	grace   time.Duration

	mu    sync.Mutex
	calls map[fuse.RequestID]*call
}

func newServer(conn *fuse.Conn, f *FS, base context.Context) *server {
	s := &server{conn: conn, device: newDevice(conn), fs: f, log: f.log, base: base, grace: grace, calls: make(map[fuse.RequestID]*call)}
	s.readers = newReaders(s.next)
	return s
}

// A call is a request at work.
type call struct {
	pid    uint32 // of the thread that waits; 0 = unknown
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer // runs since an interrupt; guarded by server.mu
}

// loop serves until the file system is unmounted, and returns why it ended.
func (s *server) loop() error {
	defer s.device.Close()
	defer s.wg.Wait()
	err := s.readers.run()
	s.fs.leave()
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// next reads one request.
func (s *server) next() error {
	req, err := s.conn.ReadRequest()
	switch {
	case err == nil:
		err := s.guard(func() error {
			if s.fs.opts.TraceFUSE {
				s.log.Debug("fuse", "request", req)
			}
			if !s.hold(req) {
				s.dispatch(req)
			}
			return nil
		})
		if err != nil {
			s.fail(req, err)
		}
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EAGAIN):
		// The request went away while it was read.
	default:
		return err
	}
	return nil
}

// begin registers a request. It ends with finish.
func (s *server) begin(of *fuse.Header, limit time.Duration) *call {
	c := &call{pid: of.Pid}
	if limit > 0 {
		c.ctx, c.cancel = context.WithTimeout(s.base, limit)
	} else {
		c.ctx, c.cancel = context.WithCancel(s.base)
	}
	s.mu.Lock()
	s.calls[of.ID] = c
	s.mu.Unlock()
	return c
}

func (s *server) finish(id fuse.RequestID, c *call) {
	s.mu.Lock()
	delete(s.calls, id)
	if c.timer != nil {
		c.timer.Stop()
	}
	s.mu.Unlock()
	c.cancel()
}

// interrupt is the kernel's word that a signal came for the caller.
func (s *server) interrupt(id fuse.RequestID) {
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	switch {
	case c == nil:
		return
	case dying(c.pid):
		c.cancel()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[id] == c && c.timer == nil {
		c.timer = time.AfterFunc(s.grace, c.cancel)
	}
}

// ask runs f in a goroutine, for requests that change nothing. f answers the
// request itself unless it returns an error. Its context ends some time after
// an interrupt, and at the deadline.
func (s *server) ask(req fuse.Request, f func(ctx context.Context) error) {
	id := req.Hdr().ID
	c := s.begin(req.Hdr(), s.fs.opts.Patience)
	s.wg.Go(func() {
		defer s.finish(id, c)
		if err := s.guard(func() error { return f(c.ctx) }); err != nil {
			s.fail(req, err)
		}
	})
}

// A change's context has that of its caller, for what it waits for before it
// has begun.
type callerKey struct{}

// waiting returns the context that ends when the caller is gone.
func waiting(ctx context.Context) context.Context {
	if caller, ok := ctx.Value(callerKey{}).(context.Context); ok {
		return caller
	}
	return ctx
}

// change runs f in a goroutine, for requests that change something. What has
// begun is carried to its end: an interrupt only frees the caller, and late is
// called when the change succeeded after that. What has not, f gives up when
// waiting(ctx) ends. f must not touch the request; it returns what answers it.
func (s *server) change(req fuse.Request, f func(ctx context.Context) (answer func(), err error), late func()) {
	type result struct {
		answer func()
		err    error
	}
	id := req.Hdr().ID
	c := s.begin(req.Hdr(), 0)
	done := make(chan result, 1)
	s.wg.Go(func() {
		var r result
		r.err = s.guard(func() (err error) {
			r.answer, err = f(context.WithValue(s.base, callerKey{}, c.ctx))
			return err
		})
		done <- r
	})
	s.wg.Go(func() {
		defer s.finish(id, c)
		select {
		case r := <-done:
			if r.err != nil {
				s.fail(req, r.err)
				return
			}
			if err := s.guard(func() error { r.answer(); return nil }); err != nil {
				s.fail(req, err)
			}
		case <-c.ctx.Done():
			req.RespondError(syscall.EINTR)
			if r := <-done; r.err == nil && late != nil {
				s.guard(func() error { late(); return nil })
			}
		}
	})
}

// here runs f in the reader, for requests that wait for nothing but the local
// disk. f answers the request itself unless it returns an error.
func (s *server) here(req fuse.Request, f func() error) {
	s.readers.visit(func() {
		if err := s.guard(f); err != nil {
			s.fail(req, err)
		}
	})
}

// guard turns a panic of f into an error, so that one bad request does not
// end the mount.
func (s *server) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("internal error", "panic", p, "stack", string(debug.Stack()))
			err = syscall.EIO
		}
	}()
	return f()
}

// fail answers with the errno of err and logs what the user cannot see. That something is not
// there, or that FTP has no word for it (EPERM), is nothing that went wrong.
func (s *server) fail(req fuse.Request, err error) {
	number := errno(err)
	if number == syscall.ENOENT || number == syscall.EPERM || errors.Is(err, errors.ErrUnsupported) {
		s.log.Debug("request failed", "error", err)
	} else {
		s.log.Info("request failed", "error", err, "errno", number)
	}
	req.RespondError(number)
}
