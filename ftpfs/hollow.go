package ftpfs

import (
	"context"
	"errors"
	"io"
	"syscall"

	"ftpfs/ftpclient"
)

// Files that the server's kernel makes when they are read, as those of /proc,
// have the size 0. Where all files of a directory are so, one that is opened is
// read once to know how long it is.

const (
	hollowFiles = 2        // in a directory, at least
	hollowLook  = 100      // files are looked at, at most
	mostHollow  = 16 << 20 // bytes that are counted
)

// hollow tells whether n may have bytes though its size is 0. Blocks for a listing where
// the one that told the size has become too old meanwhile, else such a file would be empty.
func (f *FS) hollow(ctx context.Context, n *node) (bool, error) {
	path, named := f.nodes.path(n)
	if !named {
		return false, nil
	}
	dir, _ := split(below(f.tree.root, path))
	listing, ok := f.tree.dirs.Snapshot(dir)
	if !ok {
		var err error
		switch listing, err = f.tree.list(ctx, dir, freshEnough); {
		case errno(err) == syscall.EACCES:
			return false, nil // a drop box
		case err != nil:
			return false, err
		}
	}
	files := 0
	for _, e := range listing.Entries {
		if e.Entry.Type != ftpclient.TypeFile {
			continue
		}
		if e.Entry.Size > 0 {
			return false, nil
		}
		if files++; files == hollowLook {
			break
		}
	}
	return files >= hollowFiles, nil
}

// count reads a file to its end and returns e with the size that it has. Blocks
// for a round trip and the bytes.
func (f *FS) count(ctx context.Context, n *node, e ftpclient.Entry) (ftpclient.Entry, error) {
	path, named := f.nodes.path(n)
	if !named {
		return e, nil
	}
	path = below(f.tree.root, path)
	r, err := f.client.Retrieve(ctx, path, 0, -1)
	if err != nil {
		return e, f.tree.explainFile(ctx, path, err)
	}
	defer r.Close()
	size, err := io.CopyN(io.Discard, r, mostHollow)
	if err != nil && !errors.Is(err, io.EOF) {
		return e, err
	}
	e.Size = size
	return e, nil
}

// listedAs is told how listings show the version that c builds upon, whose size was
// found out otherwise.
func (c *content) listedAs(e ftpclient.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prior = e
}
