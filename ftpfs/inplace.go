package ftpfs

import (
	"context"
	"syscall"

	"ftpfs/ftpclient"
)

// Some servers take files but rename none. There a file is stored under its own
// name (Options.InPlace), in the place of the version before, which is gone when
// the upload begins: all of the new one is kept here until it has ended well.

// storeInPlace is publish for that: asked is where c was, and path where that leads.
func (u *uploads) storeInPlace(ctx context.Context, c *content, asked, path string, own bool, from, end int64) (ftpclient.Entry, error) {
	release := c.file.Keep()
	builds, undo := own && c.builds(), func() {}
	if own {
		if builds {
			defer c.file.KeepRange(from, end-from)() // what is damaged is fetched, too
		}
		if err := complete(ctx, c, path, from, end); err != nil {
			release()
			return ftpclient.Entry{}, err
		}
		if builds { // and the server is about to lose it: the journal has to know of all, first
			c.file.Claim()
			if err := c.file.Sync(); err != nil {
				release()
				return ftpclient.Entry{}, err
			}
		}
		undo = c.keep(release)
	} else {
		defer release()
	}
	if err := u.stays(ctx, c, asked); err != nil {
		undo()
		return ftpclient.Entry{}, err
	}
	w, err := u.client.StoreIf(ctx, path, u.still(c, asked))
	if err != nil {
		if !uncertain(err) {
			undo()
		}
		if !own && (uncertain(err) || outage(err)) { // there may be an empty file
			u.sweep(path)
		}
		return ftpclient.Entry{}, u.tree.explainFile(ctx, path, err)
	}
	defer w.Abort() // does nothing after a Commit that went through
	defer c.alter()()
	w.Announce(path, max(0, end-from))
	k := c.commitment("")
	_, err = send(ctx, w, c, from, end, own)
	var e ftpclient.Entry
	if err == nil {
		e, err = w.Commit(ctx, k)
	}
	if err != nil {
		if !own { // the next try has another name, and all of it
			w.Abort()
			u.sweep(path)
		}
		return ftpclient.Entry{}, u.tree.explainFile(ctx, path, err)
	}
	if !e.HasMode {
		u.warnOfMode(path, k)
	}
	return e, nil
}

// keep is told that the server will not have the version any more that c builds
// upon, and what lets go of the bytes that are here instead. undo is for when
// nothing has come of that.
func (c *content) keep(release func()) (undo func()) {
	c.mu.Lock()
	torn, whole, tried := c.torn, c.whole, c.tried
	c.torn, c.whole, c.tried = true, true, true
	c.mixed = c.mixed || c.changes > 0
	before := c.kept
	c.kept = release
	c.mu.Unlock()
	if before != nil {
		before()
	}
	c.journal()
	return func() {
		if torn {
			return
		}
		c.mu.Lock()
		c.whole, c.tried = whole, tried
		c.mu.Unlock()
		c.unkeep()
		c.journal()
	}
}

// spoil is told that an upload of c has made its file on the server now, a part of it:
// the whole of it is stored next, over that. It answers false if it is not all here.
func (c *content) spoil(now ftpclient.Entry) bool {
	release := c.file.Keep()
	if start, end := c.file.Missing(0, c.file.Size()); start < end {
		release()
		return false
	}
	c.file.Claim()
	c.keep(release)
	c.mu.Lock()
	c.prior, c.fresh, c.stale, c.torn = c.base, false, false, false
	c.base.Size, c.base.ModTime, c.base.Precision = now.Size, now.ModTime, now.Precision
	c.mu.Unlock()
	c.journal()
	return true
}

// isTorn tells whether the server has a part of c only.
func (c *content) isTorn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.torn
}

// isReplaced tells whether what the server has at path is for certain no part of c, nor what was
// there before, though c was being stored in its place: somebody else has stored it since. Where
// nothing is fetched, or c was changed meanwhile, nothing is certain. It fetches the part.
func (u *uploads) isReplaced(ctx context.Context, c *content, path string) (bool, error) {
	if c.isMixed() {
		return false, nil
	}
	now, err := u.tree.find(ctx, path)
	if errno(err) == syscall.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	base := c.base
	c.mu.Unlock()
	ours := agree(now, base)
	if start, end := c.file.Missing(0, now.Size); !ours && start >= end && now.Size <= c.file.Size() {
		if ours, err = u.same(ctx, c, path, 0, now.Size); refusesRead(err) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return !ours && !c.isMixed(), nil // it may have been changed since
}

func (c *content) isMixed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mixed
}

func (c *content) unkeep() {
	c.mu.Lock()
	release := c.kept
	c.kept, c.torn, c.mixed = nil, false, false
	c.mu.Unlock()
	if release != nil {
		release()
	}
}
