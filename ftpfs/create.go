package ftpfs

import (
	"context"
	"io/fs"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// create makes a file that the server gets when it is closed.
func (s *server) create(dir *node, r *fuse.CreateRequest) {
	name, flags, mode := r.Name, r.Flags, r.Mode&^r.Umask
	if err := checkName(name); err != nil {
		r.RespondError(err)
		return
	}
	var h *handle
	s.change(r, func(ctx context.Context) (func(), error) {
		n, c, e, err := s.fs.create(ctx, dir, name, flags, mode)
		if err != nil {
			return nil, err
		}
		h = &handle{node: n, content: c, writing: !flags.IsReadOnly()}
		entered := s.fs.entered(n, e, s.fs.opts.DirTTL)
		if c.isFresh() {
			entered.EntryValid = 0 // the server may still refuse it
		}
		return func() {
			r.Respond(&fuse.CreateResponse{
				LookupResponse: *entered,
				OpenResponse:   fuse.OpenResponse{Handle: s.fs.handles.add(h)},
			})
		}, nil
	}, func() { s.fs.uncreate(s.base, h) })
}

// uncreate closes what the kernel will not close, since its caller was
// interrupted. A file that nobody else has seen is not made at all.
func (f *FS) uncreate(ctx context.Context, h *handle) {
	if h.content.isFresh() && h.content.alone() {
		f.nodes.drop(h.node)
	}
	f.closeHandle(ctx, h)
	f.nodes.forget(h.node.id, 1)
}

func (f *FS) create(ctx context.Context, dir *node, name string, flags fuse.OpenFlags, mode fs.FileMode) (*node, *content, ftpclient.Entry, error) {
	fail := func(err error) (*node, *content, ftpclient.Entry, error) {
		return nil, nil, ftpclient.Entry{}, err
	}
	path, named := f.nodes.path(dir)
	if !named {
		return fail(syscall.ENOENT)
	}
	// Whether the name is free matters to O_EXCL and to those who append:
	// an old listing will not do.
	find := func(ctx context.Context, dir, name string) (cache.Found[ftpclient.Entry], error) {
		return f.tree.lookup(ctx, dir, name, 0)
	}
	if flags&(fuse.OpenExclusive|fuse.OpenAppend) != 0 {
		find = f.tree.fresh
	}
	found, err := find(ctx, below(f.tree.root, path), name)
	if err != nil {
		return fail(err)
	}
	writing := !flags.IsReadOnly()
	if found.Exists {
		switch {
		case flags&fuse.OpenExclusive != 0:
			return fail(syscall.EEXIST)
		case found.Entry.Type == ftpclient.TypeDir:
			return fail(syscall.EISDIR)
		}
		n, e := f.enter(dir, found.Entry)
		c, err := f.contents.open(n, e, writing)
		if err == nil && flags&fuse.OpenTruncate != 0 {
			err = c.truncate(0)
		}
		if err != nil {
			f.nodes.forget(n.id, 1)
			return fail(err)
		}
		return n, c, c.overlay(e), nil
	}
	if err := f.client.CheckName(join(below(f.tree.root, path), name)); err != nil {
		return fail(err)
	}
	e := ftpclient.Entry{Name: name, Type: ftpclient.TypeFile, ModTime: time.Now().UTC(), Precision: time.Nanosecond}
	if unusual(mode) {
		e.Mode, e.HasMode = mode.Perm(), true
	}
	n, e := f.enter(dir, e)
	c, err := f.contents.create(n, mode)
	if err != nil {
		f.nodes.forget(n.id, 1)
		return fail(err)
	}
	return n, c, c.overlay(e), nil
}
