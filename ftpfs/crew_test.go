package ftpfs

import (
	"cmp"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ftpfs/ftpclient"
)

// A link is a way to a server in a test's own time: how long a transfer takes
// to begin, and how fast one and all together are.
type link struct {
	opening time.Duration
	each    float64 // bytes a second; 0: any
	all     float64

	mu   sync.Mutex
	busy time.Time // until when it carries what was sent
	most int       // transfers at a time
	now  int
	sent int64
}

// linked makes streams over a link, and the server behind it.
func linked(t *testing.T, size, parallel int, l *link) (*streams, *fakeServer) {
	ss, s := testStreams(t, size)
	ss.parallel, ss.ahead = parallel, 64<<20
	ss.open = func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error) {
		time.Sleep(l.opening)
		r, err := s.open(ctx, off, size, extra)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.now++
		l.most = max(l.most, l.now)
		l.mu.Unlock()
		return &linkReader{ReadCloser: r, link: l, ready: time.Now()}, nil
	}
	return ss, s
}

// traffic tells how many transfers there are, how many there were at most, and
// the bytes that all have sent.
func (l *link) traffic() (now, most int, sent int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.most, l.sent
}

type linkReader struct {
	io.ReadCloser
	link  *link
	ready time.Time // when it has sent what it was asked for
	burst int       // bytes that it sends at once
	most  float64   // bytes a second; 0: as the link says
	once  sync.Once
}

func (r *linkReader) Read(p []byte) (int, error) {
	if r.burst > 0 {
		n, err := r.ReadCloser.Read(p[:min(len(p), r.burst)])
		r.burst -= n
		return n, err
	}
	step := 64 << 10
	if r.most > 0 {
		step = 4 << 10
	}
	n, err := r.ReadCloser.Read(p[:min(len(p), step)])
	r.link.mu.Lock()
	r.ready = later(r.ready, n, cmp.Or(r.most, r.link.each))
	r.link.busy = later(r.link.busy, n, r.link.all)
	r.link.sent += int64(n)
	wait := max(time.Until(r.ready), time.Until(r.link.busy))
	r.link.mu.Unlock()
	time.Sleep(wait)
	return n, err
}

// later is when n bytes more have been sent.
func later(ready time.Time, n int, rate float64) time.Time {
	if now := time.Now(); ready.Before(now) {
		ready = now
	}
	if rate == 0 {
		return ready
	}
	return ready.Add(time.Duration(float64(n) / rate * float64(time.Second)))
}

func (r *linkReader) Close() error {
	r.once.Do(func() {
		r.link.mu.Lock()
		r.link.now--
		r.link.mu.Unlock()
	})
	return r.ReadCloser.Close()
}

// readAll reads the file from off on, like the kernel, and returns how long it took.
func (s *fakeServer) readAll(t *testing.T, ss *streams, off int) time.Duration {
	t.Helper()
	begin := time.Now()
	for ; off < len(s.data); off += 128 << 10 {
		if !ss.present(int64(off), 128<<10) {
			s.check(t, ss, off, 128<<10)
		}
	}
	return time.Since(begin)
}

func seconds(size int, rate float64) time.Duration {
	return time.Duration(float64(size) / rate * float64(time.Second))
}

func TestMoreTransfersWhereEachIsSlow(t *testing.T) {
	for name, l := range map[string]*link{
		"limited by the server":     {opening: 5 * time.Millisecond, each: 512 << 10},
		"limited, and far away":     {opening: 400 * time.Millisecond, each: 512 << 10},
		"limited all together, too": {opening: 50 * time.Millisecond, each: 512 << 10, all: 3.5 * (512 << 10)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size = 24 << 20
				ss, s := linked(t, size, 4, l)
				if took, one := s.readAll(t, ss, 0), seconds(size, l.each); took > one*10/27 {
					t.Errorf("%v, one transfer takes %v", took, one)
				}
				if _, most, sent := l.traffic(); most != 4 || sent > size*11/10 {
					t.Errorf("at most %d transfers, %d bytes of %d", most, sent, size)
				}
			})
		})
	}
}

// One more is tried, for less than a second, and not so soon again for the next file.
func TestOneTransferWhereItFillsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 24 << 20
		l := &link{opening: 100 * time.Millisecond, all: 1 << 20}
		ss, s := linked(t, size, 4, l)
		if took, one := s.readAll(t, ss, 0), seconds(size, l.all); took > one*102/100 {
			t.Errorf("%v, one transfer takes %v", took, one)
		}
		if _, most, sent := l.traffic(); most != 2 || len(s.opens()) > 3 || sent > size*102/100 {
			t.Errorf("at most %d transfers, which began at %v, %d bytes", most, s.opens(), sent)
		}
		next, n := linked(t, size/2, 4, l)
		next.pace = ss.pace
		if n.readAll(t, next, 0); len(n.opens()) != 1 {
			t.Errorf("for the next file transfers began at %v", n.opens())
		}
	})
}

// Where the link is so full that the one on trial gets next to nothing, no more are tried: they would
// push out the others' packets.
func TestOneTransferWhereItLeavesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 24 << 20
		l := &link{opening: 100 * time.Millisecond, all: 1 << 20}
		ss, s := linked(t, size, 4, l)
		starve(ss, l.all/100)
		if took, one := s.readAll(t, ss, 0), seconds(size, l.all); took > one*102/100 {
			t.Errorf("%v, one transfer takes %v", took, one)
		}
		if _, most, _ := l.traffic(); most != 2 {
			t.Errorf("at most %d transfers", most)
		}
	})
}

// starve lets the transfers that nobody waits for yet have that rate.
func starve(ss *streams, rate float64) {
	open := ss.open
	ss.open = func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error) {
		r, err := open(ctx, off, size, extra)
		if extra && err == nil {
			r.(*linkReader).most = rate
		}
		return r, err
	}
}

// A rate that has fallen since it was found that one transfer fills the link makes it worth another
// trial.
func TestMoreTransfersWhenTheOneHasBecomeSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 24 << 20
		l := &link{opening: 20 * time.Millisecond, all: 1 << 20}
		ss, s := linked(t, size, 4, l)
		time.AfterFunc(5*time.Second, func() {
			l.mu.Lock()
			l.each = l.all / 5
			l.mu.Unlock()
		})
		if took, one := s.readAll(t, ss, 0), seconds(size, l.all); took > one*3/2 {
			t.Errorf("%v, a transfer that stays fast takes %v", took, one)
		}
	})
}

// A moment in which next to nothing came just before a trial does not make a full link look as if it
// was not.
func TestTrialAfterAMomentWithoutBytes(t *testing.T) {
	const rate = 1 << 20
	now := time.Now()
	c := crew{calm: steadyFor}
	c.begin(2, rate, now)
	bring := func(s *stream, share float64) {
		c.watch(s, int(rate*share*glance.Seconds()), now, 0, 8)
	}
	for _, share := range []float64{1, 1, 1, 0.3} {
		now = now.Add(glance)
		bring(&stream{}, share)
	}
	c.ready = now
	for range 2 * sureAfter / glance {
		now = now.Add(glance)
		bring(&stream{trial: c.trial}, heldTo)
		bring(&stream{}, 1-heldTo)
	}
	if c.had != 0 || c.want != 1 {
		t.Errorf("%d transfers of %d before", c.want, c.had)
	}
}

// A server may send a lot at once before it slows a connection down: who is held back for that does
// not let a reader wait.
func TestReaderDoesNotWaitForOneHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{opening: 5 * time.Millisecond, each: 64 << 10}
		ss, s := linked(t, 24<<20, 4, l)
		const burst = 512 << 10
		begun := make(chan int64, 1)
		s.fault = func(nth int, r io.ReadCloser) (io.ReadCloser, error) {
			if nth == 2 {
				begun <- s.opens()[1]
			}
			return r, nil
		}
		open := ss.open
		ss.open = func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error) {
			r, err := open(ctx, off, size, extra)
			if extra && err == nil {
				r.(*linkReader).burst = burst
			}
			return r, err
		}
		for off := 0; len(begun) == 0; off += 128 << 10 {
			s.check(t, ss, off, 128<<10)
		}
		time.Sleep(100 * time.Millisecond)
		at, began := int(<-begun), time.Now()
		s.check(t, ss, at, burst+64<<10)
		if took := time.Since(began); took > 3*seconds(64<<10, l.each) {
			t.Errorf("%v for 64 KiB more than what the transfer at %d has begun with", took, at)
		}
	})
}

// A trial is over, too, when the transfer that takes part had begun before.
func TestTrialWithoutANewTransferEnds(t *testing.T) {
	now := time.Now()
	var c crew
	c.begin(3, 1<<20, now)
	c.ready = now
	for end := now.Add(heldFor + time.Second); now.Before(end) && c.more(); {
		now = now.Add(glance)
		c.watch(&stream{}, 64<<10, now, 0, 4)
	}
	if c.more() {
		t.Error("it is not")
	}
}

// One that has paused takes part in a trial as a new one does: only what it brings from then on
// counts, and it is held back.
func TestPausedTransferOnTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		ss, s := linked(t, 24<<20, 1, &link{opening: 5 * time.Millisecond, each: rate})
		s.check(t, ss, 0, 1<<20)
		time.Sleep(time.Second)
		ss.mu.Lock()
		defer ss.mu.Unlock()
		paused, n, now := ss.running[0], len(ss.running), time.Now()
		ss.crew.front, ss.crew.seen = paused.pos, now
		for range 2 { // trials
			ss.crew.settle(1, now)
			ss.crew.last = rate
			ss.crew.begin(2, rate, now)
			if !ss.assign() || len(ss.running) != n {
				t.Fatal("it is not taken")
			}
			if paused.trial != ss.crew.trial || paused.from != paused.pos || !paused.since.IsZero() {
				t.Errorf("trial %d of %d, from %d at %d since %v", paused.trial, ss.crew.trial, paused.from, paused.pos, paused.since)
			}
			paused.goal, paused.since = 0, now
		}
		paused.pos += rate / 10
		ss.mu.Unlock()
		wait := ss.early(paused)
		ss.mu.Lock()
		if want := seconds(rate/10, heldTo*rate); (wait - want).Abs() > time.Millisecond {
			t.Errorf("waits %v instead of %v", wait, want)
		}
		paused.pos = paused.from
	})
}

// Those that the server refuses together are one failure.
func TestTransfersRefusedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := linked(t, 24<<20, 8, &link{opening: 50 * time.Millisecond, each: 1 << 20})
		s.fault = func(int, io.ReadCloser) (io.ReadCloser, error) {
			return nil, &ftpclient.Error{Command: "RETR", Code: 530, Text: "Too many connections."}
		}
		s.reading = -7
		ss.mu.Lock()
		ss.crew.begin(8, 1<<20, time.Now())
		for i := range int64(7) {
			ss.begin(i<<20, i<<20, (i+1)<<20, seekWindow)
		}
		ss.mu.Unlock()
		ss.wg.Wait()
		if ss.crew.want != 1 || ss.pace.rest != firstRest {
			t.Errorf("%d are wanted, the next trial is %v later", ss.crew.want, ss.pace.rest)
		}
	})
}

func TestReaderSlowerThanTheLinkHasOneTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{opening: 50 * time.Millisecond, each: 2 << 20}
		ss, s := linked(t, 24<<20, 4, l)
		s.check(t, ss, 0, 128<<10)
		for off := 128 << 10; off < len(s.data); off += 128 << 10 {
			time.Sleep(seconds(128<<10, 512<<10))
			if !ss.present(int64(off), 128<<10) {
				s.check(t, ss, off, 128<<10)
			}
		}
		if _, most, _ := l.traffic(); len(s.opens()) > 3 || most > 2 { // at first the link is behind
			t.Errorf("transfers began at %v", s.opens())
		}
	})
}

func TestNoConnectionToSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 12 << 20
		l := &link{opening: 50 * time.Millisecond, each: 512 << 10}
		ss, s := linked(t, size, 4, l)
		open := ss.open
		var extras atomic.Int64
		ss.open = func(ctx context.Context, off, size int64, extra bool) (io.ReadCloser, error) {
			if extra {
				extras.Add(1)
				return nil, ftpclient.ErrBusy
			}
			return open(ctx, off, size, extra)
		}
		took, one := s.readAll(t, ss, 0), seconds(size, l.each)
		if _, most, _ := l.traffic(); took > one*105/100 || most != 1 || extras.Load() == 0 || extras.Load() > int64(took/makeWay)+4 {
			t.Errorf("%v, one transfer takes %v; at most %d, %d tries", took, one, most, extras.Load())
		}
	})
}

func TestTransfersAreGivenBackWhenOthersNeedThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{opening: 50 * time.Millisecond, each: 512 << 10}
		ss, s := linked(t, 24<<20, 4, l)
		contended := make(chan struct{})
		ss.yield = func(moved int) bool {
			select {
			case <-contended:
				return moved < 0
			default:
				return false
			}
		}
		for off := 0; off < 6<<20; off += 128 << 10 {
			s.check(t, ss, off, 128<<10)
		}
		if now, _, _ := l.traffic(); now < 3 {
			t.Fatalf("%d transfers", now)
		}
		close(contended)
		time.Sleep(makeWay / 2)
		if now, _, _ := l.traffic(); now > 1 {
			t.Errorf("%d transfers are left", now)
		}
		s.check(t, ss, 8<<20, 1<<20)
	})
}

func TestTransfersEndWhenTheReaderIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{opening: 50 * time.Millisecond, each: 512 << 10}
		ss, s := linked(t, 24<<20, 4, l)
		for off := 0; off < 6<<20; off += 128 << 10 {
			s.check(t, ss, off, 128<<10)
		}
		time.Sleep(engagedFor)
		_, _, before := l.traffic()
		time.Sleep(time.Minute)
		if now, _, sent := l.traffic(); now != 0 || sent > before+maxWindow+2<<20 {
			t.Errorf("%d transfers are left, they brought %d bytes for nobody", now, sent-before)
		}
	})
}
