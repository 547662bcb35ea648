package ftpfs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// endings runs f with streams over a link on which nothing was measured yet, with so many
// idle connections.
func endings(t *testing.T, size, idle int, f func(t *testing.T, ss *streams, s *fakeServer, l *link)) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{opening: 50 * time.Millisecond, all: 24 << 20}
		ss, s := linked(t, size, 4, l)
		ss.idle = func() int { return idle }
		f(t, ss, s, l)
	})
}

// sorted are the places where transfers began.
func (s *fakeServer) sorted() []int64 {
	opens := s.opens()
	slices.Sort(opens)
	return opens
}

func TestIdleConnectionsBringTheEnding(t *testing.T) {
	const size = 40 << 20
	endings(t, size, 2, func(t *testing.T, ss *streams, s *fakeServer, l *link) {
		s.readAll(t, ss, 0)
		if got := s.sorted(); !slices.Equal(got, []int64{0, size - 2*firstEnding, size - firstEnding}) {
			t.Errorf("transfers began at %v", got)
		}
		if now, _, sent := l.traffic(); sent > size+streamStep || now > 1 {
			t.Errorf("%d bytes were sent, %d transfers are left", sent, now)
		}
	})
}

func TestEndingIsLeftToTheFirstTransfer(t *testing.T) {
	for name, c := range map[string]struct{ size, idle, first int }{
		"no idle connection": {40 << 20, 0, 128 << 10},
		"a small file":       {20 << 20, 2, 128 << 10},
		"a small request":    {40 << 20, 2, 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			endings(t, c.size, c.idle, func(t *testing.T, ss *streams, s *fakeServer, _ *link) {
				s.check(t, ss, 0, c.first)
				time.Sleep(time.Second)
				if got := s.opens(); !slices.Equal(got, []int64{0}) {
					t.Errorf("transfers began at %v", got)
				}
			})
		})
	}
}

// Who reads nothing but the starts of files costs one ending, not one of each file.
func TestReadersOfStartsGetNoMoreEndings(t *testing.T) {
	const size = 40 << 20
	endings(t, size, 1, func(t *testing.T, ss *streams, s *fakeServer, _ *link) {
		s.check(t, ss, 0, 128<<10)
		time.Sleep(time.Second)
		ss.Close()
		if got := s.sorted(); !slices.Equal(got, []int64{0, size - firstEnding}) {
			t.Errorf("transfers began at %v", got)
		}
		again, other := testStreams(t, size)
		again.source = ss.source
		again.open = other.open
		other.check(t, again, 0, 128<<10)
		time.Sleep(time.Second)
		if got := other.opens(); len(got) != 1 {
			t.Errorf("then transfers began at %v", got)
		}
		other.check(t, again, size-4096, 4096)
		if !ss.pace.reachesEnding() {
			t.Error("who reads an ending is not noticed")
		}
	})
}
