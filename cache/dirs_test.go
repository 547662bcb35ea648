package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// listingOf makes a complete listing of n entries, named by their values.
func listingOf(n int) Filled[int] {
	f := Filled[int]{Complete: true}
	for i := range n {
		f.Entries = append(f.Entries, &Named[int]{fmt.Sprintf("file%06d", i), i})
	}
	return f
}

func load(t testing.TB, d *Dirs[int], dir string, f Filled[int]) Listing[int] {
	t.Helper()
	l, err := d.Load(t.Context(), dir, 0, func(context.Context, func([]Early[int])) (Filled[int], error) { return f, nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newDirs(t testing.TB, cfg DirsConfig) *Dirs[int] {
	d := NewDirs[int](cfg)
	t.Cleanup(d.Close)
	return d
}

func namesOf(l Listing[int]) []string {
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	return names
}

// values are the entries of a listing.
func values(l Listing[int]) (entries []Named[int]) {
	for _, e := range l.Entries {
		entries = append(entries, *e)
	}
	return entries
}

func TestSnapshotIsImmutable(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	load(t, d, "/d", Filled[int]{Entries: []*Named[int]{{"b", 1}, {"a", 2}, {"c", 3}}, Complete: true})
	before, _ := d.Snapshot("/d")
	want := values(before)

	d.Put("/d", "b", 10)
	d.Put("/d", "new", 4)
	d.Remove("/d", "a")
	_ = append(before.Entries, &Named[int]{"mine", 0}) // must not land in the cache's slice
	if got := values(before); !slices.Equal(got, want) {
		t.Errorf("the snapshot changed to %v", got)
	}
	after, _ := d.Snapshot("/d")
	if got, want := values(after), []Named[int]{{"b", 10}, {"c", 3}, {"new", 4}}; !slices.Equal(got, want) {
		t.Errorf("after the changes %v, want %v", got, want)
	}
}

func TestListingWithANameTwice(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	l := load(t, d, "/d", Filled[int]{Entries: []*Named[int]{{"a", 1}, {"b", 2}, {"a", 3}}})
	if got, want := values(l), []Named[int]{{"b", 2}, {"a", 3}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if f, ok := d.Lookup("/d", "nothing"); !ok || f.Exists || f.Complete {
		t.Errorf("incomplete listing: %+v, %v", f, ok)
	}
}

func TestDirsBound(t *testing.T) {
	d := newDirs(t, DirsConfig{MaxEntries: 10})
	load(t, d, "/a", listingOf(4))
	load(t, d, "/empty", listingOf(0))
	load(t, d, "/b", listingOf(4))
	d.Lookup("/a", "x") // now /empty is the oldest
	load(t, d, "/c", listingOf(2))
	if _, ok := d.Snapshot("/empty"); ok {
		t.Error("the empty listing stayed, though the oldest")
	}
	if st := d.Stats(); st.Entries != 10 || st.Listings != 3 || st.Evictions != 1 {
		t.Errorf("%+v", st)
	}
	d.Put("/c", "one more", 1)
	if st := d.Stats(); st.Entries != 7 || st.Listings != 2 {
		t.Errorf("growing by Put evicted nothing: %+v", st)
	}
	load(t, d, "/huge", listingOf(50))
	if st := d.Stats(); st.Entries != 50 || st.Listings != 1 {
		t.Errorf("one listing beyond the bound: %+v", st)
	}
	d.DropTree("/")
	if st := d.Stats(); st.Entries != 0 || st.Listings != 0 {
		t.Errorf("after dropping all: %+v", st)
	}
}

func TestSlowFillStaysForItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{TTL: time.Minute})
		defer d.Close()
		asked := time.Now()
		l, err := d.Load(t.Context(), "/d", 0, func(context.Context, func([]Early[int])) (Filled[int], error) {
			time.Sleep(time.Hour)
			return listingOf(1), nil
		})
		if err != nil || !l.Fetched.Equal(asked) || !l.Expires.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("%v, %v, %v", l.Fetched, l.Expires, err)
		}
		time.Sleep(59 * time.Second)
		if _, ok := d.Lookup("/d", "file000000"); !ok {
			t.Error("expired early")
		}
		time.Sleep(time.Second)
		if _, ok := d.Lookup("/d", "file000000"); ok {
			t.Error("did not expire")
		}
	})
}

func TestLoadAfterItsContextStartsNothing(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Load(ctx, "/d", 0, func(context.Context, func([]Early[int])) (Filled[int], error) {
		t.Error("filled")
		return Filled[int]{}, nil
	})
	if err != context.Canceled {
		t.Error(err)
	}
}

func TestFillThatEndsItsGoroutine(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	_, err := d.Load(t.Context(), "/d", 0, func(context.Context, func([]Early[int])) (Filled[int], error) {
		runtime.Goexit()
		return Filled[int]{}, nil
	})
	if err != errNoResult {
		t.Error(err)
	}
}

func TestDirsClose(t *testing.T) {
	d := NewDirs[int](DirsConfig{})
	filling := make(chan struct{})
	result := make(chan error)
	go func() {
		_, err := d.Load(context.Background(), "/d", 0, func(ctx context.Context, _ func([]Early[int])) (Filled[int], error) {
			close(filling)
			<-ctx.Done()
			return Filled[int]{}, ctx.Err()
		})
		result <- err
	}()
	<-filling
	d.Close()
	if err := <-result; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the waiting load ended with %v", err)
	}
	if _, err := d.Load(context.Background(), "/d", 0, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a later load ended with %v", err)
	}
}

// TestDirsConcurrently has no oracle but the race detector and the books.
func TestDirsConcurrently(t *testing.T) {
	d := newDirs(t, DirsConfig{MaxEntries: 40, TTL: time.Millisecond})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 400 {
				dir, name := fmt.Sprintf("/%d", (i+g)%7), fmt.Sprintf("file%06d", i%20)
				switch (i * (g + 1)) % 8 {
				case 0:
					d.Put(dir, name, i)
				case 1:
					d.Remove(dir, name)
				case 2:
					d.Drop(dir)
				case 3:
					if l, ok := d.Snapshot(dir); ok && len(l.Entries) > 25 {
						t.Errorf("%d entries", len(l.Entries))
					}
				case 4:
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					d.Load(ctx, dir, -1, func(ctx context.Context, _ func([]Early[int])) (Filled[int], error) { return listingOf(5), ctx.Err() })
				case 5:
					d.Lookup(dir, name)
				default:
					if _, err := d.Load(t.Context(), dir, 0, func(context.Context, func([]Early[int])) (Filled[int], error) { return listingOf(i % 20), nil }); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := 0
	for _, l := range d.lru.Values() {
		sum += l.weight()
	}
	if sum != d.entries || sum > 40 {
		t.Errorf("%d entries in the books, %d in the listings", d.entries, sum)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	load(t, d, "/d", listingOf(1000))
	if n := testing.AllocsPerRun(100, func() { d.Lookup("/d", "file000500"); d.Lookup("/d", "none"); d.Lookup("/e", "none") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPutDoesNotCopyTheListing(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	load(t, d, "/d", listingOf(1000))
	d.Snapshot("/d")
	d.Put("/d", "file000000", 1) // the one copy after a snapshot
	at := func() **Named[int] { return &d.listingAt("/d").entries[0] }
	first := at()
	d.Put("/d", "file000001", 1)
	d.Remove("/d", "file000002")
	d.Put("/d", "file000003", 1)
	if at() != first {
		t.Error("the entries moved")
	}
}

func (d *Dirs[E]) listingAt(dir string) *listing[E] {
	l, _ := d.lru.Peek(dir)
	return l
}

func TestRemovingAllGivesTheMemoryBack(t *testing.T) {
	d := newDirs(t, DirsConfig{})
	f := listingOf(1000)
	names := namesOf(Listing[int]{Entries: f.Entries})
	load(t, d, "/d", f)
	for _, name := range names {
		d.Remove("/d", name)
	}
	if l := d.listingAt("/d"); cap(l.entries) > 32 || len(l.index) != 0 {
		t.Errorf("%d places for %d entries", cap(l.entries), len(l.index))
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		d := newDirs(b, DirsConfig{})
		f := listingOf(n)
		names := namesOf(Listing[int]{Entries: f.Entries})
		load(b, d, "/some/dir", f)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if f, ok := d.Lookup("/some/dir", names[i%n]); !ok || !f.Exists {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprint(n, "-negative"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if f, ok := d.Lookup("/some/dir", "no such name"); !ok || f.Exists {
					b.Fatal("found")
				}
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	const n = 100_000
	d := newDirs(b, DirsConfig{})
	f := listingOf(n)
	names := namesOf(Listing[int]{Entries: f.Entries})
	load(b, d, "/d", f)
	b.Run("existing", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Put("/d", names[i%n], i)
		}
	})
	b.Run("remove-and-new", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Remove("/d", names[i%n])
			d.Put("/d", names[i%n], i)
		}
	})
	b.Run("after-a-snapshot", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Snapshot("/d")
			d.Put("/d", names[i%n], i)
		}
	})
}

func BenchmarkLoadLong(b *testing.B) {
	d := newDirs(b, DirsConfig{})
	f := listingOf(100_000)
	for b.Loop() {
		d.Drop("/d")
		load(b, d, "/d", f)
	}
}
