package ftpfs

import (
	"context"
	"slices"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A file that is fetched in pieces, or completed before its upload, must be
// one version: the server is asked again when it has not been heard of for
// some moments.

// agree tells whether two views can be of one state of a file, when one of
// them tells the time more coarsely or not at all.
func agree(a, b ftpclient.Entry) bool {
	if a.Precision < b.Precision {
		a, b = b, a
	}
	return a.Size == b.Size && (b.ModTime.IsZero() || covers(a, b.ModTime))
}

// covers tells whether a file whose time is told as in e can have the exact time
// t: what is told to the minute or the day is the beginning of that.
func covers(e ftpclient.Entry, t time.Time) bool {
	late := t.Sub(e.ModTime)
	return late == 0 || late > 0 && late < e.Precision
}

// again tells whether bytes of the server's version were asked for before.
func (c *content) again() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.begun
	c.begun = true
	return begun
}

// adopt makes now the version that c builds upon if it is what an upload has
// published whose answer was lost. It wants content.mu held.
func (c *content) adopt(now ftpclient.Entry) {
	if slices.ContainsFunc(c.sent, func(m made) bool { return agree(now, m.Entry) }) {
		c.base, c.prior, c.fresh, c.stale = now, c.base, false, false
	}
}

// compare tells whether what the server was found to have is the version that
// c builds upon, or was before an own change that the question crossed.
func (c *content) compare(found cache.Found[ftpclient.Entry]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := found.Entry
	if found.Exists {
		c.adopt(now)
	}
	switch {
	case found.Exists && (now.Size < 0 || agree(now, c.base)):
		c.seen = time.Now()
	case c.alters > 0, found.Exists && (agree(now, c.prior) || now.Size > c.base.Size && now.Size <= c.tail):
	default:
		c.stale = true
		return false
	}
	return true
}

// confirmed is told that the server was just heard to have the version that c
// builds upon.
func (c *content) confirmed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = time.Now()
}

// doubt makes the next confirm ask the server.
func (c *content) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubted, c.begun = true, true
}

// confirm makes sure that the server, at path, still has the version that c
// builds upon; ESTALE if not. It blocks for a round trip when the last
// confirmation is older than a few moments.
func (cs *contents) confirm(ctx context.Context, c *content, path string) error {
	c.mu.Lock()
	hidden, stale := c.hidden != nil, c.stale
	doubted := c.doubted
	c.doubted = false
	recent := !doubted && time.Since(c.seen) < freshEnough
	c.mu.Unlock()
	switch {
	case hidden:
		return nil // the name is ours
	case stale:
		return syscall.ESTALE
	case recent:
		return nil
	}
	dir, name := split(path)
	ask := cs.tree.fresh
	if doubted {
		ask = cs.tree.now
	}
	found, err := ask(ctx, dir, name)
	if err != nil {
		if doubted {
			c.doubt()
		}
		return err
	}
	if c.mayGrow(found) {
		return errGrown
	}
	if !c.compare(found) {
		cs.tree.dirs.Drop(dir)
		return syscall.ESTALE
	}
	return nil
}
