package ftpfs

import (
	"context"
	"io"
	"io/fs"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// contents makes and keeps the contents of nodes.
type contents struct {
	client *ftpclient.Client
	tree   *tree
	nodes  *nodes
	files  *cache.Files
	space  *space
	base   context.Context // ends with the mount

	pace     pace
	parallel int   // most transfers for one reader
	ahead    int64 // how far these may run ahead of it
}

// open returns the content of n for one more user, whose bytes are those of e
// where the server has them; e.Size is known. It blocks for the local disk only.
func (cs *contents) open(n *node, e ftpclient.Entry, writing bool) (*content, error) {
	return cs.share(n, writing, func(c *content) bool { return c.serves(e) },
		func(path string) (*content, error) {
			file, err := cs.files.Open(path, version(e))
			if err != nil {
				return nil, err
			}
			c := cs.make(n, file, e, false)
			start, end := file.Missing(0, e.Size)
			c.begun = end-start < e.Size
			return c, nil
		})
}

// create returns an empty content for n, which the server does not have.
func (cs *contents) create(n *node, mode fs.FileMode) (*content, error) {
	return cs.share(n, true, func(c *content) bool { return c.serves(ftpclient.Entry{Size: -1}) },
		func(path string) (*content, error) {
			file, err := cs.files.Create(path)
			if err != nil {
				return nil, err
			}
			c := cs.make(n, file, ftpclient.Entry{}, true)
			c.mtime = time.Now().UTC().Truncate(time.Second)
			if unusual(mode) {
				c.mode, c.modeSet = mode.Perm(), true
			}
			c.noted.Do(c.journal) // an empty file may be all that comes
			return c, nil
		})
}

// unusual tells whether a new file's mode is worth a command: the server's
// own default serves ordinary files, and may be tighter on purpose.
func unusual(mode fs.FileMode) bool {
	switch mode.Perm() {
	case 0o644, 0o664, 0o666:
		return false
	}
	return true
}

// share counts one more user of n's content if that fits, else of a fresh one.
func (cs *contents) share(n *node, writing bool, fits func(*content) bool, fresh func(path string) (*content, error)) (*content, error) {
	n.opening.Lock()
	defer n.opening.Unlock()
	cs.nodes.mu.Lock()
	c := n.content
	path, ok := n.path()
	cs.nodes.mu.Unlock()
	anew := c == nil || !fits(c)
	if anew {
		if !ok {
			return nil, syscall.ENOENT
		}
		var err error
		if c, err = fresh(path); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	c.shares++
	c.users++
	if writing {
		c.writers++
	}
	c.mu.Unlock()
	cs.nodes.mu.Lock()
	n.content = c
	n.pins++
	m := cs.tree.moves.of(below(cs.tree.root, path))
	late := anew && m != nil // for the rename to find it
	if late {
		c.mu.Lock()
		c.move = m
		c.mu.Unlock()
	}
	cs.nodes.mu.Unlock()
	if late {
		c.journal()
	}
	return c, nil
}

// make gives file streams that bring the bytes of base.
func (cs *contents) make(n *node, file *cache.File, base ftpclient.Entry, fresh bool) *content {
	c := &content{node: n, file: file, base: base, fresh: fresh, upload: make(chan struct{}, 1), temps: cs.tree.temps}
	if base.Size > 0 {
		c.run = -1
	}
	open := func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error) {
		retrieve := cs.client.Retrieve
		if extra {
			if cs.client.CanRestart() == ftpclient.No {
				return nil, ftpclient.ErrBusy // all would bring the same
			}
			retrieve = cs.client.RetrieveExtra
		}
		c.fetching()
		path, err := cs.remote(n, c)
		if err == nil && c.again() {
			err = cs.confirm(ctx, c, path)
		}
		for err == nil {
			asked := path
			r, failed := retrieve(ctx, path, off, size)
			switch path, err = cs.remote(n, c); {
			case path == asked && failed == nil:
				return r, nil
			case failed == nil: // it may be another file, which has got the path meanwhile
				r.Close()
			case path == asked, path == "":
				return nil, cs.tree.explainFile(ctx, asked, failed)
			}
			// A directory above was renamed meanwhile.
		}
		return nil, err
	}
	c.streams = newStreams(cs.base, file, base.Size, source{open, c.doubt, cs.yield, cs.idle, &cs.pace, cs.parallel, cs.ahead})
	return c
}

// turns are what a stream moves before it gives its connection to somebody who
// waits for one: little where there is no other connection at all.
const (
	turn     = 8 << 20
	loneTurn = 1 << 20
)

// yield tells whether a stream that has moved so many bytes should give way; a
// paused one, for which it is below 0, always does. One that could not go on where it was does
// so only then.
func (cs *contents) yield(moved int) bool {
	if moved >= 0 && cs.client.CanRestart() == ftpclient.No {
		return false
	}
	return cs.client.Contended() && (moved < 0 || moved >= turn || moved >= loneTurn && cs.client.Stats().Limit == 1)
}

// idle tells how many connections nobody uses now.
func (cs *contents) idle() int { return cs.client.Stats().Idle }

// remote gives the server's path of the bytes that c builds upon.
func (cs *contents) remote(n *node, c *content) (string, error) {
	path, named := cs.nodes.path(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.hidden != nil:
		return cs.tree.temps.where(c.hidden), nil
	case c.fresh, c.stale, !named:
		return "", syscall.ESTALE
	}
	return below(cs.tree.root, path), nil
}

// release ends one user's part. It returns whether bytes wait for their upload
// and nobody who may still write will see to it: then the user's share of c is
// left to uploads.later, else it is given up.
func (cs *contents) release(ctx context.Context, n *node, c *content, writing bool) (pending bool) {
	c.mu.Lock()
	c.users--
	if writing {
		c.writers--
	}
	last, hidden := c.users == 0, c.hidden
	pending = c.writers == 0 && c.refused == nil
	c.mu.Unlock()
	if pending && c.local() && cs.nodes.wanted(n) {
		return true
	}
	cs.leave(n, c)
	if last && hidden != nil {
		cs.tree.unhide(ctx, hidden)
	}
	return false
}

// leave gives up a share of c and of its node. The last one closes c.
func (cs *contents) leave(n *node, c *content) {
	defer cs.nodes.unpin(n)
	n.opening.Lock()
	c.mu.Lock()
	c.shares--
	last := c.shares == 0
	c.mu.Unlock()
	if last {
		cs.nodes.mu.Lock()
		if n.content == c {
			n.content = nil
		}
		cs.nodes.mu.Unlock()
	}
	n.opening.Unlock()
	if last {
		c.close()
	}
}

// discard gives up the local changes of c: the file is what the server has. It
// answers false, and does nothing, if there are others than those of gen.
func (cs *contents) discard(n *node, c *content, gen uint64) bool {
	c.mu.Lock()
	if now, _ := c.file.Dirty(); now != gen || c.changes > 0 {
		c.mu.Unlock()
		return false
	}
	c.dropped, c.past = true, true
	c.mu.Unlock()
	c.dropSender()
	cs.nodes.mu.Lock()
	if n.content == c {
		n.content = nil
	}
	path, named := n.path()
	cs.nodes.mu.Unlock()
	if named {
		cs.files.Forget(path)
		dir, _ := split(below(cs.tree.root, path))
		cs.tree.dirs.Drop(dir)
	}
	return true
}
