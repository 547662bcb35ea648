package ftpfs

import (
	"log/slog"

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

// Close waits until the kernel has been told everything. Nothing may be sent
// after it.
func (t *notifier) Close() {
	close(t.todo)
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

// pages makes the kernel forget the attributes and all pages of n.
func (t *notifier) pages(n *node) {
	t.send(func() error { return t.conn.InvalidateNode(fuse.NodeID(n.id), 0, 0) })
}

// send never waits: when the kernel is slow, its memory expires by itself.
func (t *notifier) send(f func() error) {
	select {
	case t.todo <- f:
	default:
	}
}
