package cache

import "context"

// Early is what is told of an entry before its listing is whole.
type Early struct {
	Name, Identity string // of the file; Identity may be unknown, ""
	Kind           uint8  // means what the caller of Follow and its fill agree upon
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
func (d *Dirs[E]) arrived(f *dirFill[E], names []Early) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.early = append(f.early, names...)
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// Next returns the names that came behind the first n, or at the end the listing, which says
// what there is whatever came before. It blocks until it can, or ctx ends. It may be called
// from any goroutine, again after the end or an error, but not after Close.
func (a *Arrival[E]) Next(ctx context.Context, n int) ([]Early, *Listing[E], error) {
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
func (a *Arrival[E]) since(n int) ([]Early, <-chan struct{}) {
	a.dirs.mu.Lock()
	defer a.dirs.mu.Unlock()
	f := a.fill
	if len(f.early) > n {
		return f.early[n:len(f.early):len(f.early)], nil
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return nil, f.more
}

// Close gives the place up: the fill ends when nobody else has one. It may be called again,
// and after the end of the fill.
func (a *Arrival[E]) Close() {
	if !a.left {
		a.left = true
		a.dirs.leave(a.dir, a.fill)
	}
}
