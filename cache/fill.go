package cache

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errNoResult is what waiters get of a fill that ended its goroutine.
var errNoResult = errors.New("cache: the fill ended without a result")

// A dirFill is one fill of a directory under way. Its fields are guarded by
// the mutex of its Dirs.
type dirFill[E any] struct {
	flight[Listing[E]]
	started  time.Time
	detached bool // neither joined by new callers nor stored
	changes  []func(*listing[E])
	early    []Early[E]     // what has come; appended to until the end
	places   map[string]int // in early, by name, of those before placed; nil when nobody has asked
	placed   int
	more     chan struct{} // closed when more has come; nil when nobody waits for that
}

// A Fill finds out what is in a directory. It may tell entries before it returns, as they come;
// neither all of them nor each only once. When it tells nil, those told are let go of: the
// listing is about to be there.
type Fill[E any] func(ctx context.Context, arrived func([]Early[E])) (Filled[E], error)

// Load returns the listing of dir: the cached one if it was asked for at most
// maxAge ago (0: if its TTL has not run out), else what fill finds. Callers
// share one fill, except that nobody gets one that began more than maxAge
// before the call; a negative maxAge accepts only what is asked for after the
// call. When ctx ends the caller leaves with ctx.Err(); the fill is cancelled
// when its last caller has left. fill runs in a goroutine of its own and must
// return soon after its context ends; its error goes to all who wait and
// nothing is stored.
func (d *Dirs[E]) Load(ctx context.Context, dir string, maxAge time.Duration, fill Fill[E]) (Listing[E], error) {
	l, err := d.load(ctx, dir, maxAge, false, fill)
	if err == nil && l.Outline { // somebody else's fill
		l, err = d.load(ctx, dir, maxAge, false, fill)
	}
	return l, err
}

// Outline is Load for who wants names and types alone: an outline will do, cached
// or on its way.
func (d *Dirs[E]) Outline(ctx context.Context, dir string, fill Fill[E]) (Listing[E], error) {
	return d.load(ctx, dir, 0, true, fill)
}

func (d *Dirs[E]) load(ctx context.Context, dir string, maxAge time.Duration, outline bool, fill Fill[E]) (Listing[E], error) {
	now := d.now()
	d.mu.Lock()
	if l, ok := d.fresh(dir, maxAge, now); ok && (outline || !l.outline) {
		defer d.mu.Unlock()
		return l.snapshot(), nil
	}
	if err := ctx.Err(); err != nil || d.closed {
		d.mu.Unlock()
		if err == nil {
			err = errClosed
		}
		return Listing[E]{}, err
	}
	f := d.board(dir, maxAge, now, fill)
	d.mu.Unlock()
	return f.wait(ctx, func() { d.leave(dir, f) })
}

// board takes a place at the fill of dir that may answer a caller of now, or at a new one.
// leave gives it up. d.mu is held.
func (d *Dirs[E]) board(dir string, maxAge time.Duration, now time.Time, fill Fill[E]) *dirFill[E] {
	f := d.join(dir, maxAge, now)
	if f == nil {
		f = d.start(dir, now, fill)
	}
	f.waiters++
	return f
}

// join returns the fill of dir that may answer a caller of now, if any. d.mu
// is held.
func (d *Dirs[E]) join(dir string, maxAge time.Duration, now time.Time) *dirFill[E] {
	for _, f := range d.flying[dir] {
		if !f.detached && (maxAge == 0 || now.Sub(f.started) <= maxAge) {
			d.stats.Joined++
			return f
		}
	}
	return nil
}

// start begins a fill of dir, the only one that may be stored from now on.
// d.mu is held.
func (d *Dirs[E]) start(dir string, now time.Time, fill Fill[E]) *dirFill[E] {
	ctx, cancel := context.WithCancel(d.ctx)
	f := &dirFill[E]{flight: newFlight[Listing[E]](cancel), started: now}
	d.detach(dir)
	d.flying[dir] = append(d.flying[dir], f)
	d.stats.Fills++
	d.fills.Go(func() {
		filled, err := Filled[E]{}, errNoResult
		defer func() { d.land(dir, f, filled, err) }() // also when fill leaves by runtime.Goexit
		filled, err = fill(ctx, func(names []Early[E]) { d.arrived(f, names) })
	})
	return f
}

// detach keeps the fills of dir under way from being joined and stored. d.mu
// is held.
func (d *Dirs[E]) detach(dir string) {
	for _, f := range d.flying[dir] {
		f.detached = true
	}
}

// leave gives up one caller's place at f.
func (d *Dirs[E]) leave(dir string, f *dirFill[E]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.waiters--
	if f.waiters == 0 {
		f.detached = true // it is about to fail: nobody should join
		f.cancel()
	}
}

// land ends f with what fill returned.
func (d *Dirs[E]) land(dir string, f *dirFill[E], filled Filled[E], err error) {
	var l *listing[E]
	if err == nil {
		l = newListing(filled) // long listings are indexed without the lock
	}
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	f.letGo()
	d.flying[dir] = slices.DeleteFunc(d.flying[dir], func(o *dirFill[E]) bool { return o == f })
	if len(d.flying[dir]) == 0 {
		delete(d.flying, dir)
	}
	if err != nil {
		if d.closed {
			err = errClosed
		}
		f.finish(Listing[E]{}, err)
		return
	}
	for _, change := range f.changes {
		change(l)
	}
	// The TTL counts from the answer: a listing that takes longer than that
	// would otherwise never be of use. Ages count from the question.
	l.fetched, l.expires = f.started, now.Add(d.ttl)
	if !f.detached && !d.closed {
		d.store(dir, l)
	}
	f.finish(l.snapshot(), nil)
}
