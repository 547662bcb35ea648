package ftpfs

import (
	"context"
	"slices"
	"strings"

	"bazil.org/fuse"
)

// Refresh forgets what is remembered of the server's state at path, a place in
// the mount such as "/a/b", and of all below it; "" is the whole mount. The next
// look asks the server. What is not uploaded yet stays. It blocks until the
// kernel has been told, or ctx ends.
func (f *FS) Refresh(ctx context.Context, path string) error {
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
	return f.notifier.tell(ctx, all)
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
