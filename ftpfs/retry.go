package ftpfs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// retry publishes a content whose upload had failed. When the server has got
// another version since, that one stays, and ours goes beside it.
func (u *uploads) retry(ctx context.Context, n *node, c *content) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	path, named := u.nodes.path(n)
	if !named || !c.local() || c.isTorn() {
		return u.commitLocked(ctx, n, c)
	}
	path = below(u.tree.root, path)
	gen, _ := c.file.Track()
	switch done, err := u.settleTail(ctx, c, path); {
	case err != nil:
		return err
	case done != nil:
		u.published(n, c, path, *done, gen)
		return nil
	}
	now, newer, err := u.superseded(ctx, c, path)
	if err != nil {
		return err
	}
	if !newer {
		return u.commitLocked(ctx, n, c)
	}
	gen, _ = c.file.Dirty()
	size := c.file.Size()
	if now.Size == size {
		same, err := u.hasChanges(ctx, c, path)
		if err != nil {
			return err
		}
		if same { // by an upload whose end nobody has seen
			u.published(n, c, path, stored{Entry: now, mixed: true}, gen)
			return nil
		}
	}
	start, end := c.file.Missing(0, size)
	c.lose() // nothing of the newer version belongs to it
	from := int64(0)
	if start < end {
		from = c.file.FirstDirty() // what it built upon is gone
	}
	beside := path + ".conflict-" + time.Now().UTC().Format("20060102-150405")
	e, err := u.publish(ctx, c, beside, false, from)
	if err != nil {
		return err
	}
	u.log.Warn("the server has got another version of a file since its upload failed", "path", path, "ours is", beside, "from byte", from)
	_, e.Name = split(beside)
	u.tree.put(beside, e)
	if !u.discard(n, c, gen) {
		return errChanged
	}
	return errKeptBeside
}

// hasChanges tells whether the server has all that was changed here: not what it
// was changed from, which may be absent.
func (u *uploads) hasChanges(ctx context.Context, c *content, path string) (bool, error) {
	for off := int64(0); ; {
		start, end := c.file.NextDirty(off)
		if start >= end {
			return true, nil
		}
		if same, err := u.same(ctx, c, path, start, end); !same || err != nil {
			return false, err
		}
		off = end
	}
}

// errKeptBeside: the bytes are on the server, under another name.
var errKeptBeside = errors.New("kept beside a newer version")

// errChanged: what was written meanwhile is not with what was kept beside.
var errChanged = errors.New("it was written to while it was kept beside a newer version")

// superseded tells what the server has at path, and whether c does not know of
// that version.
func (u *uploads) superseded(ctx context.Context, c *content, path string) (now ftpclient.Entry, newer bool, err error) {
	grew := u.onlyGrew(ctx, c, path)
	now, err = u.tree.find(ctx, path)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errno(err) == syscall.ENOENT:
		if start, end := c.file.Missing(0, c.file.Size()); start >= end {
			c.fresh, c.stale = true, false // somebody has deleted it: all of it is here
		}
		return now, false, nil
	case err != nil:
		return now, false, err
	}
	c.adopt(now)
	if grew && !c.placed && now.Size > c.base.Size {
		return now, false, nil // what is appended may come behind what others have appended
	}
	return now, c.fresh || !agree(now, c.base), nil
}

// settled takes c from the waiting list when it is published or pointless.
func (u *uploads) settled(n *node, c *content, err error) bool {
	u.mu.Lock()
	if !errors.Is(err, errKeptBeside) && c.local() && u.nodes.wanted(n) {
		u.mu.Unlock()
		return false
	}
	delete(u.waiting, c) // who closes it changed from now on makes a new attempt
	u.mu.Unlock()
	u.leave(n, c)
	return true
}
