package ftpfs

import (
	"sync"

	"bazil.org/fuse"
)

// A handle is one open file or directory of the kernel's.
type handle struct {
	node      *node
	content   *content // of a file
	writing   bool     // the file was opened for writing
	exclusive bool     // it was made by O_EXCL, so others may wait for its name: it is a lock
	dir       *dirHandle
}

// handles numbers what is open.
type handles struct {
	mu   sync.Mutex
	byID map[fuse.HandleID]*handle
	next fuse.HandleID
}

func newHandles() *handles {
	return &handles{byID: make(map[fuse.HandleID]*handle), next: 1}
}

func (hs *handles) add(h *handle) fuse.HandleID {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	id := hs.next
	hs.next++
	hs.byID[id] = h
	return id
}

func (hs *handles) get(id fuse.HandleID) *handle {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.byID[id]
}

func (hs *handles) remove(id fuse.HandleID) *handle {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.byID[id]
	delete(hs.byID, id)
	return h
}

// all returns what is open now.
func (hs *handles) all() []*handle {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := make([]*handle, 0, len(hs.byID))
	for _, h := range hs.byID {
		list = append(list, h)
	}
	return list
}
