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

// negativeValid is how long the kernel may believe that a name is missing
// without asking again, when the listing has longer to live.
const negativeValid = 5 * time.Second

// lookup answers from memory where that knows, else asks the server.
func (s *server) lookup(dir *node, r *fuse.LookupRequest) {
	if len(r.Name) > maxName {
		r.RespondError(syscall.ENAMETOOLONG)
		return
	}
	if s.fs.tree.temps.has(r.Name) {
		r.RespondError(syscall.ENOENT)
		return
	}
	path, named := s.fs.nodes.path(dir)
	if !named {
		r.RespondError(syscall.ENOENT)
		return
	}
	if e, ok := s.fs.localChild(dir, r.Name); ok {
		s.found(dir, r, cache.Found[ftpclient.Entry]{Entry: e, Exists: true, Expires: time.Now().Add(s.fs.opts.DirTTL)})
		return
	}
	at := below(s.fs.tree.root, path)
	if found, ok := s.fs.tree.cached(at, r.Name); ok {
		s.fs.renewal.used(at, found.Expires)
		s.found(dir, r, found)
		return
	}
	if found, ok := s.fs.tree.arriving(at, r.Name); ok {
		s.found(dir, r, found)
		return
	}
	s.ask(r, func(ctx context.Context) error {
		found, err := s.fs.tree.lookup(ctx, at, r.Name, 0)
		if err != nil {
			return err
		}
		s.found(dir, r, found)
		return nil
	})
}

func (s *server) found(dir *node, r *fuse.LookupRequest, found cache.Found[ftpclient.Entry]) {
	left := time.Until(found.Expires)
	if !found.Exists {
		// Node 0 is a negative entry, which the kernel may remember.
		s.fs.missed.Add(miss{dir.id, r.Name}, struct{}{})
		r.Respond(&fuse.LookupResponse{EntryValid: max(0, min(left, negativeValid))})
		return
	}
	if found.Entry.Type != ftpclient.TypeDir {
		s.fs.tree.looked.Store(true)
	}
	shown := found.Kept
	if shown == nil || shown.Name != r.Name {
		shown = &found.Entry
		shown.Name = r.Name
	}
	n, e := s.fs.enter(dir, shown)
	r.Respond(s.fs.entered(n, e, left))
}

// entered describes a node that the kernel gets to know.
func (f *FS) entered(n *node, e ftpclient.Entry, valid time.Duration) *fuse.LookupResponse {
	valid = max(0, min(valid, f.opts.DirTTL))
	return &fuse.LookupResponse{
		Node:       fuse.NodeID(n.id),
		Generation: 1,
		EntryValid: valid,
		Attr:       f.attr(n, e, valid),
	}
}

// enter finds or makes the node of an entry, for one more lookup of the
// kernel's, and returns the entry as it is with local changes. The one given
// must not change any more.
func (f *FS) enter(dir *node, e *ftpclient.Entry) (*node, ftpclient.Entry) {
	n := f.nodes.share(dir, e)
	if c := f.nodes.contentOf(n); c != nil {
		c.notice(*e)
		return n, c.overlay(*e)
	}
	return n, *e
}

// localChild returns the entry of a file that is newer here than on the server.
func (f *FS) localChild(dir *node, name string) (ftpclient.Entry, bool) {
	n := f.nodes.known(dir, name)
	if n == nil {
		return ftpclient.Entry{}, false
	}
	c := f.nodes.contentOf(n)
	if c == nil || !c.local() {
		return ftpclient.Entry{}, false
	}
	return c.overlay(f.nodes.entryOf(n)), true
}

// makeDir makes a directory on the server.
func (s *server) makeDir(dir *node, r *fuse.MkdirRequest) {
	name, mode := r.Name, r.Mode&^r.Umask
	if err := checkName(name); err != nil {
		r.RespondError(err)
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		path, named := s.fs.nodes.path(dir)
		if !named {
			return nil, syscall.ENOENT
		}
		path = join(below(s.fs.tree.root, path), name)
		e, err := s.fs.tree.makeDir(ctx, path)
		if err != nil {
			s.fs.doubt(err, dir, name)
			return nil, err
		}
		if unusualDir(mode) && s.fs.client.Chmod(ctx, path, mode.Perm()) == nil {
			e.Mode, e.HasMode = mode.Perm(), true
			s.fs.tree.put(path, e)
		}
		return func() {
			n, e := s.fs.enter(dir, &e)
			r.Respond(&fuse.MkdirResponse{LookupResponse: *s.fs.entered(n, e, s.fs.opts.DirTTL)})
		}, nil
	}, func() { s.fs.notifier.entry(dir, name) })
}

// unusualDir is to directories what unusual is to files.
func unusualDir(mode fs.FileMode) bool {
	switch mode.Perm() {
	case 0o755, 0o775, 0o777:
		return false
	}
	return true
}

// remove is unlink(2) and rmdir(2).
func (s *server) remove(dir *node, r *fuse.RemoveRequest) {
	name, isDir := r.Name, r.Dir
	if err := checkName(name); err != nil {
		r.RespondError(err)
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		err := s.fs.remove(ctx, dir, name, isDir)
		s.fs.doubt(err, dir, name)
		return r.Respond, err
	}, func() { s.fs.notifier.entry(dir, name) })
}

func (f *FS) remove(ctx context.Context, dir *node, name string, isDir bool) error {
	parent, named := f.nodes.path(dir)
	if !named {
		return syscall.ENOENT
	}
	rel := parent + "/" + name
	path := below(f.tree.root, rel)
	n := f.nodes.known(dir, name)
	if isDir && n != nil && len(f.freshChildren(n)) > 0 {
		return syscall.ENOTEMPTY // the server does not know them yet
	}
	if isDir {
		if err := f.tree.clear(waiting(ctx), path); err != nil {
			return err
		}
	}
	c, done, err := f.hold(ctx, n)
	if err != nil {
		return err
	}
	defer done()
	defer c.quiet()()
	if c != nil {
		c.dropSender()
	}
	switch {
	case c != nil && c.isUnseen():
		// The server never saw it.
	case c != nil && c.needed():
		hidden := f.tree.temps.beside(path)
		c.dooms(hidden)
		if err := f.client.Rename(ctx, path, hidden); err != nil {
			if !uncertain(err) {
				c.spares()
			}
			err = f.tree.explainRemove(ctx, path, false, err)
			f.tree.doubt(err, path)
			return err
		}
		if u := f.tree.temps.unlink(hidden); !c.hide(u) {
			f.tree.unhide(ctx, u)
		}
		f.tree.removed(path, false)
	default:
		if c != nil {
			c.dooms("")
		}
		if err := f.tree.remove(ctx, path, isDir); err != nil && !(c != nil && c.isFresh() && errno(err) == syscall.ENOENT) {
			if c != nil && !uncertain(err) {
				c.spares()
			}
			return err
		}
	}
	f.nodes.removed(dir, name)
	f.files.Forget(rel)
	return nil
}

// doubt makes the kernel ask again for a name that may have changed all the
// same when a change of it failed.
func (f *FS) doubt(err error, dir *node, name string) {
	if uncertain(err) || errno(err) == syscall.ENOENT {
		f.notifier.entry(dir, name)
	}
}
