package ftpfs

import (
	"context"
	"sync"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// lateLife is the part of a listing's life, its last quarter, in which its use
// makes it be fetched anew.
const lateLife = 4

// A revalidator fetches listings that are in use anew before they expire, so
// that nobody has to wait for them, and tells the kernel what has changed.
type revalidator struct {
	fs   *FS
	base context.Context // ends with the mount
	wg   sync.WaitGroup  // listings under way

	mu   sync.Mutex
	busy map[string]bool // directories being listed
}

func newRevalidator(base context.Context, f *FS) *revalidator {
	return &revalidator{fs: f, base: base, busy: make(map[string]bool)}
}

// Close waits for what is under way, which ends with the base context.
func (v *revalidator) Close() { v.wg.Wait() }

// used is told that a listing of dir was used that expires then. It does not block.
func (v *revalidator) used(dir string, expires time.Time) {
	if time.Until(expires) > v.fs.opts.DirTTL/lateLife {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy[dir] {
		return
	}
	if lines, _ := v.fs.tree.spare(len(v.busy), false); lines <= 0 {
		return
	}
	v.busy[dir] = true
	v.wg.Go(func() { v.fetch(dir) })
}

func (v *revalidator) fetch(dir string) {
	defer v.fs.tree.behind()()
	old, known := v.fs.tree.dirs.Snapshot(dir)
	now, err := v.fs.tree.list(v.base, dir, -1) // what fails is told to whoever asks when the old one has expired
	v.mu.Lock()
	delete(v.busy, dir)
	v.mu.Unlock()
	if known && err == nil {
		v.fs.changed(dir, old, now)
	}
}

// changed tells the kernel what differs between two listings of dir.
func (f *FS) changed(dir string, old, now cache.Listing[ftpclient.Entry]) {
	n := f.nodes.at(rel(f.tree.root, dir))
	if n == nil {
		return
	}
	was := make(map[string]*ftpclient.Entry, len(old.Entries))
	for _, e := range old.Entries {
		was[e.Name] = &e.Entry
	}
	for _, e := range now.Entries {
		before, known := was[e.Name]
		delete(was, e.Name)
		if !known || before.Type != e.Entry.Type {
			f.notifier.entry(n, e.Name) // it may remember that there is none, or another kind
			if known {
				f.tree.dirs.DropTree(join(dir, e.Name))
			}
			continue
		}
		if child := f.nodes.known(n, e.Name); child != nil && !looksAlike(*before, e.Entry) {
			f.saw(child, f.nodes.contentOf(child), e.Entry)
			f.notifier.attributes(child)
		}
	}
	for name, e := range was {
		if e.Type == ftpclient.TypeDir {
			f.tree.dirs.DropTree(join(dir, name))
		}
		// The kernel would take the name from a directory that somebody is in.
		if child := f.nodes.known(n, name); child != nil && !child.isDir {
			f.notifier.entry(n, name)
		} else if child != nil {
			f.notifier.attributes(child)
		}
	}
	if len(was) > 0 || len(now.Entries) != len(old.Entries) {
		f.notifier.attributes(n)
	}
}

// looksAlike tells whether stat(2) shows the same of two entries of one kind.
func looksAlike(a, b ftpclient.Entry) bool {
	return sameVersion(a, b) && a.Mode == b.Mode && a.HasMode == b.HasMode && a.Owner == b.Owner && a.Group == b.Group
}
