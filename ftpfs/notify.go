package ftpfs

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"bazil.org/fuse"
)

// A notifier tells the kernel to forget what it remembers. It does so in a
// goroutine of its own that holds no lock: the kernel may make the telling
// wait for a request that is at work, which must therefore never wait for it.
type notifier struct {
	conn *fuse.Conn
	log  *slog.Logger
	todo chan func() error
	done chan struct{}

	mu     sync.RWMutex
	closed bool // todo is
}

func newNotifier(conn *fuse.Conn, log *slog.Logger) *notifier {
	t := &notifier{conn: conn, log: log, todo: make(chan func() error, 1024), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		for f := range t.todo {
			if err := f(); err != nil && err != fuse.ErrNotCached {
				t.log.Debug("the kernel was not told", "error", err)
			}
		}
	}()
	return t
}

// Close waits until the kernel has been told everything.
func (t *notifier) Close() {
	t.mu.Lock()
	t.closed = true
	close(t.todo)
	t.mu.Unlock()
	<-t.done
}

// entry makes the kernel ask again for a name.
func (t *notifier) entry(dir *node, name string) {
	t.send(func() error { return t.conn.InvalidateEntry(fuse.NodeID(dir.id), name) })
}

// attributes makes the kernel ask again for the attributes of n.
func (t *notifier) attributes(n *node) {
	t.send(func() error { return t.conn.InvalidateNode(fuse.NodeID(n.id), -1, 0) })
}

// attributesNow is attributes for a request that must be answered after it. The
// kernel takes no lock for it that a request may hold.
func (t *notifier) attributesNow(n *node) {
	t.conn.InvalidateNode(fuse.NodeID(n.id), -1, 0) // fails for what the kernel does not know
}

// pages makes the kernel forget the attributes and all pages of n.
func (t *notifier) pages(n *node) {
	t.send(func() error { return t.conn.InvalidateNode(fuse.NodeID(n.id), 0, 0) })
}

// send never waits: when the kernel is slow, its memory expires by itself.
func (t *notifier) send(f func() error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return
	}
	select {
	case t.todo <- f:
	default:
	}
}

// tell is send for many things at once, from outside of requests: it waits until
// the kernel has been told all of them, or ctx ends.
func (t *notifier) tell(ctx context.Context, all []func() error) error {
	told := make(chan struct{})
	for _, f := range append(all, func() error { close(told); return nil }) {
		if err := t.queue(ctx, f); err != nil {
			return err
		}
	}
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *notifier) queue(ctx context.Context, f func() error) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return net.ErrClosed
	}
	select {
	case t.todo <- f:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
