package ftpfs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// measure asks for the size that a listing did not tell.
func (f *FS) measure(ctx context.Context, n *node, e ftpclient.Entry) (ftpclient.Entry, error) {
	path, named := f.nodes.path(n)
	if !named {
		return e, syscall.ENOENT
	}
	size, err := f.client.Size(ctx, below(f.tree.root, path))
	if err != nil {
		return e, f.tree.explainFile(ctx, below(f.tree.root, path), err)
	}
	if size > maxSize {
		return e, syscall.EFBIG
	}
	e.Size = size
	f.tree.put(below(f.tree.root, path), e)
	f.saw(n, nil, e)
	return e, nil
}

// refresh asks the server what n is now, unless a listing has told freshly
// enough, and returns e with the size and the time of that. Blocks for one
// round trip.
func (f *FS) refresh(ctx context.Context, n *node, e ftpclient.Entry) (ftpclient.Entry, error) {
	rel, named := f.nodes.path(n)
	if !named {
		return e, nil
	}
	path := below(f.tree.root, rel)
	dir, name := split(path)
	if found, ok := f.tree.cached(dir, name); ok && time.Since(found.Fetched) < freshEnough {
		return e, nil
	}
	now, err := f.tree.find(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		f.tree.doubt(err, path)
		return e, syscall.ESTALE // makes the kernel look the name up again
	}
	if err != nil {
		return e, err
	}
	if agree(now, e) {
		return e, nil
	}
	e.Size, e.ModTime, e.Precision = now.Size, now.ModTime, now.Precision
	f.tree.put(path, e)
	f.saw(n, f.nodes.contentOf(n), e)
	return e, nil
}
