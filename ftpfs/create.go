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
		var e ftpclient.Entry
		var kernel fuse.OpenResponseFlags
		var err error
		if h, e, kernel, err = s.fs.create(ctx, dir, name, flags, mode); err != nil {
			return nil, err
		}
		entered := s.fs.entered(h.node, e, s.fs.opts.DirTTL)
		if h.content.isFresh() {
			entered.EntryValid = 0 // the server may still refuse it
		}
		return func() {
			r.Respond(&fuse.CreateResponse{
				LookupResponse: *entered,
				OpenResponse:   fuse.OpenResponse{Handle: s.fs.handles.add(h), Flags: kernel},
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

// create opens the file name in dir, a new one if the server has none. The
// kernel looks it up by that, once.
func (f *FS) create(ctx context.Context, dir *node, name string, flags fuse.OpenFlags, mode fs.FileMode) (h *handle, e ftpclient.Entry, kernel fuse.OpenResponseFlags, err error) {
	fail := func(err error) (*handle, ftpclient.Entry, fuse.OpenResponseFlags, error) {
		return nil, ftpclient.Entry{}, 0, err
	}
	rel, named := f.nodes.path(dir)
	if !named {
		return fail(syscall.ENOENT)
	}
	path := join(below(f.tree.root, rel), name)
	found, err := f.lookFor(ctx, dir, path, name, flags)
	if err != nil {
		return fail(err)
	}
	var n *node
	if found.Exists {
		switch {
		case flags&fuse.OpenExclusive != 0:
			return fail(syscall.EEXIST)
		case found.Entry.Type == ftpclient.TypeDir:
			return fail(syscall.EISDIR)
		}
		n, _ = f.enter(dir, &found.Entry)
		h, e, kernel, err = f.open(ctx, n, flags)
		if err == nil && flags&fuse.OpenTruncate != 0 {
			if err = h.content.truncate(0); err != nil {
				f.closeHandle(ctx, h)
			}
		}
	} else {
		if err := f.client.CheckName(path); err != nil {
			return fail(err)
		}
		made := ftpclient.Entry{Name: name, Type: ftpclient.TypeFile, ModTime: time.Now().UTC(), Precision: time.Nanosecond}
		if unusual(mode) {
			made.Mode, made.HasMode = mode.Perm(), true
		}
		n, e = f.enter(dir, &made)
		h = &handle{node: n, writing: true, exclusive: flags&fuse.OpenExclusive != 0} // the file itself is what was written
		h.content, err = f.contents.create(n, mode)
		if err == nil && f.uploads.delay > 0 {
			f.tree.changed(below(f.tree.root, rel)) // now, and not when the file is uploaded behind
		}
	}
	if err != nil {
		f.nodes.forget(n.id, 1)
		return fail(err)
	}
	return h, h.content.overlay(e), kernel, nil
}

// lookFor tells what the name of a file to be created stands for now. An old
// listing will do only for those who cut off what is there anyway.
func (f *FS) lookFor(ctx context.Context, dir *node, path, name string, flags fuse.OpenFlags) (cache.Found[ftpclient.Entry], error) {
	if e, local := f.localChild(dir, name); local {
		return cache.Found[ftpclient.Entry]{Entry: e, Exists: true}, nil
	}
	parent, _ := split(path)
	if flags&fuse.OpenTruncate == 0 || flags&(fuse.OpenExclusive|fuse.OpenAppend) != 0 {
		return f.tree.fresh(ctx, parent, name)
	}
	return f.tree.lookup(ctx, parent, name, 0)
}
