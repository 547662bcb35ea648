package ftpfs

import (
	"context"
	"strings"
	"sync"
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
func (ms *moves) begin(from, to string) (end func()) {
	m := &move{from, to, make(chan struct{})}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.under[m] = true
	return func() {
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

// count tells how many there have been.
func (ms *moves) count() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.ended
}
