package cache

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

const modelTTL = 10 * time.Second

// modelFill is a fill as the model sees it. The real one waits on answer.
type modelFill struct {
	dir      string
	started  time.Time
	detached bool
	changes  []func(map[string]int)
	callers  int
	answer   chan modelAnswer
	ended    bool // the real fill saw its context end
}

type modelAnswer struct {
	entries map[string]int
	err     error
}

type modelListing struct {
	entries          map[string]int
	fetched, expires time.Time
}

type modelCaller struct {
	fill   *modelFill
	cancel context.CancelFunc
	result chan modelResult
}

type modelResult struct {
	listing Listing[int]
	err     error
}

type dirsModel struct {
	d       *Dirs[int]
	cached  map[string]*modelListing
	fills   []*modelFill
	callers []*modelCaller
	started []*modelFill // by the real fills, since last looked at
}

// TestDirsAgainstModel runs loads, own changes, drops, departures and the
// clock in any order, and compares each answer with a model without sharing.
func TestDirsAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(withoutDeadline{t}, checkDirs) })
}

// withoutDeadline hides T.Deadline, which must not be called in a bubble.
type withoutDeadline struct{ testing.TB }

var errFill = errors.New("fill failed")

func checkDirs(t *rapid.T) {
	m := &dirsModel{d: NewDirs[int](DirsConfig{TTL: modelTTL}), cached: map[string]*modelListing{}}
	defer func() {
		m.d.Close()
		for _, c := range m.callers {
			if r := <-c.result; r.err == nil {
				t.Fatalf("a load ended well at Close")
			}
		}
	}()
	dirs := rapid.SampledFrom([]string{"/", "/a", "/a/b", "/ab"})
	names := rapid.SampledFrom([]string{"x", "y", "z"})
	values := rapid.IntRange(0, 1000)
	t.Repeat(map[string]func(*rapid.T){
		"load": func(t *rapid.T) {
			age := rapid.SampledFrom([]time.Duration{0, 0, 3 * time.Second, modelTTL * 2, -1}).Draw(t, "maxAge")
			m.load(t, dirs.Draw(t, "dir"), age, m.d.Load)
		},
		"follow": func(t *rapid.T) { m.load(t, dirs.Draw(t, "dir"), 0, m.follow) },
		"answer": func(t *rapid.T) {
			if len(m.fills) == 0 {
				t.Skip("no fill")
			}
			a := modelAnswer{entries: rapid.MapOf(names, values).Draw(t, "entries")}
			if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
				a.err = errFill
			}
			m.answer(t, rapid.SampledFrom(m.fills).Draw(t, "fill"), a)
		},
		"leave": func(t *rapid.T) {
			if len(m.callers) == 0 {
				t.Skip("no caller")
			}
			m.leave(t, rapid.SampledFrom(m.callers).Draw(t, "caller"))
		},
		"put": func(t *rapid.T) {
			dir, name, v := dirs.Draw(t, "dir"), names.Draw(t, "name"), values.Draw(t, "value")
			m.d.Put(dir, name, v)
			m.change(dir, func(e map[string]int) { e[name] = v })
		},
		"remove": func(t *rapid.T) {
			dir, name := dirs.Draw(t, "dir"), names.Draw(t, "name")
			m.d.Remove(dir, name)
			m.change(dir, func(e map[string]int) { delete(e, name) })
		},
		"drop": func(t *rapid.T) {
			dir := dirs.Draw(t, "dir")
			m.d.Drop(dir)
			m.drop(func(d string) bool { return d == dir })
		},
		"dropTree": func(t *rapid.T) {
			dir := rapid.SampledFrom([]string{"/", "/a"}).Draw(t, "dir")
			m.d.DropTree(dir)
			m.drop(func(d string) bool { return dir == "/" || d == "/a" || d == "/a/b" })
		},
		"sleep": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Second, 6 * time.Second}).Draw(t, "time"))
		},
		"": func(t *rapid.T) { m.check(t) },
	})
}

// follow is Load for maxAge 0, by way of an Arrival.
func (m *dirsModel) follow(ctx context.Context, dir string, _ time.Duration, fill Fill[int]) (Listing[int], error) {
	a, err := m.d.Follow(dir, fill)
	if err != nil {
		return Listing[int]{}, err
	}
	defer a.Close()
	for n := 0; ; {
		names, whole, err := a.Next(ctx, n)
		if err != nil || whole != nil {
			if err != nil {
				whole = &Listing[int]{}
			}
			return *whole, err
		}
		n += len(names)
	}
}

func (m *dirsModel) load(t *rapid.T, dir string, maxAge time.Duration, load func(context.Context, string, time.Duration, Fill[int]) (Listing[int], error)) {
	now := time.Now()
	var want *modelListing
	if l := m.cached[dir]; l != nil && (maxAge == 0 && now.Before(l.expires) || maxAge != 0 && now.Sub(l.fetched) <= maxAge) {
		want = l
	}
	var join *modelFill
	for _, f := range m.fills {
		if f.dir == dir && !f.detached && (maxAge == 0 || now.Sub(f.started) <= maxAge) {
			join = f
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &modelCaller{cancel: cancel, result: make(chan modelResult, 1)}
	go func() {
		l, err := load(ctx, dir, maxAge, m.fill(dir))
		c.result <- modelResult{l, err}
	}()
	synctest.Wait()

	started := m.started
	m.started = nil
	switch {
	case want != nil:
		defer cancel()
		select {
		case r := <-c.result:
			m.compare(t, r, want.entries)
		default:
			t.Fatalf("load of %s did not use what is cached", dir)
		}
		if len(started) != 0 {
			t.Fatalf("a fill of %s, though cached", dir)
		}
		return
	case join != nil:
		if len(started) != 0 {
			t.Fatalf("a second fill of %s", dir)
		}
		c.fill = join
	default:
		if len(started) != 1 {
			t.Fatalf("%d fills of %s, want a new one", len(started), dir)
		}
		for _, f := range m.fills {
			f.detached = f.detached || f.dir == dir
		}
		c.fill = started[0]
		c.fill.started = now
		m.fills = append(m.fills, c.fill)
	}
	c.fill.callers++
	m.callers = append(m.callers, c)
}

func (m *dirsModel) fill(dir string) Fill[int] {
	return func(ctx context.Context, arrived func([]Early[int])) (Filled[int], error) {
		f := &modelFill{dir: dir, answer: make(chan modelAnswer)}
		arrived(told("x"))
		m.started = append(m.started, f) // the test is in synctest.Wait
		select {
		case a := <-f.answer:
			var filled Filled[int]
			for _, name := range slices.Sorted(maps.Keys(a.entries)) {
				filled.Entries = append(filled.Entries, &Named[int]{name, a.entries[name]})
			}
			filled.Complete = true
			return filled, a.err
		case <-ctx.Done():
			f.ended = true
			return Filled[int]{}, ctx.Err()
		}
	}
}

func (m *dirsModel) answer(t *rapid.T, f *modelFill, a modelAnswer) {
	f.answer <- a
	synctest.Wait()
	m.fills = slices.DeleteFunc(m.fills, func(o *modelFill) bool { return o == f })
	entries := maps.Clone(a.entries)
	for _, c := range f.changes {
		c(entries)
	}
	m.callers = slices.DeleteFunc(m.callers, func(c *modelCaller) bool {
		if c.fill != f {
			return false
		}
		r := <-c.result
		c.cancel()
		if a.err == nil {
			m.compare(t, r, entries)
		} else if r.err != a.err {
			t.Fatalf("load ended with %v, want %v", r.err, a.err)
		}
		return true
	})
	if a.err == nil && !f.detached {
		m.cached[f.dir] = &modelListing{entries, f.started, time.Now().Add(modelTTL)}
	}
}

func (m *dirsModel) leave(t *rapid.T, c *modelCaller) {
	c.cancel()
	if r := <-c.result; r.err != context.Canceled {
		t.Fatalf("a caller who leaves got %v", r.err)
	}
	synctest.Wait()
	m.callers = slices.DeleteFunc(m.callers, func(o *modelCaller) bool { return o == c })
	c.fill.callers--
	if c.fill.ended != (c.fill.callers == 0) {
		t.Fatalf("fill cancelled: %v, with %d callers left", c.fill.ended, c.fill.callers)
	}
	if c.fill.ended {
		m.fills = slices.DeleteFunc(m.fills, func(o *modelFill) bool { return o == c.fill })
	}
}

func (m *dirsModel) change(dir string, fn func(map[string]int)) {
	for _, f := range m.fills {
		if f.dir == dir {
			f.changes = append(f.changes, fn)
		}
	}
	if l := m.cached[dir]; l != nil {
		fn(l.entries)
	}
}

func (m *dirsModel) drop(match func(dir string) bool) {
	maps.DeleteFunc(m.cached, func(dir string, _ *modelListing) bool { return match(dir) })
	for _, f := range m.fills {
		f.detached = f.detached || match(f.dir)
	}
}

// check compares lookups, snapshots and figures with the model.
func (m *dirsModel) check(t *rapid.T) {
	entries := 0
	for _, dir := range []string{"/", "/a", "/a/b", "/ab"} {
		want := m.cached[dir]
		if want != nil {
			entries += max(1, len(want.entries))
		}
		fresh := want != nil && time.Now().Before(want.expires)
		// A snapshot in only some of the rounds: it changes what Put does next.
		if rapid.Bool().Draw(t, "snapshot") {
			l, ok := m.d.Snapshot(dir)
			if ok != fresh {
				t.Fatalf("snapshot of %s: %v, want %v", dir, ok, fresh)
			}
			if ok {
				m.compare(t, modelResult{listing: l}, want.entries)
			}
		}
		for _, name := range []string{"x", "y", "z"} {
			f, ok := m.d.Lookup(dir, name)
			if ok != fresh {
				t.Fatalf("lookup in %s: %v, want %v", dir, ok, fresh)
			}
			if !ok {
				continue
			}
			v, exists := want.entries[name]
			if f.Exists != exists || f.Entry != v || !f.Complete || !f.Expires.Equal(want.expires) || !f.Fetched.Equal(want.fetched) {
				t.Fatalf("lookup of %s in %s: %+v, want %v %v", name, dir, f, v, exists)
			}
		}
	}
	st := m.d.Stats()
	if st.Entries != entries || st.Listings != len(m.cached) || st.Filling != len(m.fills) {
		t.Fatalf("%+v, want %d entries, %d listings, %d fills", st, entries, len(m.cached), len(m.fills))
	}
}

func (m *dirsModel) compare(t *rapid.T, r modelResult, want map[string]int) {
	if r.err != nil {
		t.Fatalf("load: %v", r.err)
	}
	got := map[string]int{}
	for _, e := range r.listing.Entries {
		if _, twice := got[e.Name]; twice {
			t.Fatalf("%q twice in %v", e.Name, r.listing.Entries)
		}
		got[e.Name] = e.Entry
	}
	if !maps.Equal(got, want) {
		t.Fatalf("listing %v, want %v", got, want)
	}
}
