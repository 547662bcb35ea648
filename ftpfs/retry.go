package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
	"unicode/utf8"

	"ftpfs/ftpclient"
)

// retry publishes a content whose upload had failed. When the server has got
// another version since, that one stays, and ours goes beside it.
func (u *uploads) retry(ctx context.Context, n *node, c *content) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return u.retryLocked(ctx, n, c)
}

func (u *uploads) retryLocked(ctx context.Context, n *node, c *content) error {
	path, named := u.nodes.path(n)
	if !named || !c.local() {
		c.looked()
		return u.commitOver(ctx, n, c)
	}
	path = below(u.tree.root, path)
	if c.isTorn() {
		replaced, err := u.isReplaced(ctx, c, path)
		if err != nil {
			return err
		}
		if !replaced {
			c.looked()
			return u.commitOver(ctx, n, c)
		}
	}
	if err := u.putBack(ctx, c, path); err != nil {
		return err
	}
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
	torn := false
	if newer && now != nil {
		if torn, err = u.hasPart(ctx, c, path, *now); err != nil {
			return err
		}
	}
	c.looked()
	start, end := c.file.Missing(0, c.file.Size())
	if now == nil && newer && c.isDoomed() && u.discard(n, c, gen) {
		u.nodes.drop(n) // it went as it was to, and what is left of it here is of no use
		return nil
	}
	if start >= end || now != nil { // else it may be all that there is
		u.sweepLeft(c)
	}
	if !newer || torn && c.spoil(*now) {
		return u.commitOver(ctx, n, c)
	}
	gen, _ = c.file.Dirty()
	size := c.file.Size()
	if now != nil && now.Size == size {
		same, err := u.hasChanges(ctx, c, path)
		if err != nil {
			return err
		}
		if same { // by an upload whose end nobody has seen
			u.published(n, c, path, stored{Entry: *now, mixed: true}, gen)
			return nil
		}
	}
	c.lose() // nothing of the newer version belongs to it
	from := int64(0)
	if start < end {
		from = c.file.FirstDirty() // what it built upon is gone
	}
	beside, err := u.conflictName(ctx, path)
	if err != nil {
		return err
	}
	gap, gapEnd := c.file.Missing(from, size-from)
	e, err := u.publish(ctx, c, beside, false, from)
	if err != nil {
		return err
	}
	u.log.Warn("the server has got another version of a file since its upload failed", "path", path, "ours is", beside, "from byte", from)
	if gap < gapEnd {
		u.log.Warn("not all of it is known here: zeros are in the place of the rest", "path", beside, "at byte", gap-from)
		u.showLeft(c)
	}
	_, e.Name = split(beside)
	u.tree.put(beside, e)
	if !u.discard(n, c, gen) {
		return errChanged
	}
	return errKeptBeside
}

// putBack undoes what an upload of c, by an earlier mount or before, has begun.
func (u *uploads) putBack(ctx context.Context, c *content, path string) error {
	c.mu.Lock()
	aside := string(c.at(c.aside))
	c.mu.Unlock()
	if aside == "" {
		return nil
	}
	if err := u.tree.putBack(ctx, aside, path); err != nil {
		return err
	}
	if err := u.stays(ctx, c, path); err != nil {
		return err // and aside is still to be looked for, where it is now
	}
	c.stepsAside("")
	return nil
}

// conflictName finds a name for what is kept beside path, which the server does
// not have, and which is not to be removed yet.
func (u *uploads) conflictName(ctx context.Context, path string) (string, error) {
	dir, name := split(path)
	for try := 1; ; try++ {
		suffix := ".conflict-" + time.Now().UTC().Format("20060102-150405")
		if try > 1 {
			suffix += fmt.Sprintf("-%d", try)
		}
		stem := name
		for len(stem)+len(suffix) > maxName {
			_, last := utf8.DecodeLastRuneInString(stem)
			stem = stem[:len(stem)-last]
		}
		beside := join(dir, stem+suffix)
		if u.isLitter(beside) {
			continue
		}
		if _, err := u.tree.find(ctx, beside); errno(err) == syscall.ENOENT {
			return beside, nil
		} else if err != nil {
			return "", err
		}
	}
}

// hasChanges tells whether the server has all that was changed here: not what it
// was changed from, which may be absent.
func (u *uploads) hasChanges(ctx context.Context, c *content, path string) (bool, error) {
	for off := int64(0); ; {
		start, end := c.file.NextDirty(off)
		if start >= end {
			return true, nil
		}
		if same, err := u.surelySame(ctx, c, path, start, end); !same || err != nil {
			return false, err
		}
		off = end
	}
}

// errKeptBeside: the bytes are on the server, under another name.
var errKeptBeside = fmt.Errorf("kept beside a newer version: %w", syscall.ESTALE)

// errChanged: what was written meanwhile is not with what was kept beside.
var errChanged = errors.New("it was written to while it was kept beside a newer version")

// superseded tells what the server has at path, nil for nothing, and whether c
// does not know of that version.
func (u *uploads) superseded(ctx context.Context, c *content, path string) (_ *ftpclient.Entry, newer bool, err error) {
	grew := u.onlyGrew(ctx, c, path)
	asked := time.Now()
	now, err := u.tree.find(ctx, path)
	if err := u.stays(ctx, c, path); err != nil {
		return nil, false, err
	}
	if err == nil {
		if err := u.verify(ctx, c, path, now); err != nil {
			return nil, false, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errno(err) == syscall.ENOENT:
		if start, end := c.file.Missing(0, c.file.Size()); start < end {
			return nil, true, nil
		}
		c.fresh, c.stale = true, false // somebody has deleted it: all of it is here
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	c.adopt(now)
	c.doomed = false
	if grew && !c.placed && now.Size > c.base.Size {
		return &now, false, nil // what is appended may come behind what others have appended
	}
	newer = c.fresh || !agree(now, c.base)
	c.stale = c.stale && newer // it may have been away for a moment
	if !newer {
		c.seen, c.doubted = asked, false // a listing may be older
	}
	return &now, newer, nil
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
	u.sweepLeft(c)
	u.leave(n, c)
	return true
}
