package cache

import (
	"context"
	"testing"
	"time"
)

func TestHas(t *testing.T) {
	now := time.Now()
	d := NewDirs[int](DirsConfig{TTL: time.Minute, Now: func() time.Time { return now }})
	defer d.Close()
	if d.Has("/a", false) {
		t.Error("has what was never loaded")
	}
	begun, end := make(chan struct{}), make(chan struct{})
	loaded := make(chan error, 1)
	go func() {
		_, err := d.Load(context.Background(), "/a", 0, func(context.Context, func([]Early[int])) (Filled[int], error) {
			close(begun)
			<-end
			return Filled[int]{Complete: true}, nil
		})
		loaded <- err
	}()
	<-begun
	if !d.Has("/a", false) || d.Has("/b", false) {
		t.Error("a listing is on its way")
	}
	close(end)
	if err := <-loaded; err != nil || !d.Has("/a", false) {
		t.Errorf("%v, has: %v", err, d.Has("/a", false))
	}
	now = now.Add(time.Hour)
	if d.Has("/a", false) {
		t.Error("has a listing that has expired")
	}
}

func TestLenOfAListing(t *testing.T) {
	d := NewDirs[int](DirsConfig{})
	defer d.Close()
	if n := d.Len("/a"); n != 0 {
		t.Errorf("an unknown directory has %d entries", n)
	}
	d.Load(t.Context(), "/a", 0, func(context.Context, func([]Early[int])) (Filled[int], error) {
		return Filled[int]{Entries: []*Named[int]{{"x", 1}, {"y", 2}}}, nil
	})
	d.Put("/a", "z", 3)
	d.Remove("/a", "x")
	d.Remove("/a", "y")
	if n := d.Len("/a"); n != 1 {
		t.Errorf("%d entries after two of three have been removed", n)
	}
}
