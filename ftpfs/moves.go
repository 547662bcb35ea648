package ftpfs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
)

// moves are the renames of directories: while one is under way, what is below is
// at one of two paths. Who has not found it there waits for the end, and looks
// where it is now.
type moves struct {
	mu    sync.Mutex
	under map[*move]bool
	ended int // so many
}

type move struct {
	from, to string        // the server's paths of the directory
	done     chan struct{} // closed at the end
}

func newMoves() *moves { return &moves{under: make(map[*move]bool)} }

// begin announces a rename, until end.
func (ms *moves) begin(from, to string) (m *move, end func()) {
	m = &move{from, to, make(chan struct{})}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.under[m] = true
	return m, func() {
		ms.mu.Lock()
		defer ms.mu.Unlock()
		delete(ms.under, m)
		ms.ended++
		close(m.done)
	}
}

// wait blocks while path may be elsewhere.
func (ms *moves) wait(ctx context.Context, path string) error {
	for {
		m := ms.of(path)
		if m == nil {
			return nil
		}
		select {
		case <-m.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// of returns a rename under way of a directory above path, nil if there is none.
func (ms *moves) of(path string) *move {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for m := range ms.under {
		if strings.HasPrefix(path, m.from+"/") {
			return m
		}
	}
	return nil
}

// moved tells whether c is not in the directory any more that had the path of path when its own
// was asked for: another one may have that by now.
func (cs *contents) moved(c *content, path string) bool {
	now, named := cs.nodes.path(c.node)
	dir, _ := split(path)
	in, _ := split(below(cs.tree.root, now))
	return !named || in != dir
}

// stays is an error if it is not, when renames under way have ended. No connection is held.
func (cs *contents) stays(ctx context.Context, c *content, path string) error {
	if err := cs.tree.moves.wait(ctx, path); err != nil {
		return err
	}
	return cs.still(c, path)()
}

// still is stays for who holds a connection, and asks later: it waits for no rename.
func (cs *contents) still(c *content, path string) func() error {
	return func() error {
		if cs.moved(c, path) {
			return errMoved
		}
		return nil
	}
}

// errMoved: the directory has got another path meanwhile. If another directory has that, the file
// has no place there.
var errMoved = fmt.Errorf("the directory was renamed meanwhile: %w", syscall.ESTALE)

// count tells how many there have been.
func (ms *moves) count() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.ended
}

// A file that waits for its upload, or will be changed, is found by a later mount at the path
// that its journal tells. So before the server hears of a rename, all journals below know both
// paths, and after its end one: whenever the mount is killed, the next one finds the file where
// the server has its directory.

// move announces the rename of the directory dir to the journals of what is below. end tells
// how it went, when the paths of nodes and files are those of then; while nobody knows, the
// journals keep both. It blocks for the local disk.
func (cs *contents) move(dir *node, from, to string) (end func(error)) {
	m, done := cs.tree.moves.begin(from, to)
	for _, c := range cs.nodes.contentsBelow(dir) {
		c.moves(m)
		c.file.SyncNote()
	}
	return func(err error) {
		done()
		if uncertain(err) {
			return
		}
		for _, c := range cs.nodes.contentsBelow(dir) {
			if err == nil {
				c.went(m)
			}
			c.moves(nil)
		}
	}
}

// moves writes down that a directory above c is about to be renamed; nil: that this is over.
func (c *content) moves(m *move) {
	c.mu.Lock()
	c.move = m
	c.mu.Unlock()
	c.journal()
}

// contentsBelow returns the contents of all files below dir, which may be nil.
func (ns *nodes) contentsBelow(dir *node) (all []*content) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if dir == nil {
		return nil
	}
	for dirs := []*node{dir}; len(dirs) > 0; dirs = dirs[1:] {
		for _, n := range dirs[0].children {
			if n.content != nil {
				all = append(all, n.content)
			}
			dirs = append(dirs, n)
		}
	}
	return all
}

// went is told that what was left of c, by an earlier mount or as the user may want it, is in a
// directory that was renamed by m.
func (c *content) went(m *move) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, temp := range c.left {
		c.left[i] = m.apply(temp)
	}
	c.aside = m.apply(c.aside)
}

// apply returns what path is after the rename.
func (m *move) apply(path string) string {
	if rest, in := strings.CutPrefix(path, m.from+"/"); in {
		return m.to + "/" + rest
	}
	return path
}
