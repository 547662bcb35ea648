package ftpfs

import (
	"context"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// known gives the entry of a node as far as memory has it, with the time it
// stays valid. ok is false when the server has to be asked.
func (f *FS) known(n *node) (e ftpclient.Entry, valid time.Duration, ok bool) {
	if n == f.nodes.root {
		return f.nodes.entryOf(n), f.opts.DirTTL, true
	}
	parent, name, c, e, gone := f.nodes.state(n)
	if c != nil && (gone || c.local()) {
		return c.overlay(e), f.opts.DirTTL, true
	}
	if gone {
		return e, f.opts.DirTTL, true
	}
	path, named := f.nodes.path(parent)
	if !named {
		return e, f.opts.DirTTL, true
	}
	dir := below(f.tree.root, path)
	found, ok := f.tree.cached(dir, name)
	if !ok || !found.Exists || found.Entry.Type != e.Type {
		return e, 0, false
	}
	f.renewal.used(dir, found.Expires)
	f.saw(n, c, found.Entry)
	return found.Entry, time.Until(found.Expires), true
}

// saw records what the server shows for a node now.
func (f *FS) saw(n *node, c *content, e ftpclient.Entry) {
	f.nodes.setEntry(n, e)
	if c != nil {
		c.notice(e)
	}
}

// stat is known, or asks the server.
func (f *FS) stat(ctx context.Context, n *node) (ftpclient.Entry, time.Duration, error) {
	if e, valid, ok := f.known(n); ok {
		return e, valid, nil
	}
	parent, name, c, e, _ := f.nodes.state(n)
	path, named := f.nodes.path(parent)
	if !named {
		return e, 0, nil
	}
	found, err := f.tree.lookup(ctx, below(f.tree.root, path), name, 0)
	switch {
	case err != nil:
		return e, 0, err
	case !found.Exists:
		return e, 0, syscall.ENOENT
	case found.Entry.Type != e.Type:
		return e, 0, syscall.ESTALE // something else has the name now
	}
	f.saw(n, c, found.Entry)
	return found.Entry, time.Until(found.Expires), nil
}

func (s *server) getattr(n *node, r *fuse.GetattrRequest) {
	answer := func(e ftpclient.Entry, valid time.Duration) {
		r.Respond(&fuse.GetattrResponse{Attr: s.fs.attr(n, e, min(valid, s.fs.opts.DirTTL))})
	}
	if e, valid, ok := s.fs.known(n); ok {
		answer(e, valid)
		return
	}
	s.ask(r, func(ctx context.Context) error {
		e, valid, err := s.fs.stat(ctx, n)
		if err != nil {
			return err
		}
		answer(e, valid)
		return nil
	})
}
