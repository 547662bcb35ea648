package ftpfs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// Appending wants the end of the file as the server has it now: what is
// uploaded is the whole file, and would undo what others have appended since
// the listing. The kernel, too, appends at the end that it remembers.

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

// append stores p at the end. kernel is where the kernel believes that to be:
// when it is wrong its pages are, too.
func (f *FS) append(h *handle, p []byte, kernel int64) (int, error) {
	end := h.content.file.Size()
	if end != kernel {
		f.nodes.distrust(h.node)
		f.notifier.pages(h.node)
	}
	return h.content.write(p, end)
}
