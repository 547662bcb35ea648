package ftpfs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// A change of attributes, as setattr asks for it.
type attrChange struct {
	size    *int64
	mode    *fs.FileMode
	mtime   *time.Time
	owner   *uint32
	group   *uint32
	content *content // of the handle it came through, nil without one
}

// setattr is truncate(2), chmod(2), chown(2) and utimensat(2). The time of
// the last access is not kept anywhere.
func (s *server) setattr(n *node, r *fuse.SetattrRequest) {
	var change attrChange
	if r.Valid.Size() {
		size := int64(r.Size)
		if size < 0 {
			r.RespondError(syscall.EFBIG)
			return
		}
		change.size = &size
	}
	if r.Valid.Mode() {
		mode := r.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		change.mode = &mode
	}
	if r.Valid.MtimeNow() {
		now := time.Now()
		change.mtime = &now
	} else if r.Valid.Mtime() {
		mtime := r.Mtime
		change.mtime = &mtime
	}
	if r.Valid.Uid() {
		uid := r.Uid
		change.owner = &uid
	}
	if r.Valid.Gid() {
		gid := r.Gid
		change.group = &gid
	}
	if r.Valid.Handle() {
		if h := s.fs.handles.get(r.Handle); h != nil {
			change.content = h.content
		}
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		e, err := s.fs.setattr(ctx, n, change)
		if err != nil {
			return nil, err
		}
		return func() {
			r.Respond(&fuse.SetattrResponse{Attr: s.fs.attr(n, e, s.fs.opts.DirTTL)})
		}, nil
	}, func() { s.fs.notifier.attributes(n) })
}

func (f *FS) setattr(ctx context.Context, n *node, change attrChange) (ftpclient.Entry, error) {
	uid, gid := f.owner(f.nodes.entryOf(n))
	if change.owner != nil && *change.owner != uid || change.group != nil && *change.group != gid {
		return ftpclient.Entry{}, syscall.EPERM
	}
	e, _, err := f.stat(ctx, n)
	if err != nil {
		return e, err
	}
	if change.size != nil {
		if err := f.resize(ctx, n, e, *change.size, change.content); err != nil {
			return e, err
		}
	}
	if change.mode != nil {
		if err := f.chmod(ctx, n, *change.mode); err != nil {
			return e, err
		}
	}
	if change.mtime != nil {
		if err := f.setTime(ctx, n, *change.mtime); err != nil {
			return e, err
		}
	}
	e, _, err = f.stat(ctx, n)
	return e, err
}

// resize truncates or grows a file. While somebody has it open for writing
// the server learns of it at the close, else at once.
func (f *FS) resize(ctx context.Context, n *node, e ftpclient.Entry, size int64, c *content) error {
	if n.isDir {
		return syscall.EISDIR
	}
	if c != nil {
		if c.ends(size) {
			return f.touch(ctx, n)
		}
		return c.truncate(size)
	}
	if e.Size < 0 {
		var err error
		if e, err = f.measure(ctx, n, e); err != nil {
			return err
		}
	}
	c, err := f.contents.open(n, e, false)
	if err != nil {
		return err
	}
	defer f.closeHandle(ctx, &handle{node: n, content: c})
	switch {
	case c.ends(size):
		return f.touch(ctx, n)
	case c.writing():
		return c.truncate(size)
	}
	if err := c.lock(waiting(ctx)); err != nil {
		return err
	}
	defer c.unlock()
	untouched := !c.local()
	if err := c.truncate(size); err != nil {
		return err
	}
	gen, _ := c.file.Dirty()
	if err = f.uploads.commitLocked(ctx, n, c); err != nil && untouched && !c.writing() {
		f.contents.discard(n, c, gen) // who was told of the failure does not expect it later
	}
	return err
}

// touch gives n the present time, for a resize that resizes nothing: that is
// not worth an upload, and no failure where the server does not set times.
func (f *FS) touch(ctx context.Context, n *node) error {
	if f.client.CanSetModTime() == ftpclient.No {
		return nil
	}
	return f.setTime(ctx, n, time.Now())
}

// place gives the server's path of n, "" if it was removed while somebody has
// it open, and, with its upload lock held until done, its content if that is not
// published yet.
func (f *FS) place(ctx context.Context, n *node) (path string, c *content, done func(), err error) {
	c, done, err = f.hold(ctx, n)
	if err != nil {
		return "", nil, nil, err
	}
	if c != nil && !c.local() {
		c = nil
	}
	if rel, named := f.nodes.path(n); named {
		path = below(f.tree.root, rel)
	}
	return path, c, done, nil
}

// unlearned publishes a content early when it is not known yet whether the
// server can do what the content would ask of it later, so that the answer is
// the true one. It returns the content if it still is to be published.
func (f *FS) unlearned(ctx context.Context, n *node, c *content, able ftpclient.Capability) (*content, error) {
	if c == nil || able == ftpclient.Yes {
		return c, nil
	}
	if able == ftpclient.No {
		return nil, syscall.ENOTSUP
	}
	return nil, f.uploads.commitLocked(ctx, n, c)
}

func (f *FS) chmod(ctx context.Context, n *node, mode fs.FileMode) error {
	path, c, done, err := f.place(ctx, n)
	if err != nil {
		return err
	}
	defer done()
	e := f.nodes.entryOf(n)
	if c == nil && e.HasMode && e.Mode == mode {
		return nil
	}
	if path == "" {
		e.Mode, e.HasMode = mode, true
		f.nodes.setEntry(n, e)
		if c != nil {
			c.setMode(mode)
		}
		return nil
	}
	if c, err = f.unlearned(ctx, n, c, f.client.CanChmod()); err != nil {
		return err
	}
	if c != nil {
		// A file that is stored in place may have been refused for its permissions.
		if f.uploads.inPlace && c.failure() != nil && !c.isUnseen() {
			if err := f.client.Chmod(ctx, path, mode); err != nil {
				return f.tree.explainFile(ctx, path, err)
			}
		}
		c.setMode(mode)
		return nil
	}
	old := f.nodes.entryOf(n)
	if err := f.client.Chmod(ctx, path, mode); err != nil {
		return f.tree.explainFile(ctx, path, err)
	}
	f.updated(n, path, old, func(e *ftpclient.Entry) { e.Mode, e.HasMode = mode, true })
	return nil
}

func (f *FS) setTime(ctx context.Context, n *node, when time.Time) error {
	path, c, done, err := f.place(ctx, n)
	if err != nil {
		return err
	}
	defer done()
	if path == "" {
		e := f.nodes.entryOf(n)
		e.ModTime, e.Precision = when, time.Nanosecond
		f.nodes.setEntry(n, e)
		if c != nil {
			c.setTime(when)
		}
		return nil
	}
	if c, err = f.unlearned(ctx, n, c, f.client.CanSetModTime()); err != nil {
		return err
	}
	if c != nil {
		c.setTime(when)
		return nil
	}
	old := f.nodes.entryOf(n)
	when = when.UTC().Truncate(time.Second) // what the commands can say
	defer f.nodes.contentOf(n).alter()()
	if n != f.nodes.root {
		err = f.client.SetModTime(ctx, path, when)
	}
	kept := n.isDir && refusesTime(err)
	if kept {
		// Few servers set the times of directories, and every copying
		// program wants to: here they last as long as the mount.
		f.dirTimes.Do(func() {
			f.log.Warn("the server does not set the times of directories: they are kept until the unmount", "dir", path, "error", err)
		})
		err = nil
	}
	if err != nil {
		return f.tree.explainFile(ctx, path, err)
	}
	e := f.updated(n, path, old, func(e *ftpclient.Entry) { e.ModTime, e.Precision = when, time.Second })
	if kept {
		f.tree.stampLocal(path, e)
	}
	return nil
}

// refusesTime tells whether the server said no, or has no command for it.
func refusesTime(err error) bool {
	var refused *ftpclient.Error
	return errors.As(err, &refused) && refused.Kind() != ftpclient.KindNotExist || errors.Is(err, errors.ErrUnsupported)
}

// updated shows an own change of n's attributes everywhere they are kept, and
// returns the new entry. old is what n was before it: by now a listing may have
// shown the change.
func (f *FS) updated(n *node, path string, old ftpclient.Entry, set func(*ftpclient.Entry)) ftpclient.Entry {
	_, _, c, e, _ := f.nodes.state(n)
	set(&e)
	f.nodes.setEntry(n, e)
	if n != f.nodes.root {
		f.tree.put(path, e)
		f.tree.stamp(path, e)
	}
	f.nodes.keep(n, old, e)
	if c != nil {
		c.rebase(old, e)
	}
	return e
}
