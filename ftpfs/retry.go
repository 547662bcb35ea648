package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// later keeps a content whose upload failed, and tries again until it
// succeeds, the file is deleted, or the mount ends.
func (u *uploads) later(n *node, c *content) {
	u.try(n, c, firstRetry)
}

// try is later, with the first try after wait.
func (u *uploads) try(n *node, c *content, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting[c] != nil {
		return
	}
	u.waiting[c] = n
	u.nodes.pin(n)
	u.wg.Go(func() {
		for ; ; wait = min(max(2*wait, firstRetry), lastRetry) {
			select {
			case <-time.After(wait):
			case <-u.base.Done():
				return
			}
			if u.settled(n, c, u.retry(u.base, n, c)) {
				return
			}
		}
	})
}

// retry publishes a content whose upload had failed. When the server has got
// another version since, that one stays, and ours goes beside it.
func (u *uploads) retry(ctx context.Context, n *node, c *content) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	path, named := u.nodes.path(n)
	if !named || !c.local() {
		return u.commitLocked(ctx, n, c)
	}
	path = below(u.tree.root, path)
	if err := u.settleTail(ctx, c, path); err != nil {
		return err
	}
	now, newer, err := u.superseded(ctx, c, path)
	if err != nil {
		return err
	}
	if !newer {
		return u.commitLocked(ctx, n, c)
	}
	gen, _ := c.file.Dirty()
	size := c.file.Size()
	start, end := c.file.Missing(0, size)
	if now.Size == size && start >= end {
		same, err := u.same(ctx, c, path, 0, size)
		if err != nil {
			return err
		}
		if same { // by an upload whose end nobody has seen
			u.published(n, c, path, stored{Entry: now}, gen)
			return nil
		}
	}
	c.lose() // nothing of the newer version belongs to it
	from := int64(0)
	if start < end {
		from = c.file.FirstDirty() // what it built upon is gone
	}
	beside := path + ".conflict-" + time.Now().UTC().Format("20060102-150405")
	e, err := u.publish(ctx, c, beside, from)
	if err != nil {
		return err
	}
	u.log.Warn("the server has got another version of a file since its upload failed", "path", path, "ours is", beside, "from byte", from)
	_, e.Name = split(beside)
	u.tree.put(beside, e)
	u.discard(n, c)
	return errKeptBeside
}

// errKeptBeside: the bytes are on the server, under another name.
var errKeptBeside = errors.New("kept beside a newer version")

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
	if !errors.Is(err, errKeptBeside) && c.local() && u.nodes.wanted(n) {
		return false
	}
	u.mu.Lock()
	waiting := u.waiting[c] != nil
	delete(u.waiting, c)
	u.mu.Unlock()
	if !waiting {
		return true
	}
	n.opening.Lock()
	c.mu.Lock()
	unused := c.users == 0
	c.mu.Unlock()
	if unused {
		u.nodes.mu.Lock()
		if n.content == c {
			n.content = nil
		}
		u.nodes.mu.Unlock()
	}
	n.opening.Unlock()
	if unused {
		c.close()
	}
	u.nodes.unpin(n)
	return true
}

// giveUp leaves what waits to a later mount, when no more tries will be made.
func (u *uploads) giveUp() {
	u.wg.Wait()
	u.mu.Lock()
	waiting := u.waiting
	u.waiting = make(map[*content]*node)
	u.mu.Unlock()
	for c := range waiting {
		c.park()
	}
}

// count is the number of files that wait for another try.
func (u *uploads) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.waiting)
}

// drain tries once more to publish what waits, and returns the first error. It
// takes away what failed uploads have left on the server.
func (u *uploads) drain(ctx context.Context) error {
	u.mu.Lock()
	waiting := make(map[*content]*node, len(u.waiting))
	for c, n := range u.waiting {
		waiting[c] = n
	}
	u.mu.Unlock()
	var first error
	for c, n := range waiting {
		err := u.retry(ctx, n, c)
		if !u.settled(n, c, err) && first == nil {
			path, _ := u.nodes.path(n)
			first = fmt.Errorf("%s could not be uploaded: %w", path, err)
		}
	}
	if tidied := u.tidy(); tidied != nil {
		<-tidied
	}
	return first
}
