package ftpfs

import (
	"fmt"
	"strings"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// resume goes on with the uploads that an earlier mount has not finished. Until
// then what was written is shown.
func (f *FS) resume() {
	left, failed := f.files.Resume()
	for _, err := range failed {
		f.log.Error("something written through an earlier mount was not uploaded", "error", err)
	}
	for _, r := range left {
		if err := f.resumeOne(r); err != nil {
			f.log.Error("something written through an earlier mount was not uploaded", "path", r.Path, "error", err)
			r.File.Park()
		}
	}
}

func (f *FS) resumeOne(r cache.Resumed) error {
	if !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf("its path %q is not one", r.Path)
	}
	names := strings.Split(r.Path[1:], "/")
	for _, name := range names {
		if err := checkName(name); err != nil {
			return fmt.Errorf("its path %q is not one: %w", r.Path, err)
		}
	}
	c := &content{}
	if err := c.restore(r.Note); err != nil {
		return fmt.Errorf("its journal is not understood: %w", err)
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
	c.shares = 1 // of the attempt
	f.nodes.mu.Lock()
	n.content = c
	n.pins++
	f.nodes.mu.Unlock()
	f.log.Info("going on with an upload of an earlier mount", "path", r.Path, "bytes", r.File.Size())
	f.uploads.try(n, c, 0, f.uploads.retry)
	return nil
}
