package ftpfs

import (
	"context"
)

// hold takes the upload lock of n's content, if n has one, so that no upload
// is under way while its name changes. done gives it back.
func (f *FS) hold(ctx context.Context, n *node) (c *content, done func(), err error) {
	if n == nil {
		return nil, func() {}, nil
	}
	f.nodes.pin(n)
	c = f.nodes.contentOf(n)
	if c == nil {
		return nil, func() { f.nodes.unpin(n) }, nil
	}
	if err := c.lock(waiting(ctx)); err != nil {
		f.nodes.unpin(n)
		return nil, nil, err
	}
	return c, func() {
		c.unlock()
		f.nodes.unpin(n)
	}, nil
}

// holdBoth is hold for two nodes, always in the same order.
func (f *FS) holdBoth(ctx context.Context, a, b *node) (ca, cb *content, done func(), err error) {
	if a != nil && b != nil && b.id < a.id {
		cb, ca, done, err = f.holdBoth(ctx, b, a)
		return ca, cb, done, err
	}
	ca, doneA, err := f.hold(ctx, a)
	if err != nil {
		return nil, nil, nil, err
	}
	cb, doneB, err := f.hold(ctx, b)
	if err != nil {
		doneA()
		return nil, nil, nil, err
	}
	return ca, cb, func() { doneB(); doneA() }, nil
}

// quiet ends the streams of a file whose name changes, and keeps new ones from
// asking for whatever has the name meanwhile. Its upload lock is held.
func (c *content) quiet() (resume func()) {
	if c == nil {
		return func() {}
	}
	goOn := c.streams.hold()
	return func() { goOn(-1) }
}
