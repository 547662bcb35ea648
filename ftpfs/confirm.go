package ftpfs

import (
	"context"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// A file that is fetched in pieces, or completed before its upload, must be
// one version: the server is asked again when it has not been heard of for
// some moments.

// agree tells whether two views can be of one state of a file, when one of
// them tells the time more coarsely.
func agree(a, b ftpclient.Entry) bool {
	unit := max(a.Precision, b.Precision)
	return a.Size == b.Size && a.ModTime.Truncate(unit).Equal(b.ModTime.Truncate(unit))
}

// again tells whether bytes of the server's version were asked for before.
func (c *content) again() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.begun
	c.begun = true
	return begun
}

// confirmed is told that the server has the version base now.
func (c *content) confirmed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = time.Now()
}

// confirm makes sure that the server, at path, still has the version that c
// builds upon; ESTALE if not. It blocks for a round trip when the last
// confirmation is older than a few moments.
func (cs *contents) confirm(ctx context.Context, c *content, path string) error {
	c.mu.Lock()
	base, hidden := c.base, c.hidden != ""
	recent := time.Since(c.seen) < freshEnough
	c.mu.Unlock()
	if hidden || recent {
		return nil // hidden: the name is ours
	}
	dir, name := split(path)
	found, err := cs.tree.fresh(ctx, dir, name)
	if err != nil {
		return err
	}
	if !found.Exists || found.Entry.Size >= 0 && !agree(found.Entry, base) {
		c.lose()
		cs.tree.dirs.Drop(dir)
		return syscall.ESTALE
	}
	c.confirmed()
	return nil
}
