package ftpfs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	walkMemory  = 30 * time.Second // a directory opened so long ago is not being walked any more
	walkPause   = 2 * time.Second  // nothing more is fetched when no directory was opened for so long
	maxVisited  = 10_000           // directories that are remembered as opened
	maxWanted   = 10_000           // directories that wait to be listed ahead
	firstTrust  = 16               // listings ahead that a new walk is worth
	leastTrust  = 4
	mostTrust   = 1000
	trustEarned = 2  // for each listing ahead that was of use
	namesOnly   = 16 // directories opened without a look at a file, after which names are what is wanted
)

// A walker recognises programs that go through a tree (find, du, ls -R, rsync)
// and lists directories ahead of them.
//
// A directory that is opened soon after its parent is a step of a walk: its
// siblings come next. After a second step downward what they contain is wanted,
// too. Listings ahead are trusted to be of use as those before them were: at
// most trust of them wait to be opened, a number that grows as they are, and
// shrinks when a walk ends without them. They take connections that nobody
// needs, never the last one, and end when the walk does.
//
// Who wants names alone (find) is served by outlines, where the server has them:
// many in one round trip. From the first look at a file in one of them on, whole
// listings are fetched, until many directories are opened without one.
type walker struct {
	subdirs func(dir string, outlines bool) (dirs []string, listed bool)  // those in a cached listing that have no cached listing, or outline; does not block
	list    func(ctx context.Context, dirs []string, outlines bool) error // fills the cache; an error is an outage
	free    func(busy int, outlines bool) (lines, each int)               // connections to spare beside those at work here, and directories to ask at a time on each
	looked  func() bool                                                   // whether programs have looked at files since it was last asked
	base    context.Context                                               // ends when the mount does
	wg      sync.WaitGroup                                                // listings ahead under way

	mu      sync.Mutex
	visited *lru.Cache[string, *visit]
	wanted  []want          // the next first
	known   map[string]bool // wanted, under way or ahead
	ahead   map[string]bool // listed ahead and not opened yet
	asked   int             // directories being listed ahead
	busy    int             // connections that do so
	trust   int
	full    bool      // outlines do not do: walks look at files
	unseen  int       // directories opened since a program looked at a file
	last    time.Time // when a directory was opened
}

// A visit is what is remembered of an opened directory.
type visit struct {
	at       time.Time
	step     bool // opened soon after its parent
	descends bool // and a directory two levels below it was, too
	expanded bool // its directories were wanted
}

// A want is a directory to be listed ahead.
type want struct {
	dir    string
	urgent bool // in a directory that is open
	deep   bool // and then what it contains
}

// walkTree makes the walker of a mount.
func walkTree(base context.Context, t *tree) *walker {
	w := newWalker(base)
	w.subdirs, w.free = t.coldDirs, t.spare
	w.looked = func() bool { return t.looked.Swap(false) }
	w.list = func(ctx context.Context, dirs []string, outlines bool) error {
		defer t.behind()()
		return t.listAhead(ctx, dirs, outlines)
	}
	t.wantsAll = w.wantAll
	return w
}

// behind counts one more connection that works ahead of programs, until done.
func (t *tree) behind() (done func()) {
	t.background.Add(1)
	return func() { t.background.Add(-1) }
}

// together is how many directories are listed ahead in one go, where that costs
// few round trips.
const together = 20

// spare tells how many connections a walker may use beside the busy ones that it
// has, and how many directories it should ask for on each: always one is left for
// what programs wait for.
func (t *tree) spare(busy int, outlines bool) (lines, each int) {
	s := t.client.Stats()
	each = 1
	if server := t.client.Server(); server.ListsTogether || outlines && server.Outlines {
		each = together
	}
	if s.Limit == 1 && each > 1 { // as short as any command
		return s.Idle - busy, each
	}
	return s.Limit - 1 - max(busy, int(t.background.Load()), s.Open-s.Idle), each
}

func newWalker(base context.Context) *walker {
	visited, _ := lru.New[string, *visit](maxVisited) // fails for sizes below 1 only
	return &walker{base: base, visited: visited, known: make(map[string]bool), ahead: make(map[string]bool), trust: firstTrust}
}

// Close waits for what is under way, which ends with the base context.
func (w *walker) Close() { w.wg.Wait() }

// opens is told that a program opens a directory, before that is listed and,
// unless the listing was cached, once more after it. It does not block.
func (w *walker) opens(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Sub(w.last) > walkPause {
		w.stop()
	}
	w.last = now
	if w.unseen++; w.looked() {
		w.unseen = 0
	}
	if w.unseen > namesOnly {
		w.full = false
	}
	if w.ahead[dir] {
		delete(w.ahead, dir)
		w.trust = min(w.trust+trustEarned, mostTrust)
	}
	delete(w.known, dir)
	v := w.visit(dir, now)
	parent, _ := split(dir)
	if above, ok := w.recent(parent, now); ok && parent != dir {
		v.step = true
		deep := above.step || above.descends
		w.expand(parent, above, dir, deep)
		if deep {
			w.descend(parent)
			w.expand(dir, v, "", true)
		}
	}
	w.run()
}

// visit notes that dir is opened now, and that the walk is still going on in
// the directories above it.
func (w *walker) visit(dir string, now time.Time) *visit {
	v, ok := w.recent(dir, now)
	if !ok {
		v = &visit{at: now}
		w.visited.Add(dir, v)
	}
	for at := dir; ; {
		above, ok := w.recent(at, now)
		if !ok {
			return v
		}
		above.at = now
		up, _ := split(at)
		if up == at {
			return v
		}
		at = up
	}
}

// recent is what is remembered of dir if it may still be walked.
func (w *walker) recent(dir string, now time.Time) (*visit, bool) {
	v, ok := w.visited.Get(dir)
	return v, ok && now.Sub(v.at) < walkMemory
}

// descend tells that a directory in dir was opened, and dir in the one above:
// what is there and was listed ahead will be walked to the ground.
func (w *walker) descend(dir string) {
	top, _ := split(dir)
	v, ok := w.visited.Peek(top)
	if !ok || v.descends {
		return
	}
	v.descends = true
	for i := range w.wanted {
		if in, _ := split(w.wanted[i].dir); in == top {
			w.wanted[i].deep = true
		}
	}
	for _, sub := range w.sorted(top) {
		w.want(sub, "", false, true)
	}
}

// sorted are the directories in dir that are listed ahead.
func (w *walker) sorted(dir string) []string {
	var subs []string
	for sub := range w.ahead {
		if in, _ := split(sub); in == dir {
			subs = append(subs, sub)
		}
	}
	slices.Sort(subs)
	return subs
}

// expand wants the directories in dir, which is open, once: first those after
// the one that is opened.
func (w *walker) expand(dir string, v *visit, after string, deep bool) {
	if !v.expanded {
		v.expanded = w.want(dir, after, true, deep)
	}
}

// want wants the directories in dir, false if it is not listed.
func (w *walker) want(dir, after string, urgent, deep bool) bool {
	subs, listed := w.subdirs(dir, !w.full)
	if i := slices.Index(subs, after); i >= 0 {
		subs = slices.Concat(subs[i+1:], subs[:i])
	}
	wants := make([]want, 0, min(len(subs), maxWanted))
	for _, sub := range subs {
		if len(w.wanted)+len(wants) >= maxWanted {
			break
		}
		if !w.known[sub] {
			w.known[sub] = true
			wants = append(wants, want{sub, urgent, deep})
		}
	}
	if urgent {
		w.wanted = append(wants, w.wanted...)
	} else {
		w.wanted = append(w.wanted, wants...)
	}
	return listed
}

// run starts as many listings as there are connections for.
func (w *walker) run() {
	if len(w.wanted) == 0 {
		return
	}
	lines, each := w.free(w.busy, !w.full)
	for ; lines > 0; lines-- {
		batch := w.next(each)
		if len(batch) == 0 {
			return
		}
		w.busy++
		w.asked += len(batch)
		outlines := !w.full
		w.wg.Go(func() { w.fetch(batch, outlines) })
	}
}

// wantAll is told that an outline was not enough for a program. What was outlined
// ahead is wanted again.
func (w *walker) wantAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return
	}
	w.full = true
	again := slices.Sorted(maps.Keys(w.ahead))
	for _, dir := range again[:min(len(again), max(0, maxWanted-len(w.wanted)))] {
		delete(w.ahead, dir)
		w.wanted = append(w.wanted, want{dir: dir, urgent: true})
	}
	w.run()
}

// next takes at most n wanted directories that are worth it now.
func (w *walker) next(n int) []want {
	var batch []want
	for len(batch) < n && len(w.wanted) > 0 {
		first := w.wanted[0]
		limit := w.trust
		if first.urgent {
			limit *= 2
		}
		if len(w.ahead)+w.asked+len(batch) >= limit {
			break
		}
		w.wanted = w.wanted[1:]
		if !w.known[first.dir] {
			continue // opened meanwhile
		}
		batch = append(batch, first)
	}
	return batch
}

func (w *walker) fetch(batch []want, outlines bool) {
	dirs := make([]string, len(batch))
	for i, b := range batch {
		dirs[i] = b.dir
	}
	err := w.list(w.base, dirs, outlines)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.asked -= len(batch)
	for _, b := range batch {
		if w.known[b.dir] {
			w.ahead[b.dir] = true
		}
		if b.deep && w.known[b.dir] {
			w.want(b.dir, "", false, true)
		}
	}
	if err != nil || w.base.Err() != nil || time.Since(w.last) > walkPause {
		w.stop()
		return
	}
	w.run()
}

// stop forgets what is wanted. Nothing was worth it that is not opened by now.
func (w *walker) stop() {
	w.trust = max(leastTrust, w.trust-len(w.ahead))
	w.wanted = nil
	clear(w.known)
	clear(w.ahead)
}
