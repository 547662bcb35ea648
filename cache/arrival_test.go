package cache

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
)

// A slowFill tells names and ends when its test wants.
type slowFill struct {
	tell chan []Early[int]
	end  chan error
}

func newSlowFill() *slowFill { return &slowFill{make(chan []Early[int]), make(chan error)} }

func (s *slowFill) fill(ctx context.Context, arrived func([]Early[int])) (Filled[int], error) {
	for {
		select {
		case names := <-s.tell:
			arrived(names)
		case err := <-s.end:
			return listingOf(3), err
		case <-ctx.Done():
			return Filled[int]{}, ctx.Err()
		}
	}
}

// told are entries of which the first is 0.
func told(names ...string) []Early[int] {
	var all []Early[int]
	for i, name := range names {
		all = append(all, Early[int]{name, &i})
	}
	return all
}

func follow(t *testing.T, d *Dirs[int], fill Fill[int]) *Arrival[int] {
	t.Helper()
	a, err := d.Follow("/d", fill)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantNames(t *testing.T, a *Arrival[int], n int, want ...string) {
	t.Helper()
	early, whole, err := a.Next(t.Context(), n)
	var got []string
	for _, e := range early {
		got = append(got, e.Name)
	}
	if err != nil || whole != nil || !slices.Equal(got, want) {
		t.Errorf("behind %d are %q, %v, %v, want %q", n, got, whole, err, want)
	}
}

// wantWhole wants the listing, and that it was asked for by one fill.
func wantWhole(t *testing.T, d *Dirs[int], a *Arrival[int], n int) {
	t.Helper()
	early, whole, err := a.Next(t.Context(), n)
	if err != nil || early != nil || whole == nil || len(whole.Entries) != 3 {
		t.Errorf("at the end %v, %v, %v", early, whole, err)
	}
	if fills := d.Stats().Fills; fills != 1 {
		t.Errorf("%d fills", fills)
	}
}

// Whoever began the listing, all who follow see the names that have come, and one who leaves
// does not end it.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{})
		defer d.Close()
		s := newSlowFill()
		loaded := make(chan error)
		go func() {
			_, err := d.Load(t.Context(), "/d", 0, s.fill)
			loaded <- err
		}()
		synctest.Wait()
		one, two := follow(t, d, nil), follow(t, d, nil)
		s.tell <- told("a", "b")
		wantNames(t, one, 0, "a", "b")
		wantNames(t, two, 1, "b")
		one.Close()
		one.Close()
		go func() { s.tell <- told("c") }()
		wantNames(t, two, 2, "c")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := two.Next(ctx, 3); err != context.Canceled {
			t.Error(err)
		}
		go func() { s.end <- nil }()
		wantWhole(t, d, two, 3)
		wantWhole(t, d, two, 0)
		if err := <-loaded; err != nil {
			t.Error(err)
		}
		wantWhole(t, d, follow(t, d, nil), 0) // from memory
		two.Close()
		if _, ok := d.Snapshot("/d"); !ok {
			t.Error("what is whole was forgotten when the last who waited left")
		}
	})
}

// A name that came before it was removed is not told to who comes after that.
func TestFollowAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{})
		defer d.Close()
		s := newSlowFill()
		one := follow(t, d, s.fill)
		defer one.Close()
		s.tell <- told("0", "gone")
		d.Remove("/d", "gone")
		two := follow(t, d, nil)
		defer two.Close()
		go func() {
			s.tell <- told("1")
			s.end <- nil
		}()
		wantWhole(t, d, two, 0)
		wantWhole(t, d, one, 2)
	})
}

func TestFollowToAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{})
		defer d.Close()
		s := newSlowFill()
		a := follow(t, d, s.fill)
		s.tell <- told("a")
		wantNames(t, a, 0, "a")
		go func() { s.end <- errFill }()
		if _, _, err := a.Next(t.Context(), 1); err != errFill {
			t.Error(err)
		}
		if _, ok := d.Snapshot("/d"); ok {
			t.Error("what failed was kept")
		}
		a.Close()
	})
}

func TestLastFollowerEndsTheFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{})
		one := follow(t, d, newSlowFill().fill)
		two := follow(t, d, nil)
		one.Close()
		if synctest.Wait(); d.Stats().Filling != 1 {
			t.Error("ended for those who stay")
		}
		two.Close()
		if synctest.Wait(); d.Stats().Filling != 0 {
			t.Error("still filling")
		}
		a := follow(t, d, newSlowFill().fill)
		d.Close()
		if _, _, err := a.Next(t.Context(), 0); !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
		if _, err := d.Follow("/d", nil); !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
}

// Who looks for one name has it when it comes, the next one finds it without waiting, and the
// listing goes on when nobody else waits.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirs[int](DirsConfig{})
		defer d.Close()
		if _, ok := d.Arriving("/d", "a"); ok {
			t.Error("found in nothing")
		}
		s := newSlowFill()
		a := follow(t, d, s.fill)
		go func() {
			s.tell <- told("a")
			s.tell <- told("x", "b")
		}()
		found, whole, err := a.Find(t.Context(), "b")
		if err != nil || whole != nil || found == nil || found.Entry != 1 || !found.Exists || found.Complete || found.Expires.IsZero() {
			t.Errorf("%+v, %v, %v", found, whole, err)
		}
		if _, ok := d.Arriving("/d", "c"); ok {
			t.Error("c is there already")
		}
		if found, ok := d.Arriving("/d", "x"); !ok || found.Entry != 0 {
			t.Error(found, ok)
		}
		s.tell <- nil
		synctest.Wait()
		if found, ok := d.Arriving("/d", "x"); ok {
			t.Error(found, "was to be let go of")
		}
		go func() { s.end <- nil }()
		if found, whole, err := follow(t, d, nil).Find(t.Context(), "nowhere"); found != nil || whole == nil || err != nil {
			t.Error(found, whole, err)
		}
		if _, ok := d.Arriving("/d", "x"); ok {
			t.Error("what came is known better by now")
		}
		if d.Stats().Fills != 1 || d.Len("/d") != 3 {
			t.Error(d.Stats())
		}
	})
}

// After a change of the caller's own what was told before it is not to be believed.
func TestFindAfterAChange(t *testing.T) {
	for _, change := range []func(*Dirs[int]){
		func(d *Dirs[int]) { d.Put("/d", "a", 7) },
		func(d *Dirs[int]) { d.Remove("/d", "a") },
		func(d *Dirs[int]) { d.Drop("/d") },
	} {
		synctest.Test(t, func(t *testing.T) {
			d := NewDirs[int](DirsConfig{})
			defer d.Close()
			s := newSlowFill()
			a := follow(t, d, s.fill)
			s.tell <- told("a")
			synctest.Wait()
			change(d)
			if found, ok := d.Arriving("/d", "a"); ok {
				t.Error(found)
			}
			a.Close()
		})
	}
}
