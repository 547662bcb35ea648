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

// recent is e as the server had it some moments ago: who opens a file gets what
// was written and closed elsewhere before. The directory is listed, once for all
// its files that are opened then; a large one less often. An outage leaves e as it
// is, which is good until its listing expires. Blocks for one round trip.
func (f *FS) recent(ctx context.Context, n *node, e ftpclient.Entry) (ftpclient.Entry, error) {
	rel, named := f.nodes.path(n)
	if !named {
		return e, nil
	}
	dir, name := split(below(f.tree.root, rel))
	age := freshEnough * time.Duration(1+f.tree.dirs.Len(dir)/maxRelist)
	if found, ok := f.tree.cached(dir, name); ok && time.Since(found.Fetched) < age {
		return e, nil
	}
	found, err := f.tree.lookup(ctx, dir, name, age)
	switch now := found.Entry; {
	case err != nil:
		return e, unlessOutage(ctx, err)
	case !found.Exists, now.Type != e.Type:
		return e, syscall.ESTALE // makes the kernel look the name up again
	case now.Size < 0, agree(now, e):
		return e, nil
	default:
		f.saw(n, f.nodes.contentOf(n), now)
		f.notifier.attributesNow(n) // it would read up to the size that it remembers
		return now, nil
	}
}

// unlessOutage drops errors that only say that the server could not be asked.
func unlessOutage(ctx context.Context, err error) error {
	switch number := errno(err); {
	case ctx.Err() != nil, number == syscall.ESTALE, number == syscall.ENOENT:
		return err
	}
	return nil
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
	e.Size, e.ModTime, e.Precision, e.Unique = now.Size, now.ModTime, now.Precision, now.Unique
	f.tree.put(path, e)
	f.saw(n, f.nodes.contentOf(n), e)
	return e, nil
}
