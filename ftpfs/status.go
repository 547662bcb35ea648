package ftpfs

import (
	"cmp"
	"context"
	"slices"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// Stats counts what happened since the mount.
type Stats struct {
	Client  ftpclient.Stats
	Dirs    cache.DirsStats
	Files   cache.FilesStats
	Waiting int // files that are closed and not uploaded: it has failed, or is behind
}

// Stats returns a snapshot. It does not block.
func (f *FS) Stats() Stats {
	return Stats{Client: f.client.Stats(), Dirs: f.tree.dirs.Stats(), Files: f.files.Stats(), Waiting: f.uploads.count()}
}

// Status is what a mount is doing. Paths are places in the mount, as "/a/b".
type Status struct {
	Stats
	Server    ftpclient.Server
	Reached   bool // the server's root directory is known: see Options.Delay
	Transfers []ftpclient.Transfer
	Pending   []Pending
}

// Pending is a file of which the server lacks something.
type Pending struct {
	Path string
	Size int64  // bytes
	Err  string // why the last upload failed; "" if none has
}

// Status returns a snapshot. It does not block.
func (f *FS) Status() Status {
	s := Status{Stats: f.Stats(), Server: f.client.Server(), Reached: f.gate.open.Load()}
	if !s.Reached {
		for _, l := range f.left {
			s.Pending = append(s.Pending, Pending{Path: l.Path, Size: l.Size})
		}
		return s
	}
	s.Transfers, s.Pending = f.client.Transfers(), f.nodes.pending()
	for i := range s.Transfers {
		s.Transfers[i].Path = rel(f.tree.root, s.Transfers[i].Path)
	}
	return s
}

// pending lists the files that are to be uploaded, sorted by path.
func (ns *nodes) pending() []Pending {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var list []Pending
	for _, n := range ns.byID {
		if n.content == nil || !n.content.local() {
			continue
		}
		path, named := n.path()
		if !named {
			continue
		}
		p := Pending{Path: path, Size: n.content.file.Size()}
		if err := n.content.failure(); err != nil {
			p.Err = err.Error()
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Pending) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

// ClearCache forgets the contents of files and the listings, except for what is in use
// or not uploaded yet. It blocks until the kernel has been told, or ctx ends.
func (f *FS) ClearCache(ctx context.Context) error {
	f.files.Clear()
	return f.Refresh(ctx, "")
}

// Verified is what VerifyCache has found.
type Verified = cache.Verified

// VerifyCache compares all file contents that are kept with their checksums, and drops what is
// damaged, so that it is fetched again. It reads the whole cache, which takes its time.
func (f *FS) VerifyCache(ctx context.Context) (Verified, error) { return f.files.Verify(ctx) }
