package ftpfs

import (
	"context"
	"errors"
	"slices"
	"sync"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// coldDirs are the directories in a cached listing that have none themselves, and
// no outline if that will do.
func (t *tree) coldDirs(dir string, outlines bool) (cold []string, listed bool) {
	listing, ok := t.dirs.Snapshot(dir)
	if !ok {
		return nil, false
	}
	for _, e := range listing.Entries {
		if e.Entry.Type == ftpclient.TypeDir {
			if sub := join(dir, e.Name); !t.dirs.Has(sub, outlines) {
				cold = append(cold, sub)
			}
		}
	}
	return cold, true
}

// listAhead fills the cache with the listings of several directories, or with
// outlines where the server has them. Who asks for one of them meanwhile waits for
// it; what the server refuses is told to whoever asks later. An error is an outage.
func (t *tree) listAhead(ctx context.Context, dirs []string, outlines bool) error {
	outlines = outlines && t.client.Server().Outlines
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return t.dirs.Has(dir, outlines) }) // somebody was faster
	switch {
	case len(dirs) == 0:
		return nil
	case outlines:
		return t.outlineAll(ctx, dirs)
	case len(dirs) > 1:
		load := func(ctx context.Context, dir string, fill cache.Fill[ftpclient.Entry]) (cache.Listing[ftpclient.Entry], error) {
			return t.dirs.Load(ctx, dir, 0, fill)
		}
		return outageOf(t.fillAll(ctx, dirs, load, func() (fills []filling) {
			for i, a := range t.client.ListMany(ctx, dirs) {
				fills = append(fills, func(ctx context.Context) (cache.Filled[ftpclient.Entry], error) {
					return t.digest(ctx, dirs[i], a.Listing, a.Err)
				})
			}
			return fills
		}))
	}
	_, err := t.list(ctx, dirs[0], 0)
	return outageOf([]error{err})
}

// outlineAll is listAhead by outlines. What has none is listed.
func (t *tree) outlineAll(ctx context.Context, dirs []string) error {
	errs := t.fillAll(ctx, dirs, t.dirs.Outline, func() (fills []filling) {
		for i, o := range t.client.Outlines(ctx, dirs) {
			fills = append(fills, func(context.Context) (cache.Filled[ftpclient.Entry], error) {
				return t.sketch(dirs[i], o)
			})
		}
		return fills
	})
	for i, err := range errs {
		if errors.Is(err, errNoOutline) {
			_, errs[i] = t.list(ctx, dirs[i], 0)
		}
	}
	return outageOf(errs)
}

// errNoOutline is what those get who have waited for an outline that is none.
var errNoOutline = errors.New("the server has no outline of the directory")

// sketch turns an outline into what readdir shows, and tells the listing above what
// the directory is.
func (t *tree) sketch(dir string, o ftpclient.Outline) (cache.Filled[ftpclient.Entry], error) {
	if o.Err != nil {
		return cache.Filled[ftpclient.Entry]{}, errNoOutline
	}
	filled := cache.Filled[ftpclient.Entry]{Complete: true, Outline: true}
	for _, e := range o.Entries {
		switch {
		case isTemp(e.Name) && !t.temps.has(e.Name), len(e.Name) > maxName:
			return cache.Filled[ftpclient.Entry]{}, errNoOutline // what is done with it depends on more than its name
		case !t.temps.has(e.Name):
			filled.Entries = append(filled.Entries, &cache.Named[ftpclient.Entry]{Name: e.Name, Entry: e})
		}
	}
	parent, name := split(dir)
	o.Self.Name = name
	t.applyStamp(parent, &o.Self)
	t.dirs.Refine(parent, name, o.Self)
	return filled, nil
}

// vague tells whether an outline names what was found, and that is all.
func vague(found cache.Found[ftpclient.Entry]) bool {
	return found.Outline && found.Exists && found.Entry.ModTime.IsZero()
}

// settle finds out what an outline does not tell of name in dir. A directory's facts
// come with its own outline, or alone; for a file the whole of dir has to be listed.
func (t *tree) settle(ctx context.Context, dir, name string, found cache.Found[ftpclient.Entry]) (cache.Found[ftpclient.Entry], bool) {
	path := join(dir, name)
	if found.Entry.Type != ftpclient.TypeDir {
		t.wantsAll()
		return found, false
	}
	if t.dirs.Has(path, true) {
		t.names(ctx, path)
		if found, ok := t.cached(dir, name); ok {
			return found, true
		}
	}
	e, err := t.client.Stat(ctx, path)
	if err != nil || e.ModTime.IsZero() {
		return found, false
	}
	t.applyStamp(dir, &e)
	t.dirs.Refine(dir, name, e)
	found.Entry, found.Kept = e, nil
	return found, true
}

// filling makes an answer of the server's what fills a directory's place in the cache.
type filling = func(context.Context) (cache.Filled[ftpclient.Entry], error)

// fillAll fills several directories, by load, with what ask finds for each.
func (t *tree) fillAll(ctx context.Context, dirs []string, load func(context.Context, string, cache.Fill[ftpclient.Entry]) (cache.Listing[ftpclient.Entry], error), ask func() []filling) []error {
	var group sync.WaitGroup
	errs := make([]error, len(dirs))
	answers := make([]chan filling, len(dirs))
	for i, dir := range dirs {
		answers[i] = make(chan filling, 1)
		group.Go(func() {
			_, errs[i] = load(ctx, dir, func(ctx context.Context, _ func([]cache.Early[ftpclient.Entry])) (cache.Filled[ftpclient.Entry], error) {
				select {
				case fill := <-answers[i]:
					return fill(ctx)
				case <-ctx.Done():
					return cache.Filled[ftpclient.Entry]{}, context.Cause(ctx)
				}
			})
		})
	}
	for i, fill := range ask() {
		answers[i] <- fill
	}
	group.Wait()
	return errs
}

// outageOf is the first of the errors that is an outage.
func outageOf(errs []error) error {
	if i := slices.IndexFunc(errs, outage); i >= 0 {
		return errs[i]
	}
	return nil
}
