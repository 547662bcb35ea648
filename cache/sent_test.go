package cache

import (
	"testing"
	"time"
)

// A tail that was sent is not dirty, also when more is appended meanwhile.
func TestSentTail(t *testing.T) {
	s := openFiles(t, -1)
	f, err := s.Open("log", Version{4, time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(text string) {
		t.Helper()
		if _, err := f.WriteAt([]byte(text), f.Size()); err != nil {
			t.Fatal(err)
		}
	}
	firstDirty := func(want int64) {
		t.Helper()
		if got := f.FirstDirty(); got != want {
			t.Errorf("dirty from %d, want %d", got, want)
		}
	}
	firstDirty(4)
	write("tail")
	firstDirty(4)
	gen, _ := f.Track()
	if !f.Sent(gen, 4, 6) {
		t.Error("not taken for sent")
	}
	firstDirty(6)
	write("more")
	if f.Sent(gen, 6, 8) || f.Adopt(gen, Version{20, time.Unix(2, 0)}) {
		t.Error("a state that is past was taken for the present one")
	}
	if f.Clean(gen, Version{8, time.Unix(2, 0)}) {
		t.Error("clean with changes")
	}
	firstDirty(8)
	gen, _ = f.Track()
	if !f.Adopt(gen, Version{20, time.Unix(3, 0)}) {
		t.Error("not adopted")
	}
	if _, dirty := f.Dirty(); dirty || f.Size() != 20 {
		t.Errorf("dirty %v, %d bytes", dirty, f.Size())
	}
	if start, end := f.Missing(0, 100); start != 0 || end != 20 {
		t.Errorf("missing from %d to %d", start, end)
	}
}
