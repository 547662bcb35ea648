package ftpfs

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// resume goes on with the uploads that an earlier mount has not finished. Until
// then what was written is shown. It blocks for the server where a directory was
// being renamed when that mount ended.
func (f *FS) resume(ctx context.Context) {
	left, failed := f.files.Resume()
	for _, err := range failed {
		f.log.Error("something written through an earlier mount was not uploaded", "error", err)
	}
	taken := make(map[string]bool)
	for _, r := range left {
		taken[r.Path] = true
	}
	finds := f.finds(ctx)
	for _, r := range left {
		if err := f.resumeOne(r, finds, taken); err != nil {
			f.log.Error("something written through an earlier mount was not uploaded", "path", r.Path, "error", err)
			r.File.Park()
		}
	}
}

// finds returns a function that tells whether the server has path, which it is asked once.
func (f *FS) finds(ctx context.Context) func(path string) (bool, error) {
	known := make(map[string]error)
	return func(path string) (bool, error) {
		err, asked := known[path]
		if !asked {
			_, err = f.tree.find(ctx, path)
			known[path] = err
		}
		if errno(err) == syscall.ENOENT {
			return false, nil
		}
		return err == nil, err
	}
}

// settle tells whether the rename m of a directory was carried out: the server has the new path,
// and the old one no more. If path, of a file below, is the new one, the mount has seen that.
func (m *move) settle(path string, finds func(string) (bool, error)) (moved bool, err error) {
	if m.apply(path) == path {
		return true, nil
	}
	if old, err := finds(m.from); old || err != nil {
		return false, err
	}
	return finds(m.to)
}

// resumeOne goes on with r. taken are the paths of all that was left.
func (f *FS) resumeOne(r cache.Resumed, finds func(string) (bool, error), taken map[string]bool) error {
	c := &content{}
	if err := c.restore(r.Note); err != nil {
		return fmt.Errorf("its journal is not understood: %w", err)
	}
	m, moved, unsure := c.move, false, error(nil)
	if m != nil {
		moved, unsure = m.settle(below(f.tree.root, r.Path), finds)
	}
	if moved {
		path := rel(f.tree.root, m.apply(below(f.tree.root, r.Path)))
		if path != r.Path && taken[path] {
			return fmt.Errorf("its directory was renamed, and %s was written there: %w", path, syscall.EEXIST)
		}
		f.files.Rename(r.Path, path)
		r.Path, taken[path] = path, true
	}
	if !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf("its path %q is not one", r.Path)
	}
	names := strings.Split(r.Path[1:], "/")
	for _, name := range names {
		if err := checkName(name); err != nil {
			return fmt.Errorf("its path %q is not one: %w", r.Path, err)
		}
	}
	dir := f.nodes.root
	for _, name := range names[:len(names)-1] {
		dir = f.nodes.enter(dir, ftpclient.Entry{Name: name, Type: ftpclient.TypeDir})
		defer f.nodes.forget(dir.id, 1)
	}
	base := c.base
	base.Name, base.Type = names[len(names)-1], ftpclient.TypeFile
	n := f.nodes.enter(dir, base)
	defer f.nodes.forget(n.id, 1)
	c = f.contents.make(n, r.File, base, c.fresh)
	c.restore(r.Note)
	if moved {
		c.went(m)
	}
	if m != nil && unsure == nil {
		c.moves(nil)
	}
	for _, temp := range c.left {
		f.tree.temps.adopt(temp)
	}
	if c.aside != "" {
		f.tree.temps.adopt(c.aside)
	}
	c.shares = 1 // of the attempt
	f.nodes.mu.Lock()
	n.content = c
	n.pins++
	f.nodes.mu.Unlock()
	f.log.Info("going on with an upload of an earlier mount", "path", r.Path, "bytes", r.File.Size())
	f.uploads.try(n, c, 0, f.uploads.retry)
	return nil
}
