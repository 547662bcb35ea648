package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A slowDir is a directory of small files, each of which takes some round trips
// to fetch, over so many connections.
type slowDir struct {
	files []smallFile
	cost  time.Duration
	after time.Duration // that a line is in use when its file is there
	lines int
	idle  chan struct{} // as Client.Idle
	down  bool

	mu      sync.Mutex
	inUse   int                      // lines
	fetched map[string]chan struct{} // closed when it is there
	asked   int
}

func newSlowDir(n int) *slowDir {
	s := &slowDir{cost: 3 * trip, lines: 6, idle: make(chan struct{}, 1), fetched: make(map[string]chan struct{})}
	for i := range n {
		// By name, as listed and by inode number they are in different orders.
		s.files = append(s.files, smallFile{fmt.Sprintf("f%04d", i*7%n), uint64(i * 13 % n), 1000})
	}
	return s
}

func (s *slowDir) prefetcher(ctx context.Context) *prefetcher {
	p := newPrefetcher(ctx)
	p.files = func(*node) []smallFile { return s.files }
	p.fetch = func(_ context.Context, _ *node, name string) error { return s.fetch(name) }
	p.free = func(busy int) int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.lines - 1 - max(busy, s.inUse)
	}
	p.plan = func(int) {}
	return p
}

func (s *slowDir) fetch(name string) error {
	s.mu.Lock()
	there, begun := s.fetched[name]
	if !begun {
		there = make(chan struct{})
		s.fetched[name] = there
		s.asked++
		s.inUse++
	}
	down := s.down
	s.mu.Unlock()
	if !begun {
		time.Sleep(s.cost)
		close(there)
		time.AfterFunc(s.after, s.release)
	}
	<-there
	if down {
		return errors.New("no answer")
	}
	return nil
}

func (s *slowDir) release() {
	s.mu.Lock()
	s.inUse--
	s.mu.Unlock()
	select {
	case s.idle <- struct{}{}:
	default:
	}
}

// read is what a program meets that reads files.
func (s *slowDir) read(p *prefetcher, dir *node, names ...string) {
	for _, name := range names {
		p.opens(dir, name)
		s.fetch(name)
	}
}

func (s *slowDir) names(less func(a, b smallFile) int) []string {
	files := slices.Clone(s.files)
	slices.SortStableFunc(files, less)
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	return names
}

func asListed(a, b smallFile) int { return 0 }
func byName(a, b smallFile) int {
	if a.name < b.name {
		return -1
	}
	return 1
}
func byInode(a, b smallFile) int { return int(a.ino) - int(b.ino) }

// Each file takes three round trips, of which several are spent at a time.
func TestFilesInOrder(t *testing.T) {
	for name, order := range map[string]func(a, b smallFile) int{"listed": asListed, "name": byName, "inode": byInode} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlowDir(211)
				p := s.prefetcher(t.Context())
				begin := time.Now()
				s.read(p, &node{}, s.names(order)...)
				each := float64(time.Since(begin)) / float64(trip) / 211
				if p.Close(); each > 0.9 || s.asked != 211 {
					t.Errorf("%.2f round trips for each file, %d files fetched of 211", each, s.asked)
				}
			})
		})
	}
}

// A line that is free again some time after its file came is used at once, while the program still
// waits for another file.
func TestFilesOverLinesThatEndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(211)
		s.cost, s.after = 2*trip, trip
		ctx, cancel := context.WithCancel(t.Context())
		p := s.prefetcher(ctx)
		p.wg.Go(func() { p.goOn(s.idle) })
		begin := time.Now()
		s.read(p, &node{}, s.names(byName)...)
		each := float64(time.Since(begin)) / float64(trip) / 211
		cancel()
		if p.Close(); each > 0.64 {
			t.Errorf("%.2f round trips for each file, although 5 lines bring one in 3 each", each)
		}
	})
}

// Connections that become idle while a file has its head start are not taken from it, nor
// when several files have theirs.
func TestHeadStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(50)
		ctx, cancel := context.WithCancel(t.Context())
		p := s.prefetcher(ctx)
		p.wg.Go(func() { p.goOn(s.idle) })
		asked := func() int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.asked
		}
		names, dir := s.names(byName), &node{}
		s.read(p, dir, names[0])
		p.opens(dir, names[1])
		time.Sleep(headStart / 2)
		p.opens(&node{}, names[40]) // in another directory, which is not read in order yet
		s.idle <- struct{}{}
		time.Sleep(headStart * 3 / 4) // the first of both is over
		s.idle <- struct{}{}
		time.Sleep(headStart / 8)
		if n := asked(); n != 1 {
			t.Errorf("%d files were fetched before the two that are open", n-1)
		}
		time.Sleep(headStart)
		if asked() == 1 {
			t.Error("nothing is fetched ahead after the head starts")
		}
		cancel()
		p.Close()
	})
}

// intoDirs divides the files among directories, each with its own part of the names.
func (s *slowDir) intoDirs(p *prefetcher, each int) (dirs []*node, files map[*node][]string) {
	files = make(map[*node][]string)
	listed := make(map[*node][]smallFile)
	for part := range slices.Chunk(s.files, each) {
		dir := &node{}
		dirs, listed[dir] = append(dirs, dir), part
		for _, f := range slices.SortedFunc(slices.Values(part), byInode) {
			files[dir] = append(files[dir], f.name)
		}
	}
	p.files = func(dir *node) []smallFile { return listed[dir] }
	return dirs, files
}

// Who opens the first file of a directory, in any order, may go on to the next ones: that is
// told, but nothing is fetched yet.
func TestFirstFileIsForeseen(t *testing.T) {
	s := newSlowDir(20)
	s.files[0].ino, s.files[1].ino = s.files[1].ino, s.files[0].ino // as listed it is another one than by number
	for i := range s.files {
		s.files[i].name = fmt.Sprintf("f%04d", (i+7)%20) // and by name
	}
	s.files[5].size = -1
	foreseen := map[string]int{s.files[0].name: 18, s.files[1].name: 18, "f0000": 18}
	for _, f := range append(s.files, smallFile{"unlisted", 1, 1}) {
		p, told := s.prefetcher(t.Context()), 0
		p.plan = func(files int) { told = files }
		p.opens(&node{}, f.name)
		if p.Close(); told != foreseen[f.name] {
			t.Errorf("after %s %d more files are expected", f.name, told)
		}
	}
	if s.asked > 0 {
		t.Errorf("%d files were fetched", s.asked)
	}
}

// Who opens files here and there, in more directories than are remembered, does not let each of them
// be looked through for each file.
func TestFirstFilesHereAndThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		s := newSlowDir(20)
		p := s.prefetcher(t.Context())
		p.files = func(*node) []smallFile { looks.Add(1); return s.files }
		for range 2 {
			for range 5 * sequences {
				p.opens(&node{}, s.files[0].name)
			}
			time.Sleep(foreseeRest)
		}
		if p.Close(); looks.Load() != 2 {
			t.Errorf("%d directories were looked through", looks.Load())
		}
	})
}

// Who has read a directory in some order reads the next one in the same: its first file tells.
func TestFilesOfTheNextDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(101)
		p := s.prefetcher(t.Context())
		dirs, files := s.intoDirs(p, 20)
		s.read(p, dirs[0], files[dirs[0]]...)
		s.read(p, dirs[1], files[dirs[1]][0])
		p.Close()
		for i, name := range files[dirs[1]][:5] {
			if s.fetched[name] == nil {
				t.Errorf("%s, the file %d of the next directory, was not fetched with the first", name, i)
			}
		}
	})
}

// A program that wants only the first file of each further directory is mistaken for one that
// wants all of them once.
func TestFirstFilesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(1009)
		p := s.prefetcher(t.Context())
		dirs, files := s.intoDirs(p, 20)
		s.read(p, dirs[0], files[dirs[0]]...)
		for _, dir := range dirs[1:] {
			s.read(p, dir, files[dir][0])
		}
		p.Close()
		if waste := s.asked - 20 - len(dirs[1:]); waste > aheadFirst+20/aheadEarned {
			t.Errorf("%d files were fetched for nothing", waste)
		}
	})
}

// What is fetched for nothing is little, whenever the program stops.
func TestFilesForNothing(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 50, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlowDir(1009)
				p := s.prefetcher(t.Context())
				s.read(p, &node{}, s.names(byName)[:n]...)
				p.Close()
				if waste := s.asked - n; waste > max(aheadFirst, aheadFirst+n/aheadEarned) || waste > aheadMost {
					t.Errorf("%d files fetched for nothing after %d", waste, n)
				}
			})
		})
	}
}

func TestFilesInNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(1009)
		p := s.prefetcher(t.Context())
		names := s.names(byName)
		for i := range 100 {
			s.read(p, &node{}, names[(i*i*31+5)%1009])
		}
		dir := &node{}
		for i := range 100 {
			s.read(p, dir, names[i*401%1009])
		}
		if p.Close(); s.asked > 200 {
			t.Errorf("%d files fetched of at most 200", s.asked)
		}
	})
}

// A file that is large, new or empty is passed over; the others go on.
func TestFilesThatAreNotWorthIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(20)
		for i := range s.files {
			if i%2 == 1 {
				s.files[i].size = -1
			}
		}
		p := s.prefetcher(t.Context())
		names := s.names(asListed)
		s.read(p, &node{}, names[:4]...)
		p.Close()
		for _, name := range []string{names[5], names[7], names[9]} {
			if s.fetched[name] != nil {
				t.Errorf("%s was fetched", name)
			}
		}
		if s.fetched[names[4]] == nil {
			t.Errorf("%s was not", names[4])
		}
	})
}

func TestFilesInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowDir(100)
		s.down = true
		p := s.prefetcher(t.Context())
		s.read(p, &node{}, s.names(byName)[:2]...)
		if p.Close(); s.asked > 2+aheadFirst || len(p.ahead) > 0 || p.bytes != 0 {
			t.Errorf("%d files were tried of a server that does not answer; %d and %d bytes are ahead", s.asked, len(p.ahead), p.bytes)
		}
	})
}
