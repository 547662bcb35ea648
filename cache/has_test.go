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
	if d.Has("/a") {
		t.Error("has what was never loaded")
	}
	begun, end := make(chan struct{}), make(chan struct{})
	loaded := make(chan error, 1)
	go func() {
		_, err := d.Load(context.Background(), "/a", 0, func(context.Context) (Filled[int], error) {
			close(begun)
			<-end
			return Filled[int]{Complete: true}, nil
		})
		loaded <- err
	}()
	<-begun
	if !d.Has("/a") || d.Has("/b") {
		t.Error("a listing is on its way")
	}
	close(end)
	if err := <-loaded; err != nil || !d.Has("/a") {
		t.Errorf("%v, has: %v", err, d.Has("/a"))
	}
	now = now.Add(time.Hour)
	if d.Has("/a") {
		t.Error("has a listing that has expired")
	}
}
