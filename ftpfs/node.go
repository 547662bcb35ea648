package ftpfs

import (
	"sync"

	"ftpfs/ftpclient"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const rootID = 1 // the kernel's number for the root of every FUSE file system

// A node is one file, directory or link that the kernel knows, or that is
// open or waits for its upload. It keeps its identity when it is renamed.
type node struct { // of which there are many: 96 bytes
	id      uint64     // the kernel's number, never used twice
	ino     uint64     // the inode number that users see
	opening sync.Mutex // one content at a time is made; taken before nodes.mu

	// The fields below are guarded by nodes.mu.

	parent   *node
	children map[string]*node // known nodes only, not the listing
	twin     *node            // another one with the same number: one file under two names
	entry    *ftpclient.Entry // as last seen, under its name here; it may be the listing's and never changes
	content  *content         // while open or not uploaded
	kept     *ftpclient.Entry // the version whose pages the kernel may keep; nil: none
	lookups  uint64           // what the kernel will forget one day
	pins     int32            // open handles, requests at work, pending uploads
	isDir    bool             // never changes
	gone     bool             // it has no name any more
	unlinked bool             // since we removed or replaced it: its bytes are not wanted
	shifted  bool             // the kernel's pages have bytes that are elsewhere in the file, or nowhere
}

// name is where n is in parent. It wants nodes.mu held.
func (n *node) name() string { return n.entry.Name }

// nodes is the table of all nodes. Nothing here blocks.
type nodes struct {
	mu   sync.Mutex
	byID map[uint64]*node
	next uint64
	root *node

	// moved gives the inode numbers of names that do not have the number that
	// their identity or their place would give them, since they were renamed or
	// made here; taken are those numbers. Only the latest are remembered.
	moved *simplelru.LRU[place, uint64]
	taken map[uint64]place

	identities   *identities
	live         map[uint64]*node // by the number that users see
	same, others int              // how often an unchanged file was told to be the same as before, and another one
}

// maxMoved bounds the remembered numbers, some 200 bytes each.
const maxMoved = 100_000

// A place is a name in a directory with an inode number.
type place struct {
	dir  uint64
	name string
}

func newNodes() *nodes {
	root := &node{id: rootID, ino: rootID, isDir: true, lookups: 1, entry: &ftpclient.Entry{Type: ftpclient.TypeDir}}
	ns := &nodes{
		byID:  map[uint64]*node{rootID: root},
		next:  rootID + 1,
		root:  root,
		taken: make(map[uint64]place),

		identities: &identities{},
		live:       make(map[uint64]*node),
	}
	ns.moved, _ = simplelru.NewLRU(maxMoved, func(_ place, ino uint64) { delete(ns.taken, ino) }) // fails for sizes below 1 only
	return ns
}

// get returns the node with the kernel's number id, nil if there is none.
func (ns *nodes) get(id uint64) *node {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.byID[id]
}

// path gives the place of n below the root, "" for the root itself, and
// whether it still has one.
func (ns *nodes) path(n *node) (string, bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return n.path()
}

// path wants nodes.mu held.
func (n *node) path() (string, bool) {
	length := 0
	for m := n; m.parent != nil; m = m.parent {
		if m.gone {
			return "", false
		}
		length += 1 + len(m.name())
	}
	buf := make([]byte, length)
	for m := n; m.parent != nil; m = m.parent {
		length -= len(m.name())
		copy(buf[length:], m.name())
		length--
		buf[length] = '/'
	}
	return string(buf), true
}

// known returns the node under a name in dir, nil if the kernel has none.
func (ns *nodes) known(dir *node, name string) *node {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return dir.children[name]
}

// enter finds or makes the node for an entry of dir and counts one lookup,
// which the kernel gives back by forget. An entry of another kind than the
// node under its name is something new.
func (ns *nodes) enter(dir *node, e ftpclient.Entry) *node { return ns.share(dir, &e) }

// share is enter for an entry that is in memory anyway and never changes.
func (ns *nodes) share(dir *node, e *ftpclient.Entry) *node {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := dir.children[e.Name]
	if n != nil && n.entry.Type != e.Type {
		ns.detach(n)
		n = nil
	}
	if n == nil {
		n = &node{id: ns.next, ino: ns.number(dir, *e), isDir: e.Type == ftpclient.TypeDir, parent: dir}
		ns.next++
		ns.byID[n.id] = n
		n.twin = ns.live[n.ino]
		ns.live[n.ino] = n
		if dir.children == nil {
			dir.children = make(map[string]*node)
		}
		dir.children[e.Name] = n
	} else {
		ns.compare(*n.entry, *e)
	}
	n.lookups++
	n.entry = e
	return n
}

// forget takes back count lookups of the node id.
func (ns *nodes) forget(id, count uint64) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.byID[id]
	if n == nil || n == ns.root {
		return
	}
	n.lookups -= min(count, n.lookups)
	ns.collect(n)
}

// pin keeps a node in the table until unpin.
func (ns *nodes) pin(n *node) {
	ns.mu.Lock()
	n.pins++
	ns.mu.Unlock()
}

func (ns *nodes) unpin(n *node) {
	ns.mu.Lock()
	n.pins--
	ns.collect(n)
	ns.mu.Unlock()
}

// collect drops n, and the parents that only it kept, when nobody needs it. It
// wants nodes.mu held.
func (ns *nodes) collect(n *node) {
	for n != nil && n != ns.root && n.lookups == 0 && n.pins == 0 && len(n.children) == 0 {
		delete(ns.byID, n.id)
		ns.bury(n)
		parent := n.parent
		if !n.gone && parent.children[n.name()] == n {
			delete(parent.children, n.name())
			ns.remember(n)
		}
		n = parent
	}
}

// bury takes n from those that have its number. It wants nodes.mu held.
func (ns *nodes) bury(n *node) {
	if first := ns.live[n.ino]; first != n {
		for m := first; m != nil; m = m.twin {
			if m.twin == n {
				m.twin = n.twin
			}
		}
		return
	}
	if ns.live[n.ino] = n.twin; n.twin == nil {
		delete(ns.live, n.ino)
	}
}

// remember keeps the number of a name that would get another one next time. It
// wants nodes.mu held.
func (ns *nodes) remember(n *node) {
	_, known := ns.identities.of(*n.entry)
	if !known && ns.identities.seen.Load() || ns.number(n.parent, *n.entry) != n.ino {
		ns.give(place{n.parent.ino, n.name()}, n.ino)
	}
}

// give makes ino the number of a name. It wants nodes.mu held.
func (ns *nodes) give(at place, ino uint64) {
	ns.moved.Add(at, ino)
	ns.taken[ino] = at
}

// detach takes the name from n, which somebody may still have open. It wants
// nodes.mu held.
func (ns *nodes) detach(n *node) {
	n.gone = true
	if n.parent.children[n.name()] == n {
		delete(n.parent.children, n.name())
	}
	ns.release(place{n.parent.ino, n.name()})
	ns.collect(n)
}

// removed is told that name in dir is gone.
func (ns *nodes) removed(dir *node, name string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n := dir.children[name]; n != nil {
		n.unlinked = true
		ns.detach(n)
	}
	ns.release(place{dir.ino, name})
}

// drop takes the name from n.
func (ns *nodes) drop(n *node) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if !n.gone && n.parent != nil {
		n.unlinked = true
		ns.detach(n)
	}
}

// release gives the number of a renamed name free with the name. It wants
// nodes.mu held.
func (ns *nodes) release(at place) { ns.moved.Remove(at) }

// move gives an entry of dir another name, over whatever was there. The number
// goes with it.
func (ns *nodes) move(dir *node, e ftpclient.Entry, newDir *node, newName string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	name, ino := e.Name, ns.inode(dir, e)
	if old := newDir.children[newName]; old != nil {
		old.unlinked = true
		ns.detach(old)
	}
	from, to := place{dir.ino, name}, place{newDir.ino, newName}
	ns.release(from)
	ns.release(to)
	if hashPlace(to, 0) != ino {
		ns.give(to, ino)
	}
	n := dir.children[name]
	if n == nil {
		return
	}
	delete(dir.children, name)
	n.parent = newDir
	n.see(*n.entry, newName)
	if newDir.children == nil {
		newDir.children = make(map[string]*node)
	}
	newDir.children[newName] = n
	ns.collect(dir)
}

// contentOf returns the content of n, nil when it is neither open nor waiting
// for its upload.
func (ns *nodes) contentOf(n *node) *content {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return n.content
}

// entryOf returns what was last seen of n.
func (ns *nodes) entryOf(n *node) ftpclient.Entry {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return *n.entry
}

func (ns *nodes) setEntry(n *node, e ftpclient.Entry) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n.see(e, n.name())
}

// see makes e the entry of n, under a name. It wants nodes.mu held.
func (n *node) see(e ftpclient.Entry, name string) {
	if e.Name = name; e != *n.entry { // else the one that is shared does
		n.entry = &e
	}
}

// setTarget remembers where a link leads.
func (ns *nodes) setTarget(n *node, target string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	e := *n.entry
	e.Target = target
	n.see(e, n.name())
}

// state returns all that is known of n at one moment.
func (ns *nodes) state(n *node) (parent *node, name string, c *content, e ftpclient.Entry, gone bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return n.parent, n.name(), n.content, *n.entry, n.gone
}

// links is how many names n has: one, or none any more, by which a program sees that its file
// was removed or replaced. For directories find(1) understands 1 as "not counted".
func (ns *nodes) links(n *node) uint32 {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n.gone {
		return 0
	}
	return 1
}

// sizeOf is how long n is, which has the entry e: an open file may have turned out to
// be shorter.
func (ns *nodes) sizeOf(n *node, e ftpclient.Entry) int64 {
	ns.mu.Lock()
	c := n.content
	ns.mu.Unlock()
	if c == nil {
		return e.Size
	}
	return c.sizeOf(e)
}

// keeps tells whether the pages that the kernel has of n are those of e, or of
// what is here only, and remembers that from now on they are.
func (ns *nodes) keeps(n *node, e ftpclient.Entry, local bool) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	same := !n.shifted && (local || n.kept != nil && !n.kept.ModTime.IsZero() && sameVersion(*n.kept, e))
	n.kept, n.shifted = &e, false
	if fleeting(e) {
		n.kept = nil
	}
	return same
}

// distrust is told that the kernel has bytes in its pages that are elsewhere
// in the file, or nowhere.
func (ns *nodes) distrust(n *node) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n.shifted = true
}

func (ns *nodes) isShifted(n *node) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return n.shifted
}

// keep is told that the version old is now called e.
func (ns *nodes) keep(n *node, old, e ftpclient.Entry) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n.kept != nil && sameVersion(*n.kept, old) {
		n.kept = &e
	}
}

// wanted tells whether the bytes written to n should still reach the server.
func (ns *nodes) wanted(n *node) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return !n.unlinked
}
