package ftpfs

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"ftpfs/ftpclient"
)

const (
	maxAhead      = 256 << 10            // larger files have streams that run ahead
	maxAheadBytes = 8 << 20              // fetched ahead and not opened yet
	maxInOrder    = 20_000               // files of a directory that can be put in order
	prefetchPause = walkPause            // nothing more is fetched when no file was opened for so long
	headStart     = 2 * time.Millisecond // in which who opens a file asks for its first bytes
	inTurn        = headStart / 4        // between files that are asked for together: who comes first has the first connection
	foreseeRest   = time.Second          // between first files that are looked at: it takes time, and expectations last so long
	aheadFirst    = 3                    // files ahead of a new sequence
	aheadEarned   = 3                    // files that were of use, for each more
	aheadMost     = 16                   // files ahead
	sequences     = 8                    // directories in which files are being opened one after another
)

// A prefetcher recognises programs that read the small files of a directory
// one after another (grep -r, tar c, cp -r), and fetches the next ones on
// connections that nobody needs.
//
// Programs take files in one of three orders: as they are listed, by name, or by
// inode number. Two files in a row tell which; each further file tells whether it
// still holds, and the first file of the next directory whether that is read in the same order.
// How many files it runs ahead grows slowly with those that were of use, so that
// what is fetched for nothing stays a small part.
type prefetcher struct {
	files func(dir *node) []smallFile                             // of a cached listing, as listed; does not block
	fetch func(ctx context.Context, dir *node, name string) error // brings a file; an error is an outage
	free  func(busy int) int                                      // connections to spare beside those at work here
	plan  func(files int)                                         // is told how many more may be brought soon
	base  context.Context                                         // ends when the mount does
	wg    sync.WaitGroup                                          // goOn, and fetches under way

	mu     sync.Mutex
	recent []*sequence        // directories, the last used first
	habit  []int              // orders that the next directory may be read in, too
	wanted []wantedFile       // the next first
	ahead  map[aheadKey]int64 // sizes of files under way or fetched and not opened yet
	bytes  int64              // their sum
	busy   int                // connections at work
	starts int                // head starts that are not over
	used   int                // files that were fetched ahead and opened
	last   time.Time          // when a file was opened
	looked time.Time          // when the last first file of a directory was
}

type aheadKey struct {
	dir  *node
	name string
}

type wantedFile struct {
	aheadKey
	size int64
}

// A smallFile is a file of a directory; size is -1 when it is not worth fetching.
type smallFile struct {
	name string
	ino  uint64
	size int64
}

func compareNames(a, b smallFile) int  { return cmp.Compare(a.name, b.name) }
func compareInodes(a, b smallFile) int { return cmp.Compare(a.ino, b.ino) }

// A sequence is a directory whose files are opened one after another.
type sequence struct {
	dir    *node
	last   string         // opened last
	files  []smallFile    // as listed
	at     map[string]int // index in files
	orders [][]int        // indices in files, in each of the orders
	places [][]int        // the reverse: place in each of the orders, by index
	held   []int          // orders that the files were opened in
}

// prefetch makes the prefetcher of a mount.
func (f *FS) prefetch(base context.Context) *prefetcher {
	p := newPrefetcher(base)
	p.files = f.smallFiles
	p.fetch = func(ctx context.Context, dir *node, name string) error {
		defer f.tree.behind()()
		return f.fetchAhead(ctx, dir, name)
	}
	p.free = func(busy int) int {
		lines, _ := f.tree.spare(busy, false)
		return lines
	}
	p.plan = f.client.Expect
	p.wg.Go(func() { p.goOn(f.client.Idle()) })
	return p
}

// smallFiles are the files in the cached listing of dir.
func (f *FS) smallFiles(dir *node) []smallFile {
	path, named := f.nodes.path(dir)
	listing, ok := f.tree.dirs.Snapshot(below(f.tree.root, path))
	if !named || !ok || len(listing.Entries) > maxInOrder {
		return nil
	}
	var files []smallFile
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	for _, e := range listing.Entries {
		if e.Entry.Type == ftpclient.TypeFile {
			size := e.Entry.Size
			if size == 0 || size > maxAhead {
				size = -1
			}
			files = append(files, smallFile{e.Name, f.nodes.inode(dir, e.Entry), size})
		}
	}
	return files
}

// fetchAhead brings a file as a reader of it would.
func (f *FS) fetchAhead(ctx context.Context, dir *node, name string) error {
	path, named := f.nodes.path(dir)
	found, ok := f.tree.cached(below(f.tree.root, path), name)
	if e := found.Entry; !named || !ok || e.Type != ftpclient.TypeFile || e.Size <= 0 || e.Size > maxAhead || fleeting(e) {
		return nil
	}
	n, e := f.enter(dir, found.Kept)
	defer f.nodes.forget(n.id, 1)
	c, err := f.contents.open(n, e, false)
	if err != nil {
		return nil
	}
	defer f.closeHandle(ctx, &handle{node: n, content: c})
	if err := c.fetchAhead(ctx, e.Size); outage(err) {
		return err
	}
	return nil
}

func newPrefetcher(base context.Context) *prefetcher {
	return &prefetcher{base: base, ahead: make(map[aheadKey]int64)}
}

// Close waits for what is under way, which ends with the base context.
func (p *prefetcher) Close() { p.wg.Wait() }

// opens is told that a file is opened for reading. It does not block.
func (p *prefetcher) opens(dir *node, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.last) > prefetchPause {
		p.stop()
	}
	p.last = now
	ready := p.drop(aheadKey{dir, name})
	if ready {
		p.used++
	}
	s := p.sequence(dir)
	if s.last == name {
		return
	}
	p.recognise(s, name)
	if ready || len(p.wanted) == 0 {
		p.run()
		return
	}
	p.starts++
	p.wg.Go(p.runSoon) // the file itself has to come first
}

// recognise wants what comes next in s if name is opened there in an order.
func (p *prefetcher) recognise(s *sequence, name string) {
	last := s.last
	s.last = name
	if last == "" && len(p.habit) == 0 {
		if p.last.Sub(p.looked) >= foreseeRest {
			p.looked = p.last
			p.wg.Go(func() { p.foresee(s.dir, name) })
		}
		return
	}
	if s.at == nil {
		s.sort(p.files(s.dir))
	}
	if last == "" {
		s.begin(name, p.habit)
	} else {
		s.follow(last, name)
	}
	if len(s.held) > 0 {
		p.want(s)
		p.habit = nil // until it has proved right here, too
	}
	if last != "" && p.used >= aheadEarned {
		p.habit = s.held
	}
}

// foresee tells of the small files in a directory whose first file is opened, in any order: they
// may be next, and logins take longest. Nothing is fetched yet.
func (p *prefetcher) foresee(dir *node, name string) {
	files := p.files(dir)
	i := slices.IndexFunc(files, func(f smallFile) bool { return f.name == name })
	if i < 0 {
		return
	}
	others := 0
	for j, f := range files {
		if j != i && f.size >= 0 {
			others++
		}
	}
	if i == 0 || slices.MinFunc(files, compareNames) == files[i] || slices.MinFunc(files, compareInodes) == files[i] {
		p.plan(others)
	}
}

// sequence finds or begins the sequence of a directory.
func (p *prefetcher) sequence(dir *node) *sequence {
	i := slices.IndexFunc(p.recent, func(s *sequence) bool { return s.dir == dir })
	s := &sequence{dir: dir}
	if i >= 0 {
		s = p.recent[i]
		p.recent = slices.Delete(p.recent, i, i+1)
	}
	p.recent = slices.Insert(p.recent, 0, s)
	p.recent = p.recent[:min(len(p.recent), sequences)]
	return s
}

// sort puts files into the three orders.
func (s *sequence) sort(files []smallFile) {
	s.files, s.at = files, make(map[string]int, len(files))
	listed := make([]int, len(files))
	for i, f := range files {
		s.at[f.name] = i
		listed[i] = i
	}
	byName, byInode := slices.Clone(listed), slices.Clone(listed)
	slices.SortFunc(byName, func(a, b int) int { return compareNames(files[a], files[b]) })
	slices.SortFunc(byInode, func(a, b int) int { return compareInodes(files[a], files[b]) })
	s.orders = [][]int{listed, byName, byInode}
	for _, order := range s.orders {
		places := make([]int, len(order))
		for place, i := range order {
			places[i] = place
		}
		s.places = append(s.places, places)
	}
}

// follow finds the orders in which name comes next after last: those that held before, if
// some of them still do.
func (s *sequence) follow(last, name string) {
	from, known := s.at[last]
	to, alsoKnown := s.at[name]
	var hold, still []int
	for order := range s.orders {
		if !known || !alsoKnown || s.places[order][to] != s.places[order][from]+1 {
			continue
		}
		hold = append(hold, order)
		if slices.Contains(s.held, order) {
			still = append(still, order)
		}
	}
	if s.held = hold; len(still) > 0 {
		s.held = still
	}
}

// begin takes over the orders of another directory in which name is the first file here,
// unless they disagree about the second.
func (s *sequence) begin(name string, orders []int) {
	first, known := s.at[name]
	if !known || len(s.files) < 2 {
		return
	}
	for _, order := range orders {
		if s.places[order][first] != 0 {
			continue
		}
		if s.held = append(s.held, order); s.orders[order][1] != s.orders[s.held[0]][1] {
			s.held = nil
			return
		}
	}
}

// want replaces what is wanted by the files that come next in s.
func (p *prefetcher) want(s *sequence) {
	p.wanted = nil
	order, places := s.orders[s.held[0]], s.places[s.held[0]]
	next := order[places[s.at[s.last]]+1:]
	p.plan(len(next))
	for _, i := range next[:min(len(next), p.reach())] {
		f := s.files[i]
		key := aheadKey{s.dir, f.name}
		if _, there := p.ahead[key]; !there && f.size >= 0 {
			p.wanted = append(p.wanted, wantedFile{key, f.size})
		}
	}
}

// reach is how many files ahead are worth it.
func (p *prefetcher) reach() int { return min(aheadFirst+p.used/aheadEarned, aheadMost) }

// run starts as many fetches as there are connections for. As long as a file that was opened
// has its head start, the end of that does.
func (p *prefetcher) run() {
	if len(p.wanted) == 0 || p.starts > 0 {
		return
	}
	var next []wantedFile
	for free := p.free(p.busy); free > 0 && len(p.wanted) > 0 && len(p.ahead) < p.reach(); free-- {
		f := p.wanted[0]
		if p.bytes+f.size > maxAheadBytes {
			break
		}
		p.wanted = p.wanted[1:]
		p.ahead[f.aheadKey] = f.size
		p.bytes += f.size
		p.busy++
		next = append(next, f)
	}
	if len(next) > 0 {
		p.wg.Go(func() { p.bringInTurn(next) })
	}
}

// bringInTurn brings files each in a goroutine of its own. The pauses follow each other: of
// timers that run at the same time several are over at once, and then the last file comes first.
func (p *prefetcher) bringInTurn(files []wantedFile) {
	for i, f := range files {
		if i > 0 {
			p.pause(inTurn)
		}
		p.wg.Go(func() { p.bring(f) })
	}
}

// goOn is run whenever a connection is idle again, which is later than a file that it has
// brought is there: the server ends the transfer behind it.
func (p *prefetcher) goOn(idle <-chan struct{}) {
	for {
		select {
		case <-idle:
		case <-p.base.Done():
			return
		}
		p.mu.Lock()
		if time.Since(p.last) <= prefetchPause {
			p.run()
		}
		p.mu.Unlock()
	}
}

// runSoon is run after a head start for the file that was just opened.
func (p *prefetcher) runSoon() {
	p.pause(headStart)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts--
	if p.base.Err() == nil {
		p.run()
	}
}

// pause waits, unless the mount ends.
func (p *prefetcher) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.base.Done():
	}
}

func (p *prefetcher) bring(f wantedFile) {
	err := p.fetch(p.base, f.dir, f.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if err != nil || p.base.Err() != nil || time.Since(p.last) > prefetchPause {
		p.stop()
		return
	}
	p.run()
}

// drop takes a file from those ahead, and tells whether it was one.
func (p *prefetcher) drop(key aheadKey) bool {
	size, there := p.ahead[key]
	delete(p.ahead, key)
	p.bytes -= size
	return there
}

// stop forgets what is wanted. What is ahead by now was fetched for nothing.
func (p *prefetcher) stop() {
	p.used = max(0, p.used-aheadEarned*len(p.ahead))
	p.wanted, p.recent, p.habit, p.bytes = nil, nil, nil, 0
	clear(p.ahead)
}
