package ftpfs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// coarseFor is how long after its change a file may have changed again
// without that showing in a listing that tells minutes.
const coarseFor = 2 * time.Minute

// sharpen asks for the exact time of a file that was changed just now, where
// listings do not tell it: another change within the minute may hide behind
// the same size and time.
func (f *FS) sharpen(ctx context.Context, n *node, e ftpclient.Entry) (ftpclient.Entry, error) {
	if time.Since(e.ModTime) > coarseFor || f.client.Server().HasMLSD {
		return e, nil
	}
	rel, named := f.nodes.path(n)
	if c := f.nodes.contentOf(n); !named || c != nil && c.local() {
		return e, nil
	}
	path := below(f.tree.root, rel)
	exact, err := f.client.ModTime(ctx, path)
	var refused *ftpclient.Error
	switch {
	case errors.As(err, &refused):
		return e, nil // a server without MDTM: the listing is all there is
	case err != nil:
		return e, err
	case e.Precision <= time.Second && exact.Equal(e.ModTime):
		return e, nil
	}
	sharp := e
	sharp.ModTime, sharp.Precision = exact, time.Second
	if agree(sharp, e) { // the same version, better known
		return f.updated(n, path, func(e *ftpclient.Entry) { *e = sharp }), nil
	}
	f.tree.put(path, sharp)
	f.tree.stamp(path, sharp)
	f.saw(n, f.nodes.contentOf(n), sharp)
	return sharp, nil
}

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
