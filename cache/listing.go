package cache

import (
	"slices"
	"time"
)

// Named is an entry of a listing with its name.
type Named[E any] struct {
	Name  string
	Entry E
}

// Filled is what a fill found. The cache owns Entries, and what they point to, from then on.
// Of entries with the same name the last one counts.
type Filled[E any] struct {
	Entries  []*Named[E]
	Complete bool // nothing is missing: a name that is not there does not exist
	Outline  bool // names and types are right, and not all else: good for Outline, not for Load
}

// Listing is one directory as it was known at one moment. Entries are in the
// server's order, own additions behind them; they are shared and must not be modified.
type Listing[E any] struct {
	Entries  []*Named[E]
	Complete bool
	Outline  bool
	Fetched  time.Time // when the server was asked
	Expires  time.Time // a TTL after its answer was complete
}

// A listing is the mutable form, guarded by the mutex of its Dirs. Changes
// cost the same however long it is: removing an entry leaves a hole, found by
// index no longer pointing at it, and snapshots share the slice until an
// element has to change. What an element points to never changes: it may be
// remembered elsewhere, and goes when nobody does, not with its listing.
type listing[E any] struct {
	entries  []*Named[E]
	index    map[string]int // name to position in entries
	shared   bool           // a snapshot has entries: elements stay as they are, appending is allowed
	complete bool
	outline  bool
	fetched  time.Time
	expires  time.Time
}

func newListing[E any](f Filled[E]) *listing[E] {
	l := &listing[E]{entries: f.Entries, index: make(map[string]int, len(f.Entries)), complete: f.Complete, outline: f.Outline}
	for i, e := range f.Entries {
		l.index[e.Name] = i
	}
	return l
}

// weight is what l counts against the bound. An empty one is not free.
func (l *listing[E]) weight() int { return max(1, len(l.index)) }

func (l *listing[E]) put(name string, e E) {
	i, ok := l.index[name]
	if !ok {
		l.index[name] = len(l.entries)
		l.entries = append(l.entries, &Named[E]{name, e})
		return
	}
	if l.shared {
		l.entries = slices.Clone(l.entries)
		l.shared = false
	}
	l.entries[i] = &Named[E]{name, e}
}

func (l *listing[E]) remove(name string) {
	delete(l.index, name)
	if len(l.entries) > 2*len(l.index)+16 {
		l.compact()
	}
}

// compact closes the holes.
func (l *listing[E]) compact() {
	live := make([]*Named[E], 0, len(l.index))
	for i, e := range l.entries {
		if at, ok := l.index[e.Name]; ok && at == i {
			l.index[e.Name] = len(live)
			live = append(live, e)
		}
	}
	l.entries, l.shared = live, false
}

func (l *listing[E]) snapshot() Listing[E] {
	if len(l.entries) != len(l.index) {
		l.compact()
	}
	l.shared = true
	return Listing[E]{
		Entries:  slices.Clip(l.entries), // the reader's append must not write into ours
		Complete: l.complete,
		Outline:  l.outline,
		Fetched:  l.fetched,
		Expires:  l.expires,
	}
}
