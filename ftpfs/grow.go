package ftpfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"syscall"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A log grows while somebody reads it. Who has a file open goes on with a longer
// version of it, if the last bytes of the shorter one are the same in both; else
// it is another version like any other, and so it is for who may write. The same
// last bytes do not tell that those before them are: none are taken over.

// overlap is how many bytes are compared.
const overlap = 4096

// errGrown is the error of a transfer of a file that has become longer: grow
// decides how to go on.
var errGrown = fmt.Errorf("longer than before: %w", syscall.ESTALE)

// grows tells whether e may be a longer version of what c has; then grow has to
// see whether it is. It wants content.mu held.
func (c *content) grows(e ftpclient.Entry) bool {
	if c.stale || c.past || c.fresh || c.alters > 0 || e.Size <= c.base.Size || e.ModTime.Before(c.base.ModTime) {
		return false
	}
	c.longer = e
	return true
}

// mayGrow is grows for what the server was found to have, unless that is what c
// builds upon, or was before an own change.
func (c *content) mayGrow(found cache.Found[ftpclient.Entry]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := found.Entry
	return found.Exists && len(c.sent) == 0 && !agree(now, c.base) && !agree(now, c.prior) && c.grows(now)
}

// hasGrown tells whether grow has something to see.
func (c *content) hasGrown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.longer.Size > c.base.Size
}

// grow makes c the longer version that the server was found to have, if there
// is one. ESTALE if it does not begin like c. It blocks for a round trip or two.
func (cs *contents) grow(ctx context.Context, n *node, c *content) error {
	if !c.hasGrown() {
		return nil
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	path, err := cs.remote(n, c)
	if err != nil {
		return err
	}
	c.mu.Lock()
	old, e := c.base, c.longer
	c.mu.Unlock()
	if e.Size <= old.Size || c.local() {
		return nil
	}
	if c.writing() {
		c.mu.Lock()
		c.longer, c.stale = ftpclient.Entry{}, true
		c.mu.Unlock()
		return nil // what is here is read on, and what is not is lost
	}
	size := int64(-1)
	resume := c.streams.hold()
	defer func() { resume(size) }()
	start, end := c.file.Last(overlap)
	same, err := cs.continues(ctx, c, path, e.Size, start, end)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.longer = ftpclient.Entry{}
	if !same || !c.file.Lengthen(version(e), start, end) {
		c.stale = true
		return syscall.ESTALE
	}
	if unsettled(e) {
		c.file.Doubt()
	}
	c.base, c.prior = e, old
	size = e.Size
	return nil
}

// continues tells whether the server's file, which has that size now, has the
// bytes that are here from off to end. Nothing that was read goes on with anything.
func (cs *contents) continues(ctx context.Context, c *content, path string, size, off, end int64) (bool, error) {
	defer c.file.KeepRange(off, end-off)()
	ours, theirs := make([]byte, end-off), make([]byte, end-off)
	if len(ours) == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.begun, nil
	}
	if _, err := c.file.ReadAt(expired, ours, off); err != nil {
		return false, nil // evicted meanwhile
	}
	r, err := cs.client.Retrieve(ctx, path, off, size)
	if err != nil {
		return false, cs.tree.explainFile(ctx, path, err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, theirs); err != nil {
		return false, err
	}
	return bytes.Equal(ours, theirs), nil
}
