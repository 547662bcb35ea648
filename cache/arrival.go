package cache

import "context"

// Early is an entry told before its listing is whole. It does not change any more, but the
// listing may have another in its place.
type Early[E any] struct {
	Name  string
	Entry *E
}

// An Arrival is a listing on its way, whose names can be seen before it is whole.
type Arrival[E any] struct {
	dirs *Dirs[E]
	dir  string
	fill *dirFill[E]
	left bool
}

// Follow is Outline for who wants to see names as they come. The caller has a place among those
// who share the fill until it closes the Arrival.
func (d *Dirs[E]) Follow(dir string, fill Fill[E]) (*Arrival[E], error) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	a := &Arrival[E]{dirs: d, dir: dir}
	if l, ok := d.fresh(dir, 0, now); ok {
		a.fill = &dirFill[E]{flight: newFlight[Listing[E]](func() {}), started: now}
		a.fill.waiters++
		a.fill.finish(l.snapshot(), nil)
	} else {
		a.fill = d.board(dir, 0, now, fill)
	}
	return a, nil
}

// arrived notes names that a fill has told.
func (d *Dirs[E]) arrived(f *dirFill[E], names []Early[E]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if names == nil {
		f.letGo()
		return
	}
	f.early = append(f.early, names...)
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// letGo forgets what was told. The mutex of its Dirs is held.
func (f *dirFill[E]) letGo() { f.early, f.places, f.placed = nil, nil, 0 }

// Next returns the names that came behind the first n, or at the end the listing, which says
// what there is whatever came before. When the caller has changed something in the directory
// since the listing was begun, only its end tells names: one that came may be gone. It blocks
// until it can, or ctx ends. It may be called from any goroutine, again after the end or an
// error, but not after Close.
func (a *Arrival[E]) Next(ctx context.Context, n int) ([]Early[E], *Listing[E], error) {
	for {
		names, more := a.since(n)
		select {
		case <-a.fill.done:
			if err := a.fill.err; err != nil {
				return nil, nil, err
			}
			return nil, &a.fill.val, nil
		default:
		}
		if len(names) > 0 {
			return names, nil, nil
		}
		select {
		case <-more:
		case <-a.fill.done:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// since returns the names behind the first n, or what is closed when there are some.
func (a *Arrival[E]) since(n int) ([]Early[E], <-chan struct{}) {
	a.dirs.mu.Lock()
	defer a.dirs.mu.Unlock()
	f := a.fill
	if len(f.early) > n && len(f.changes) == 0 {
		return f.early[n:len(f.early):len(f.early)], nil
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return nil, f.more
}

// Find is Next for who wants to see one name: found is there as soon as that has come, unless
// the caller has changed something in the directory meanwhile. Until the listing is whole
// found has the entry that was told.
func (a *Arrival[E]) Find(ctx context.Context, name string) (found *Found[E], whole *Listing[E], err error) {
	for n := 0; ; {
		a.dirs.mu.Lock()
		f, ok := a.dirs.early(a.fill, name)
		n = len(a.fill.early)
		a.dirs.mu.Unlock()
		if ok {
			return &f, nil, nil
		}
		if _, whole, err = a.Next(ctx, n); whole != nil || err != nil {
			return nil, whole, err
		}
	}
}

// Arriving finds name in a listing of dir on its way, if it has come already. It never blocks.
func (d *Dirs[E]) Arriving(dir, name string) (Found[E], bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.flying[dir] {
		if !f.detached {
			return d.early(f, name)
		}
	}
	return Found[E]{}, false
}

// early finds name in what a fill has told. d.mu is held.
func (d *Dirs[E]) early(f *dirFill[E], name string) (Found[E], bool) {
	if len(f.early) == 0 || len(f.changes) > 0 {
		return Found[E]{}, false
	}
	if f.places == nil {
		f.places = make(map[string]int)
	}
	for ; f.placed < len(f.early); f.placed++ {
		f.places[f.early[f.placed].Name] = f.placed
	}
	i, ok := f.places[name]
	if !ok {
		return Found[E]{}, false
	}
	return Found[E]{Entry: *f.early[i].Entry, Exists: true, Fetched: f.started, Expires: d.now().Add(d.ttl)}, true
}

// Close gives the place up: the fill ends when nobody else has one. It may be called again,
// and after the end of the fill.
func (a *Arrival[E]) Close() {
	if !a.left {
		a.left = true
		a.dirs.leave(a.dir, a.fill)
	}
}
