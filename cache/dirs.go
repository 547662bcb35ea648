package cache

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// DirsConfig says how much Dirs keeps, and for how long. Its zero value works.
type DirsConfig struct {
	// TTL is how long a listing answers after its fill was complete; 0 means
	// one minute, less than 0 that each Load asks anew.
	TTL time.Duration
	// MaxEntries bounds the entries of all listings together, an empty
	// listing counting as one; 0 means 1,000,000. The listing used last stays
	// even when it alone exceeds the bound: to forget it at once would make
	// each lookup in it cost a whole listing.
	MaxEntries int
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Dirs is an LRU of directory listings by path. E is what is known about one
// entry; it is copied freely.
type Dirs[E any] struct {
	ttl time.Duration
	max int
	now func() time.Time

	ctx    context.Context // ends at Close; parent of all fills
	cancel context.CancelFunc
	fills  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	lru     *simplelru.LRU[string, *listing[E]]
	entries int                      // sum of the listings' weights
	flying  map[string][]*dirFill[E] // fills under way; at most one of a directory is not detached
	stats   DirsStats
}

// NewDirs returns an empty Dirs. Close ends it.
func NewDirs[E any](cfg DirsConfig) *Dirs[E] {
	if cfg.TTL == 0 {
		cfg.TTL = time.Minute
	}
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = 1_000_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Dirs[E]{ttl: cfg.TTL, max: cfg.MaxEntries, now: cfg.Now, flying: make(map[string][]*dirFill[E])}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	// Bounded by weight here, not by the number of listings there.
	d.lru, _ = simplelru.NewLRU[string, *listing[E]](math.MaxInt, nil)
	return d
}

// Found is the answer of Lookup.
type Found[E any] struct {
	Entry    E  // the zero E unless Exists
	Kept     *E // the same in the listing, for who wants to remember it, too: it never changes; nil where there is none
	Exists   bool
	Complete bool // the listing is: a negative answer may be trusted
	Outline  bool // the listing is one
	Fetched  time.Time
	Expires  time.Time
}

// Lookup finds name in the cached listing of dir. It answers false when there
// is none that is fresh. It never blocks and does not allocate.
func (d *Dirs[E]) Lookup(dir, name string) (Found[E], bool) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.fresh(dir, 0, now)
	if !ok {
		return Found[E]{}, false
	}
	f := Found[E]{Complete: l.complete, Outline: l.outline, Fetched: l.fetched, Expires: l.expires}
	if i, ok := l.index[name]; ok {
		f.Kept = &l.entries[i].Entry
		f.Entry, f.Exists = *f.Kept, true
	}
	return f, true
}

// Snapshot returns the cached listing of dir, false when there is none that is
// fresh. It never blocks.
func (d *Dirs[E]) Snapshot(dir string) (Listing[E], bool) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.fresh(dir, 0, now)
	if !ok {
		return Listing[E]{}, false
	}
	return l.snapshot(), true
}

// Len returns the number of entries in the listing of dir, 0 if there is no fresh
// one, without counting as a use of it. It never blocks.
func (d *Dirs[E]) Len(dir string) int {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.lru.Peek(dir); ok && now.Before(l.expires) {
		return len(l.index)
	}
	return 0
}

// Has tells whether there is a fresh listing of dir, or perhaps an outline, or one of
// them is on its way, without counting as a use of it. It never blocks.
func (d *Dirs[E]) Has(dir string, outline bool) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.lru.Peek(dir)
	return ok && now.Before(l.expires) && (outline || !l.outline) || len(d.flying[dir]) > 0
}

// Refine tells more of an entry that an outline names. It is no change of the
// caller's own: where there is no such outline or entry any more, nothing happens.
func (d *Dirs[E]) Refine(dir, name string, e E) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.lru.Peek(dir)
	if !ok || !l.outline {
		return
	}
	if _, there := l.index[name]; there {
		l.put(name, e)
	}
}

// fresh returns the listing of dir if it was asked for at most maxAge before
// now (0: if its TTL has not run out), and counts it as used. d.mu is held.
func (d *Dirs[E]) fresh(dir string, maxAge time.Duration, now time.Time) (*listing[E], bool) {
	l, ok := d.lru.Get(dir)
	if ok && maxAge == 0 {
		ok = now.Before(l.expires)
	} else if ok {
		ok = now.Sub(l.fetched) <= maxAge
	}
	if ok {
		d.stats.Hits++
	} else {
		d.stats.Misses++
	}
	return l, ok
}

// Put tells that name in dir is now e, by the caller's own doing.
func (d *Dirs[E]) Put(dir, name string, e E) {
	d.change(dir, func(l *listing[E]) { l.put(name, e) })
}

// Remove tells that name in dir is gone, by the caller's own doing.
func (d *Dirs[E]) Remove(dir, name string) {
	d.change(dir, func(l *listing[E]) { l.remove(name) })
}

// change applies fn to what is cached, and notes it for the fills under way:
// their answer may date from before the change or from after it.
func (d *Dirs[E]) change(dir string, fn func(*listing[E])) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.flying[dir] {
		f.changes = append(f.changes, fn)
	}
	if l, ok := d.lru.Get(dir); ok {
		d.entries -= l.weight()
		fn(l)
		d.entries += l.weight()
		d.trim()
	}
}

// Drop forgets the listing of dir. A fill under way still answers those who
// wait for it, but is not stored, and later callers start a new one.
func (d *Dirs[E]) Drop(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(dir)
}

// DropTree drops dir and every directory below it.
func (d *Dirs[E]) DropTree(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(dir)
	for _, sub := range d.lru.Keys() {
		if below(sub, dir) {
			d.drop(sub)
		}
	}
	for sub := range d.flying {
		if below(sub, dir) {
			d.drop(sub)
		}
	}
}

func (d *Dirs[E]) drop(dir string) {
	d.forget(dir)
	d.detach(dir)
}

// forget takes the listing of dir out. d.mu is held.
func (d *Dirs[E]) forget(dir string) {
	if l, ok := d.lru.Peek(dir); ok {
		d.lru.Remove(dir)
		d.entries -= l.weight()
	}
}

// store makes l the listing of dir. d.mu is held.
func (d *Dirs[E]) store(dir string, l *listing[E]) {
	d.forget(dir) // Add does not report what it replaces
	d.lru.Add(dir, l)
	d.entries += l.weight()
	d.trim()
}

// trim evicts listings down to the bound, but never the one used last.
func (d *Dirs[E]) trim() {
	for d.entries > d.max && d.lru.Len() > 1 {
		_, l, _ := d.lru.RemoveOldest()
		d.entries -= l.weight()
		d.stats.Evictions++
	}
}

// Close cancels all fills and waits for them. Callers who wait in Load get an
// error that is fs.ErrClosed.
func (d *Dirs[E]) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.fills.Wait()
}
