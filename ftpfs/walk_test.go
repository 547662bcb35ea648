package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// trip is a round trip of the servers below.
const trip = 100 * time.Millisecond

// A slowTree is a server of directories whose listings take some round trips
// each, over so many connections.
type slowTree struct {
	subs  map[string][]string
	cost  time.Duration // of a listing
	lines int
	each  int // directories that one listing answers for
	down  bool

	mu     sync.Mutex
	listed map[string]bool
	flying map[string]chan struct{}
	busy   int
	most   int // connections at work at the same time
	asked  int // directories
}

// grid has n directories in each directory, depth levels down.
func grid(n, depth int) map[string][]string {
	subs := map[string][]string{"/": nil}
	level := []string{"/"}
	for range depth {
		var next []string
		for _, dir := range level {
			for i := range n {
				sub := join(dir, fmt.Sprintf("d%02d", i))
				subs[dir] = append(subs[dir], sub)
				subs[sub] = nil
				next = append(next, sub)
			}
		}
		level = next
	}
	return subs
}

func (s *slowTree) walker(ctx context.Context) *walker {
	w := newWalker(ctx)
	s.listed, s.flying = make(map[string]bool), make(map[string]chan struct{})
	w.subdirs = func(dir string, _ bool) (cold []string, listed bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sub := range s.subs[dir] {
			if !s.listed[sub] {
				cold = append(cold, sub)
			}
		}
		return cold, s.listed[dir]
	}
	w.list = func(ctx context.Context, dirs []string, _ bool) error { return s.list(dirs) }
	w.looked = func() bool { return false }
	w.free = func(busy int, _ bool) (int, int) { return s.lines - 1 - busy, s.each }
	return w
}

// list asks for those of dirs that nobody asks for already, and waits for all.
func (s *slowTree) list(dirs []string) error {
	done := make(chan struct{})
	s.mu.Lock()
	var own []string
	var others []chan struct{}
	for _, dir := range dirs {
		switch other := s.flying[dir]; {
		case s.listed[dir]:
		case other != nil:
			others = append(others, other)
		default:
			s.flying[dir] = done
			own = append(own, dir)
		}
	}
	if len(own) > 0 {
		s.busy++
		s.most = max(s.most, s.busy)
		s.asked += len(own)
		s.mu.Unlock()
		time.Sleep(s.cost)
		s.mu.Lock()
		s.busy--
	}
	for _, dir := range own {
		s.listed[dir] = !s.down
		delete(s.flying, dir)
	}
	s.mu.Unlock()
	close(done)
	for _, other := range others {
		<-other
	}
	if s.down {
		return errors.New("no answer")
	}
	return nil
}

// open is what a program meets that opens a directory.
func (s *slowTree) open(w *walker, dir string) {
	w.opens(dir)
	s.mu.Lock()
	cached := s.listed[dir]
	s.mu.Unlock()
	if !cached {
		s.list([]string{dir})
		w.opens(dir)
	}
}

// find walks like find(1), and returns how many directories it saw.
func (s *slowTree) find(w *walker, dir string) int {
	s.open(w, dir)
	n := 1
	for _, sub := range s.subs[dir] {
		n += s.find(w, sub)
	}
	return n
}

// Round trips of a walk over 111 directories, on servers that list one
// directory at a time and on those that list many.
func TestWalkAhead(t *testing.T) {
	for _, c := range []struct {
		name string
		tree *slowTree
		dirs int
		most int // round trips
	}{
		{"a listing at a time", &slowTree{subs: grid(10, 2), cost: 3 * trip, lines: 6, each: 1}, 111, 90},
		{"many in a round trip", &slowTree{subs: grid(10, 2), cost: trip, lines: 6, each: 16}, 111, 20},
		{"deep", &slowTree{subs: grid(2, 7), cost: trip, lines: 6, each: 16}, 255, 80},
		{"a chain", &slowTree{subs: grid(1, 20), cost: trip, lines: 6, each: 16}, 21, 21},
		{"two connections", &slowTree{subs: grid(10, 2), cost: trip, lines: 2, each: 16}, 111, 25},
		{"one connection", &slowTree{subs: grid(10, 2), cost: trip, lines: 1, each: 16}, 111, 111},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := c.tree.walker(t.Context())
				begin := time.Now()
				n := c.tree.find(w, "/")
				trips := int(time.Since(begin) / trip)
				if w.Close(); n != c.dirs || trips > c.most {
					t.Errorf("%d directories in %d round trips, want %d in %d", n, trips, c.dirs, c.most)
				}
				t.Logf("%d round trips", trips)
				if c.tree.most > c.tree.lines {
					t.Errorf("%d connections", c.tree.most)
				}
				if c.tree.asked != c.dirs {
					t.Errorf("%d listings of %d directories", c.tree.asked, c.dirs)
				}
			})
		})
	}
}

// What stops being walked leaves nothing running, and less is ventured next.
func TestWalkThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowTree{subs: grid(100, 2), cost: trip, lines: 6, each: 1}
		w := s.walker(t.Context())
		s.open(w, "/")
		s.open(w, "/d00")
		w.Close()
		first := s.asked - 2
		if first == 0 || first > 2*firstTrust {
			t.Errorf("%d directories were listed for a walk of one step", first)
		}
		time.Sleep(time.Hour)
		for i := range 10 {
			before := s.asked
			s.open(w, fmt.Sprintf("/d%02d", 50+i))
			s.open(w, fmt.Sprintf("/d%02d/d00", 50+i))
			w.Close()
			if n := s.asked - before - 2; n > 2*leastTrust {
				t.Errorf("%d directories for nothing after walks that stopped", n)
			}
			time.Sleep(time.Hour)
		}
	})
}

// Directories opened without their parents, or long after them, are no walk.
func TestNoWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowTree{subs: grid(10, 2), cost: trip, lines: 6, each: 1}
		w := s.walker(t.Context())
		for _, dir := range []string{"/d01/d01", "/d02/d02", "/d05", "/d06"} {
			s.open(w, dir)
		}
		s.open(w, "/")
		time.Sleep(time.Hour)
		s.open(w, "/d07")
		if w.Close(); s.asked != 6 {
			t.Errorf("%d listings of 6 directories", s.asked)
		}
	})
}

// ls */ is no walk to the ground.
func TestWalkOfOneLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowTree{subs: grid(10, 2), cost: trip, lines: 6, each: 1}
		w := s.walker(t.Context())
		s.open(w, "/")
		for _, dir := range s.subs["/"] {
			s.open(w, dir)
		}
		w.Close()
		for _, dir := range slices.Sorted(maps.Keys(s.listed)) {
			if strings.Count(dir, "/") > 1 {
				t.Errorf("%s was listed", dir)
			}
		}
	})
}

func TestWalkInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowTree{subs: grid(100, 2), cost: trip, lines: 6, each: 1}
		w := s.walker(t.Context())
		s.open(w, "/")
		s.down = true
		s.open(w, "/d00")
		w.Close()
		if n := s.asked - 2; n > 5 {
			t.Errorf("%d listings were tried of a server that does not answer", n)
		}
	})
}
