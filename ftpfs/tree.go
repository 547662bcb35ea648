package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"

	lru "github.com/hashicorp/golang-lru/v2"
)

// freshEnough is the age up to which a listing may decide what cannot be
// undone: whether a name is free for O_EXCL, or a directory is empty.
const freshEnough = 2 * time.Second

// maxSize is more than any file has: offsets near it still can be added.
const maxSize = 1 << 62

// A tree answers questions about names from cached listings and changes them
// on the server. Paths are absolute, as the server has them. A listing is
// asked for once however many wait for it, and own changes are seen in it at
// once.
type tree struct {
	client *ftpclient.Client
	dirs   *cache.Dirs[ftpclient.Entry]
	root   string // set before the gate is opened
	log    *slog.Logger

	// exactTimes asks for the time of every file whose listing tells it
	// only to the minute or the day.
	exactTimes bool

	// followLinks shows what symbolic links lead to in their place.
	followLinks bool

	owners *owners // nil: not asked for

	temps      *temps
	moves      *moves
	identities *identities

	background atomic.Int64 // connections that work ahead of programs
	looked     atomic.Bool  // a program has looked at a file
	wantsAll   func()       // is told that an outline was not enough

	// stamps are times known better than listings show them, each with the
	// size that it belongs to. They outlive the listing that they refine.
	stamps *lru.Cache[string, stamp]
}

func newTree(client *ftpclient.Client, ttl time.Duration, entries int, exactTimes bool, log *slog.Logger) (*tree, error) {
	stamps, err := lru.New[string, stamp](maxStamps)
	if err != nil {
		return nil, err
	}
	return &tree{
		client:     client,
		dirs:       cache.NewDirs[ftpclient.Entry](cache.DirsConfig{TTL: ttl, MaxEntries: entries}),
		log:        log,
		exactTimes: exactTimes,
		temps:      newTemps(),
		moves:      newMoves(),
		identities: &identities{},
		wantsAll:   func() {},
		stamps:     stamps,
	}, nil
}

// Close waits for listings under way, which end when their waiters have left.
func (t *tree) Close() { t.dirs.Close() }

// list returns the listing of dir, at most maxAge old (0: the TTL). It blocks
// for the server where the cache does not know.
func (t *tree) list(ctx context.Context, dir string, maxAge time.Duration) (cache.Listing[ftpclient.Entry], error) {
	load := func() (cache.Listing[ftpclient.Entry], error) {
		return t.dirs.Load(ctx, dir, maxAge, t.ask(dir))
	}
	l, err := load()
	if errors.Is(err, errNoOutline) {
		l, err = load()
	}
	return l, err
}

// names is list for who wants names and types alone.
func (t *tree) names(ctx context.Context, dir string) (cache.Listing[ftpclient.Entry], error) {
	l, err := t.dirs.Outline(ctx, dir, t.ask(dir))
	if errors.Is(err, errNoOutline) {
		return t.list(ctx, dir, 0)
	}
	return l, err
}

// follow is names for who wants to see them as they come; the kind of each is the type of its
// entry. It does not block.
func (t *tree) follow(dir string) (*cache.Arrival[ftpclient.Entry], error) {
	return t.dirs.Follow(dir, t.ask(dir))
}

// ask has the server list dir.
func (t *tree) ask(dir string) cache.Fill[ftpclient.Entry] {
	return func(ctx context.Context, arrived func([]cache.Early[ftpclient.Entry])) (cache.Filled[ftpclient.Entry], error) {
		listing, err := t.client.ListArriving(ctx, dir, func(entries []ftpclient.Entry) { arrived(t.glimpse(entries)) })
		arrived(nil) // a large directory would be in memory once more
		return t.digest(ctx, dir, listing, err)
	}
}

// glimpse is what can be shown of entries whose listing is not whole.
func (t *tree) glimpse(entries []ftpclient.Entry) []cache.Early[ftpclient.Entry] {
	if t.owners != nil {
		t.owners.learn(entries)
	}
	early := make([]cache.Early[ftpclient.Entry], 0, len(entries))
	for i := range entries {
		e := &entries[i]
		// What is hidden depends on its time, which is not certain yet.
		if len(e.Name) <= maxName && !isTemp(e.Name) && !(t.followLinks && e.Type == ftpclient.TypeLink) {
			early = append(early, cache.Early[ftpclient.Entry]{Name: e.Name, Entry: e})
		}
	}
	return early
}

// arriving finds name in a listing on its way, if it has come and will be shown as it is. It
// does not block.
func (t *tree) arriving(dir, name string) (cache.Found[ftpclient.Entry], bool) {
	found, ok := t.dirs.Arriving(dir, name)
	return found, ok && t.complete(dir, &found.Entry)
}

// await is list for who looks for one name, which it returns as soon as that has come; nil if
// the listing has to tell.
func (t *tree) await(ctx context.Context, dir, name string) (*cache.Found[ftpclient.Entry], cache.Listing[ftpclient.Entry], error) {
	arrival, err := t.follow(dir)
	if err != nil {
		return nil, cache.Listing[ftpclient.Entry]{}, err
	}
	found, whole, err := arrival.Find(ctx, name)
	if found != nil && t.complete(dir, &found.Entry) {
		// The place is kept, so that the listing goes on to its end: the next name is soon looked for.
		return found, cache.Listing[ftpclient.Entry]{}, nil
	}
	defer arrival.Close()
	if whole != nil && !whole.Outline {
		return nil, *whole, nil
	}
	if err != nil && !errors.Is(err, errNoOutline) {
		return nil, cache.Listing[ftpclient.Entry]{}, err
	}
	listing, err := t.list(ctx, dir, 0)
	return nil, listing, err
}

// complete makes an early entry what digest will make of it; false where that takes more than
// is known yet.
func (t *tree) complete(dir string, e *ftpclient.Entry) bool {
	timed, ok := t.client.Timed(*e)
	if !ok || e.Type != ftpclient.TypeFile && e.Type != ftpclient.TypeDir || e.Size > maxSize || e.ModTime.IsZero() {
		return false
	}
	*e = timed
	if e.Type == ftpclient.TypeFile && e.Precision > time.Second {
		if t.exactTimes || t.stamps.Contains(join(dir, e.Name)) || unsettled(*e) {
			return false
		}
	}
	t.applyStamp(dir, e)
	return true
}

// digest turns the server's answer into what is shown.
func (t *tree) digest(ctx context.Context, dir string, listing ftpclient.Listing, err error) (cache.Filled[ftpclient.Entry], error) {
	if err != nil {
		return cache.Filled[ftpclient.Entry]{}, t.explainList(ctx, dir, err)
	}
	if listing.Unparsed > 0 && len(listing.Entries) == 0 {
		return cache.Filled[ftpclient.Entry]{}, fmt.Errorf("listing %s: %d lines in a form that is not understood, such as %q", dir, listing.Unparsed, listing.UnparsedSample)
	}
	if listing.Unparsed > 0 {
		t.log.Warn("lines of a listing were not understood and are not shown", "dir", dir, "lines", listing.Unparsed, "example", listing.UnparsedSample)
	}
	if listing.Truncated {
		t.log.Warn("the server cut the listing short; names beyond its limit are reached one by one", "dir", dir, "entries", len(listing.Entries))
	}
	t.identities.judge(listing.Entries)
	if t.owners != nil {
		t.owners.learn(listing.Entries)
	}
	if t.followLinks {
		if err := t.client.Follow(ctx, dir, listing.Entries); err != nil {
			return cache.Filled[ftpclient.Entry]{}, err
		}
	}
	if err := t.refine(ctx, dir, listing.Entries); err != nil {
		return cache.Filled[ftpclient.Entry]{}, err
	}
	named := make([]*cache.Named[ftpclient.Entry], 0, len(listing.Entries))
	long := 0
	for _, e := range listing.Entries {
		if len(e.Name) > maxName {
			long++
			continue
		}
		if t.temps.hides(e) {
			continue
		}
		if e.Size > maxSize {
			e.Size = -1
		}
		t.applyStamp(dir, &e)
		named = append(named, &cache.Named[ftpclient.Entry]{Name: e.Name, Entry: e})
	}
	if long > 0 {
		t.log.Warn("names of more than 255 bytes are not shown", "dir", dir, "names", long)
	}
	return cache.Filled[ftpclient.Entry]{Entries: named, Complete: !listing.Truncated && listing.Unparsed == 0}, nil
}

// cached answers from memory: ok is false when the server has to be asked.
func (t *tree) cached(dir, name string) (found cache.Found[ftpclient.Entry], ok bool) {
	found, ok = t.dirs.Lookup(dir, name)
	return found, ok && (found.Exists || found.Complete) && !vague(found)
}

// lookup finds name in dir, by a listing of dir that is at most maxAge old
// (0: the TTL). A missing name is Exists == false, not an error.
func (t *tree) lookup(ctx context.Context, dir, name string, maxAge time.Duration) (cache.Found[ftpclient.Entry], error) {
	if maxAge == 0 {
		found, ok := t.cached(dir, name)
		if !ok && vague(found) {
			found, ok = t.settle(ctx, dir, name, found)
		}
		if ok {
			return found, nil
		}
	}
	listing, err := cache.Listing[ftpclient.Entry]{}, error(nil)
	if maxAge == 0 {
		var found *cache.Found[ftpclient.Entry]
		if found, listing, err = t.await(ctx, dir, name); found != nil {
			return *found, nil
		}
	} else {
		listing, err = t.list(ctx, dir, maxAge)
	}
	now := time.Now()
	if errno(err) == syscall.EACCES {
		// A drop box: files can be reached and stored, but not listed.
		return t.probe(ctx, join(dir, name), now)
	}
	if err != nil {
		return cache.Found[ftpclient.Entry]{}, err
	}
	if found, ok := t.dirs.Lookup(dir, name); ok && !found.Fetched.Before(listing.Fetched) {
		if found.Exists || found.Complete {
			return found, nil
		}
		return t.probe(ctx, join(dir, name), now)
	}
	// The listing was too large to keep, or is gone again.
	for _, e := range listing.Entries {
		if e.Name == name {
			return cache.Found[ftpclient.Entry]{Entry: e.Entry, Exists: true, Complete: listing.Complete, Fetched: listing.Fetched, Expires: listing.Expires}, nil
		}
	}
	if !listing.Complete {
		return t.probe(ctx, join(dir, name), now)
	}
	return cache.Found[ftpclient.Entry]{Complete: true, Fetched: listing.Fetched, Expires: listing.Expires}, nil
}

// maxRelist is the size of a directory whose listing costs no more than to ask
// for one name, and serves for the next ones.
const maxRelist = 1000

// fresh finds name in dir as it is now: by a listing of the last moments, or
// in a large directory by asking for the name alone.
func (t *tree) fresh(ctx context.Context, dir, name string) (cache.Found[ftpclient.Entry], error) {
	if found, ok := t.cached(dir, name); ok && time.Since(found.Fetched) < freshEnough {
		return found, nil
	}
	if listing, ok := t.dirs.Snapshot(dir); !ok || len(listing.Entries) <= maxRelist || !t.client.Server().HasMLST {
		return t.lookup(ctx, dir, name, freshEnough)
	}
	found, err := t.probe(ctx, join(dir, name), time.Now())
	switch {
	case err != nil:
	case found.Exists:
		t.put(join(dir, name), found.Entry)
	default:
		t.dirs.Remove(dir, name)
	}
	return found, err
}

// now finds name in dir by asking the server.
func (t *tree) now(ctx context.Context, dir, name string) (cache.Found[ftpclient.Entry], error) {
	return t.lookup(ctx, dir, name, -1)
}

// probe asks the server for one name, where listings cannot tell.
func (t *tree) probe(ctx context.Context, path string, now time.Time) (cache.Found[ftpclient.Entry], error) {
	found := cache.Found[ftpclient.Entry]{Complete: true, Fetched: now, Expires: now.Add(time.Second)}
	e, err := t.find(ctx, path)
	switch {
	case err == nil:
		found.Entry, found.Exists = e, true
	case errno(err) != syscall.ENOENT:
		return found, err
	}
	return found, nil
}
