package ftpfs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A dirHandle is the directory as it was when it was opened or rewound, so that a walk sees
// every entry once while others come and go. As long as the listing is on its way, the names
// that have come can be read. An offset is a place in data, and good until the next rewind.
type dirHandle struct {
	fs   *FS
	node *node
	dir  string // the server's path, when it was opened

	mu      sync.Mutex
	here    map[string]uint64               // files that the server may lack, before the listing was asked for
	data    []byte                          // entries, as the kernel takes them; only appended to, until rewound
	read    bool                            // something was read since data was begun
	arrival *cache.Arrival[ftpclient.Entry] // brings more; nil when data is all
	taken   int                             // names of arrival that were looked at
	seen    map[string]struct{}             // names in data while there is an arrival
	err     error                           // why data will never be all
}

// direntSize is how much an entry takes besides its name, at most.
const direntSize = 24 + 7

// fullerIn is how long a reader waits for its buffer to become full when some names are there.
const fullerIn = 10 * time.Millisecond

// openDir begins a walk. Where the listing has to come from the server it waits for the first
// names: what fails before them is opendir's error, what fails later readdir's.
func (s *server) openDir(n *node, r *fuse.OpenRequest) {
	path, named := s.fs.nodes.path(n)
	if !named {
		r.RespondError(syscall.ENOENT)
		return
	}
	dir := below(s.fs.tree.root, path)
	s.fs.walker.opens(dir)
	d := &dirHandle{fs: s.fs, node: n, dir: dir, here: s.fs.freshChildren(n)}
	opened := func() { r.Respond(&fuse.OpenResponse{Handle: s.fs.handles.add(&handle{node: n, dir: d})}) }
	if listing, ok := s.fs.tree.dirs.Snapshot(dir); ok {
		s.fs.renewal.used(dir, listing.Expires)
		d.begin(nil)
		d.complete(listing)
		opened()
		return
	}
	s.ask(r, func(ctx context.Context) error {
		arrival, err := s.fs.tree.follow(dir)
		if err != nil {
			return err
		}
		d.begin(arrival)
		if err := d.first(ctx); err != nil {
			d.Close()
			if errno(err) == syscall.ENOTDIR && dir != s.fs.tree.root {
				parent, _ := split(dir)
				s.fs.tree.dirs.Drop(parent)
				err = because(syscall.ESTALE, err) // makes the kernel look the name up again
			}
			return err
		}
		opened()
		return nil
	})
}

// readDir gives the next part of the listing. Reading from the start again is a rewind, which
// sees the directory as it is then.
func (s *server) readDir(r *fuse.ReadRequest) {
	h := s.fs.handles.get(r.Handle)
	if h == nil || h.dir == nil {
		r.RespondError(syscall.EBADF)
		return
	}
	d := h.dir
	if err := d.start(r.Offset); err != nil {
		s.fail(r, err)
		return
	}
	if part, arrival, _, err := d.part(r.Offset, r.Size); err == nil && (arrival == nil || len(part) == r.Size) {
		r.Respond(&fuse.ReadResponse{Data: part})
		return
	}
	s.ask(r, func(ctx context.Context) error {
		part, err := d.await(ctx, r.Offset, r.Size)
		if err != nil {
			return err
		}
		r.Respond(&fuse.ReadResponse{Data: part})
		return nil
	})
}

// start notes that something is read, and looks at the directory anew where it is read from
// the start again. It does not block.
func (d *dirHandle) start(offset int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	again := d.read && offset == 0
	d.read = true
	path, named := d.fs.nodes.path(d.node)
	if !again || !named {
		return nil
	}
	d.here = d.fs.freshChildren(d.node)
	dir := below(d.fs.tree.root, path)
	if listing, ok := d.fs.tree.dirs.Snapshot(dir); ok {
		d.begin(nil)
		d.complete(listing)
		return nil
	}
	if d.arrival != nil {
		return nil // it is as new as another one would be
	}
	arrival, err := d.fs.tree.follow(dir)
	if err == nil {
		d.begin(arrival)
	}
	return err
}

// part returns what there is at offset, and where more comes from, behind the names taken.
func (d *dirHandle) part(offset int64, size int) (part []byte, arrival *cache.Arrival[ftpclient.Entry], taken int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	part = d.data[min(offset, int64(len(d.data))):]
	if len(part) == 0 {
		err = d.err
	}
	return part[:min(size, len(part))], d.arrival, d.taken, err
}

// await returns what is at offset: a full part, the last, or what has come some moments after
// the first name of it.
func (d *dirHandle) await(ctx context.Context, offset int64, size int) ([]byte, error) {
	within := ctx
	for {
		part, arrival, taken, err := d.part(offset, size)
		if err != nil || arrival == nil || len(part) == size {
			return part, err
		}
		if len(part) > 0 && within == ctx {
			moments, cancel := context.WithTimeout(ctx, fullerIn)
			defer cancel()
			within = moments
		}
		if err := d.next(within, arrival, taken); err != nil {
			if len(part) > 0 {
				err = nil
			}
			return part, err
		}
	}
}

// first waits for the first names, or the end.
func (d *dirHandle) first(ctx context.Context) error {
	for {
		d.mu.Lock()
		arrival, taken, err := d.arrival, d.taken, d.err
		d.mu.Unlock()
		if err != nil || arrival == nil || taken > 0 {
			return err
		}
		if err := d.next(ctx, arrival, taken); err != nil {
			return err
		}
	}
}

// next waits for what comes of an arrival behind so many names, and takes it over. The error
// is that of ctx.
func (d *dirHandle) next(ctx context.Context, arrival *cache.Arrival[ftpclient.Entry], taken int) error {
	names, whole, err := arrival.Next(ctx, taken)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	d.take(arrival, taken, names, whole, err)
	return nil
}

// take is what next does when it has waited, unless somebody else has.
func (d *dirHandle) take(arrival *cache.Arrival[ftpclient.Entry], taken int, names []cache.Early[ftpclient.Entry], whole *cache.Listing[ftpclient.Entry], err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.arrival != arrival || d.taken != taken:
	case errors.Is(err, errNoOutline):
		d.arrival.Close() // it was somebody else's
		d.taken = 0
		if d.arrival, d.err = d.fs.tree.follow(d.dir); d.err != nil {
			d.arrival = nil
		}
	case err != nil:
		d.leave()
		d.err = err
		if number := errno(err); d.taken > 0 && number != syscall.ETIMEDOUT && number != syscall.EHOSTUNREACH {
			d.err = because(syscall.EIO, err) // it has been there, and could be read
		}
	case whole != nil:
		d.complete(*whole)
		d.fs.walker.opens(d.dir)
	default:
		d.fs.nodes.mu.Lock()
		defer d.fs.nodes.mu.Unlock()
		for _, e := range names {
			d.add(ftpclient.Entry{Name: e.Name, Unique: e.Entry.Unique, Type: e.Entry.Type})
		}
		d.taken += len(names)
	}
}

// begin makes data anew, with the two entries that no listing has. d.mu is held.
func (d *dirHandle) begin(arrival *cache.Arrival[ftpclient.Entry]) {
	d.leave()
	d.data, d.taken, d.err = nil, 0, nil
	if d.arrival = arrival; arrival != nil {
		d.seen = make(map[string]struct{})
	}
	ns := d.fs.nodes
	ns.mu.Lock()
	defer ns.mu.Unlock()
	parent := d.node
	if d.node.parent != nil {
		parent = d.node.parent
	}
	d.data = fuse.AppendDirent(d.data, fuse.Dirent{Inode: d.node.ino, Type: fuse.DT_Dir, Name: "."})
	d.data = fuse.AppendDirent(d.data, fuse.Dirent{Inode: parent.ino, Type: fuse.DT_Dir, Name: ".."})
}

// complete adds what a listing has beside the names that came before it, and what is only here
// so far, or was when the listing was asked for: it may have been stored behind that. d.mu is held.
func (d *dirHandle) complete(listing cache.Listing[ftpclient.Entry]) {
	fresh := d.fs.freshChildren(d.node)
	for name, ino := range d.here {
		if found, ok := d.fs.tree.cached(d.dir, name); ok && found.Exists {
			fresh[name] = ino
		}
	}
	ns := d.fs.nodes
	ns.mu.Lock()
	defer ns.mu.Unlock()
	size := 0
	for _, e := range listing.Entries[min(d.taken, len(listing.Entries)):] {
		size += direntSize + len(e.Name)
	}
	d.data = slices.Grow(d.data, size)
	for _, e := range listing.Entries {
		delete(fresh, e.Name)
		d.add(e.Entry)
		if n := d.node.children[e.Name]; n != nil && *n.entry == e.Entry {
			n.entry = &e.Entry // it had come before the listing was whole, and was in memory twice
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fresh)) { // each time in the same order
		d.add(ftpclient.Entry{Name: name, Type: ftpclient.TypeFile})
	}
	d.leave()
}

// add appends an entry that is not there yet. d.mu and nodes.mu are held.
func (d *dirHandle) add(e ftpclient.Entry) {
	if d.seen != nil {
		if _, twice := d.seen[e.Name]; twice {
			return
		}
		d.seen[e.Name] = struct{}{}
	}
	d.data = fuse.AppendDirent(d.data, fuse.Dirent{Inode: d.fs.nodes.inode(d.node, e), Type: direntType(e.Type), Name: e.Name})
}

// leave waits for no more names. d.mu is held.
func (d *dirHandle) leave() {
	if d.arrival != nil {
		d.arrival.Close()
	}
	d.arrival, d.seen = nil, nil
}

// Close is told that the directory is closed.
func (d *dirHandle) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leave()
}

// freshChildren are the files of dir that the server does not have yet, or not as they are.
func (f *FS) freshChildren(dir *node) map[string]uint64 {
	type child struct {
		name string
		ino  uint64
		c    *content
	}
	var children []child
	f.nodes.mu.Lock()
	for name, n := range dir.children {
		if n.content != nil {
			children = append(children, child{name, n.ino, n.content})
		}
	}
	f.nodes.mu.Unlock()
	fresh := make(map[string]uint64)
	for _, ch := range children {
		if ch.c.isFresh() || ch.c.local() {
			fresh[ch.name] = ch.ino
		}
	}
	return fresh
}
