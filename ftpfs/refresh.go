package ftpfs

import (
	"context"
	"slices"
	"strings"

	"bazil.org/fuse"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Refresh forgets what is remembered of the server's state at path, a place in
// the mount such as "/a/b", and of all below it; "" is the whole mount. The next
// look asks the server. What is not uploaded yet stays. It blocks until the
// kernel has been told, or ctx ends.
func (f *FS) Refresh(ctx context.Context, path string) error {
	if !f.gate.open.Load() {
		return nil // nothing is remembered yet
	}
	at := below(f.tree.root, path)
	if dir, _ := split(at); path != "" {
		f.tree.dirs.Drop(dir)
	}
	f.tree.dirs.DropTree(at)
	var all []func() error
	for _, n := range f.nodes.below(path) {
		all = append(all, func() error { return f.notifier.conn.InvalidateNode(fuse.NodeID(n.id), -1, 0) })
		// The kernel would take the name from a directory that somebody is in.
		if parent, name, _, _, gone := f.nodes.state(n); !n.isDir && !gone {
			all = append(all, func() error { return f.notifier.conn.InvalidateEntry(fuse.NodeID(parent.id), name) })
		}
	}
	for _, m := range f.missed.Keys() { // the kernel believes for some seconds that there is none
		all = append(all, func() error { return f.notifier.conn.InvalidateEntry(fuse.NodeID(m.dir), m.name) })
	}
	f.missed.Purge()
	return f.notifier.tell(ctx, all)
}

// A miss is a name that the kernel was told is missing.
type miss struct {
	dir  uint64 // node
	name string
}

const maxMisses = 1000

func newMisses() *lru.Cache[miss, struct{}] {
	misses, _ := lru.New[miss, struct{}](maxMisses) // fails for sizes below 1 only
	return misses
}

// below gives the known nodes at path and deeper, parents last.
func (ns *nodes) below(path string) []*node {
	top := ns.at(path)
	if top == nil {
		return nil
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	found := []*node{top}
	for i := 0; i < len(found); i++ {
		for _, child := range found[i].children {
			found = append(found, child)
		}
	}
	slices.Reverse(found)
	return found
}

// at returns the node at a path below the root, nil if none is known.
func (ns *nodes) at(path string) *node {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.root
	if path == "" {
		return n
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}
