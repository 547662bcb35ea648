package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// Twenty goroutines do everything at once, with few and many connections.
func TestParallel(t *testing.T) {
	for _, n := range []int{1, 2, 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e, cl := embedded(t, Config{Connections: n})
			data := bytes.Repeat([]byte("0123456789abcdef"), 8192)
			put(t, e, "/f", data)
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					if err := everything(cl, i, data); err != nil {
						t.Errorf("%d: %v", i, err)
					}
				})
			}
			group.Wait()
			settled(t, cl)
			if got := e.Connections(); got > n {
				t.Errorf("%d connections", got)
			}
			if s := cl.Stats(); s.Open > n || s.Idle != s.Open {
				t.Errorf("%+v", s)
			}
			cl.pool.mu.Lock()
			defer cl.pool.mu.Unlock()
			if cl.pool.bulk != 0 || cl.pool.contended || len(cl.pool.waiters) != 0 {
				t.Errorf("bulk %d, contended %v, %d waiters", cl.pool.bulk, cl.pool.contended, len(cl.pool.waiters))
			}
		})
	}
}

func everything(cl *Client, i int, data []byte) error {
	ctx := context.Background()
	temp, final := fmt.Sprintf("/t%d", i), fmt.Sprintf("/u%d", i)
	for range 5 {
		r, err := cl.Retrieve(ctx, "/f", int64(i), int64(len(data)))
		if err != nil {
			return err
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, data[i:]) {
			return fmt.Errorf("read %d bytes: %w", len(got), err)
		}
		if r, err = cl.Retrieve(ctx, "/f", 0, -1); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, 100); err != nil {
			return err
		}
		r.Close()
		w, err := cl.Store(ctx, temp)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		if _, err := w.Commit(ctx, Commit{Path: final}); err != nil {
			return err
		}
		if n, err := cl.Size(ctx, final); err != nil || n != int64(len(data)) {
			return fmt.Errorf("size %d: %w", n, err)
		}
		l, err := cl.List(ctx, "/")
		if err != nil || len(l.Entries) == 0 {
			return fmt.Errorf("%d entries: %w", len(l.Entries), err)
		}
		if err := cl.Delete(ctx, final); err != nil {
			return err
		}
	}
	return nil
}

// One connection stays free of transfers.
func TestReservedConnection(t *testing.T) {
	ctx := context.Background()
	e, cl := embedded(t, Config{Connections: 3})
	put(t, e, "/f", make([]byte, 1<<20))
	var readers []*Reader
	for range 2 {
		r, err := cl.Retrieve(ctx, "/f", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	if cl.Contended() {
		t.Error("contended without anybody waiting")
	}
	third := make(chan error, 1)
	go func() {
		r, err := cl.Retrieve(ctx, "/f", 0, 1<<20)
		if err == nil {
			r.Close()
		}
		third <- err
	}()
	for !cl.Contended() {
		time.Sleep(time.Millisecond)
	}
	if _, err := cl.List(ctx, "/"); err != nil {
		t.Error(err)
	}
	if _, err := cl.Size(ctx, "/f"); err != nil {
		t.Error(err)
	}
	select {
	case err := <-third:
		t.Errorf("third transfer began: %v", err)
	default:
	}
	readers[0].Close()
	if err := <-third; err != nil {
		t.Error(err)
	}
	readers[1].Close()
}

// Who leaves the queue leaves nothing behind.
func TestWaitersLeave(t *testing.T) {
	e, cl := embedded(t, Config{Connections: 1})
	put(t, e, "/f", make([]byte, 1<<20))
	r, err := cl.Retrieve(context.Background(), "/f", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := cl.Noop(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
	for !cl.Contended() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	group.Wait()
	r.Close()
	if err := cl.Noop(context.Background()); err != nil {
		t.Error(err)
	}
	if n := cl.Stats().Logins; n != 1 {
		t.Errorf("%d logins", n)
	}
}

// A limit of the server is learned: waiters wait, nobody fails.
func TestLearnedLimit(t *testing.T) {
	for _, excess := range []ftptest.Excess{ftptest.AtGreeting, ftptest.AtLogin, ftptest.Unheard} {
		e, cl := embedded(t, Config{Connections: 6})
		e.Limit(2, excess)
		data := make([]byte, 100<<10)
		put(t, e, "/f", data)
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				if err := everything(cl, i, data); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		group.Wait()
		if s := cl.Stats(); s.Limit != 2 || s.Open > 2 {
			t.Errorf("%+v", s)
		}
	}
}

func TestTooManyFromTheStart(t *testing.T) {
	e, cl := embedded(t, Config{})
	other := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret"})
	connect(t, other)
	e.Limit(1, ftptest.AtGreeting)
	var e1 *Error
	if err := cl.Connect(context.Background()); !errors.As(err, &e1) || e1.Kind() != KindTooMany {
		t.Errorf("%v", err)
	}
	e.Limit(0, ftptest.AtGreeting)
	connect(t, cl)
}

func TestServerDown(t *testing.T) {
	ctx := context.Background()
	e, cl := embedded(t, Config{})
	put(t, e, "/f", make([]byte, 8<<20))
	if _, err := cl.List(ctx, "/"); err != nil {
		t.Fatal(err)
	}
	settled(t, cl) // no login is under way when the server goes down
	r, err := cl.Retrieve(ctx, "/f", 0, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	e.Down()
	if n, err := io.Copy(io.Discard, r); err == nil {
		t.Errorf("read %d bytes", n)
	}
	r.Close()
	if _, err := cl.List(ctx, "/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := cl.Delete(ctx, "/f"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	l, err := cl.List(ctx, "/")
	for begin := time.Now(); err != nil && time.Since(begin) < 2*maxPause; l, err = cl.List(ctx, "/") {
		time.Sleep(time.Millisecond) // those above may have dialled so often that the next dial is not due yet
	}
	if err != nil || len(l.Entries) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestIdleConnectionsClose(t *testing.T) {
	e, cl := embedded(t, Config{IdleTimeout: 50 * time.Millisecond})
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for cl.Stats().Open > 0 || e.Connections() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", cl.Stats())
		}
		time.Sleep(time.Millisecond)
	}
	connect(t, cl)
}

// A connection that has been silent for long is probed, one that was forgotten is closed.
func TestProbe(t *testing.T) {
	e, cl := embedded(t, Config{})
	connect(t, cl)
	e.Log().Reset()
	silentFor := func(d time.Duration) {
		cl.pool.mu.Lock()
		cl.pool.idle[0].spoke = time.Now().Add(-d)
		cl.pool.mu.Unlock()
	}
	silentFor(probeAfter)
	cl.pool.reap()
	settled(t, cl)
	expectWrites(t, e, "NOOP")
	silentFor(staleAfter + time.Second)
	cl.pool.reap()
	if s := cl.Stats(); s.Open != 0 {
		t.Errorf("%+v", s)
	}
	connect(t, cl)
	settled(t, cl)
	silentFor(staleAfter + time.Second)
	connect(t, cl) // before it was closed
	settled(t, cl)
	silentFor(-time.Hour) // the clock was set back
	connect(t, cl)
	if n := cl.Stats().Logins; n != 4 {
		t.Errorf("%d logins", n)
	}
}

func TestModeDetection(t *testing.T) {
	nowhere := netip.AddrPortFrom(netip.Addr{}, 1) // nobody listens there
	for want, spoil := range map[Mode]func(e *ftptest.Embedded){
		ModeEPSV: func(e *ftptest.Embedded) {},
		ModePASV: func(e *ftptest.Embedded) { e.Refuse("EPSV", "500 no", ftptest.Always) },
		ModeEPRT: func(e *ftptest.Embedded) { e.Lie(nowhere) },
		ModePORT: func(e *ftptest.Embedded) {
			e.Refuse("EPSV", "500 no", ftptest.Always)
			e.Refuse("PASV", "500 no", ftptest.Always)
			e.Refuse("EPRT", "500 no", ftptest.Always)
		},
	} {
		t.Run(want.String(), func(t *testing.T) {
			e, cl := embedded(t, Config{})
			spoil(e)
			put(t, e, "/f", []byte("content"))
			for range 3 {
				if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 {
					t.Errorf("%+v, %v", l, err)
				}
				if got := read(t, cl, "/f", 7); string(got) != "content" {
					t.Errorf("%q", got)
				}
			}
			if got := cl.Server().Mode; got != want.String() {
				t.Errorf("mode %s", got)
			}
		})
	}
}

// The mode that has worked stops working: another one is found.
func TestModeChanges(t *testing.T) {
	e, cl := embedded(t, Config{})
	put(t, e, "/f", []byte("content"))
	read(t, cl, "/f", 7)
	settled(t, cl)
	e.Refuse("EPSV", "500 no", ftptest.Always)
	e.Refuse("PASV", "500 no", ftptest.Always)
	for range 4 {
		if got := read(t, cl, "/f", 7); string(got) != "content" {
			t.Errorf("%q", got)
		}
	}
	if got := cl.Server().Mode; got != "eprt" {
		t.Errorf("mode %s", got)
	}
}

func TestNoModeWorks(t *testing.T) {
	e, cl := embedded(t, Config{Mode: ModePassive})
	e.Refuse("EPSV", "500 no", ftptest.Always)
	e.Refuse("PASV", "500 no", ftptest.Always)
	_, err := cl.List(context.Background(), "/")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if err := cl.Noop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestPasvAddress(t *testing.T) {
	lie := netip.MustParseAddrPort("127.0.0.77:0")
	for address, works := range map[string]bool{"control": true, "reply": false, "127.0.0.1": true, "127.0.0.99": false} {
		e, _ := embedded(t, Config{})
		e.Lie(lie)
		p, err := ParsePasvAddress(address)
		if err != nil || p.String() != address {
			t.Fatal(p, err)
		}
		cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Mode: ModePASV, PasvAddress: p,
			Timeout: 2 * time.Second})
		if _, err := cl.List(context.Background(), "/"); (err == nil) != works {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := ParsePasvAddress("nonsense"); err == nil {
		t.Error("nonsense accepted")
	}
}

// While a connection is in use, others are made ready; not by a client that rests, and not
// where the server has refused one.
func TestReserve(t *testing.T) {
	e, cl := embedded(t, Config{Connections: 6, Reserve: 2})
	connect(t, cl)
	settled(t, cl)
	if st := cl.Stats(); st.Logins != 1 {
		t.Errorf("%+v at rest", st)
	}
	put(t, e, "/f", random(1<<20))
	r, err := cl.Retrieve(context.Background(), "/f", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for cl.Stats().Idle < 2 {
		time.Sleep(time.Millisecond)
	}
	r.Close()
	settled(t, cl)
	if st := cl.Stats(); st.Open != 3 || st.Logins != 3 {
		t.Errorf("%+v", st)
	}
}

// Where transfers are expected, connections are ready for them before anybody waits.
func TestExpect(t *testing.T) {
	t.Parallel()
	e, cl := embedded(t, Config{Connections: 6, Reserve: 2})
	put(t, e, "/f", random(1<<20))
	for range 4 {
		r, err := cl.Retrieve(context.Background(), "/f", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	cl.Expect(100)
	for cl.Stats().Idle < 2 {
		time.Sleep(time.Millisecond)
	}
	if st := cl.Stats(); st.Open != 6 || st.Logins != 6 {
		t.Errorf("%+v, although many transfers are expected", st)
	}
}

// The next login begins although as many connections are idle as are kept in reserve; but not
// the one after that.
func TestExpectBeforeTheReserveIsUsed(t *testing.T) {
	t.Parallel()
	e, cl := embedded(t, Config{Connections: 8, Reserve: 2})
	put(t, e, "/f", random(1<<20))
	r, err := cl.Retrieve(context.Background(), "/f", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	idle := func(n int) {
		for cl.Stats().Idle < n {
			time.Sleep(time.Millisecond)
		}
	}
	idle(2)
	if n := cl.Stats().Logins; n != 3 {
		t.Errorf("%d logins", n)
	}
	cl.Expect(100)
	idle(3)
	if st := cl.Stats(); st.Open != 4 || st.Logins != 4 {
		t.Errorf("%+v, although nobody waits", st)
	}
}

// Who works ahead learns when a connection may be used again, which is after the file is there.
func TestIdle(t *testing.T) {
	t.Parallel()
	e, cl := embedded(t, Config{})
	put(t, e, "/f", random(1000))
	r, err := cl.Retrieve(context.Background(), "/f", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-cl.Idle():
		t.Error("the only connection is idle while it is used")
	default:
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	<-cl.Idle()
	if st := cl.Stats(); st.Idle != 1 {
		t.Errorf("%+v", st)
	}
}

func TestNoReserveWhereRefused(t *testing.T) {
	e, cl := embedded(t, Config{Connections: 6, Reserve: 2})
	connect(t, cl)
	put(t, e, "/f", random(1<<20))
	e.Refuse("PASS", "530 Too many users.", ftptest.Always)
	for range 3 {
		r, err := cl.Retrieve(context.Background(), "/f", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(r)
		r.Close()
		settled(t, cl)
	}
	tried := 0
	for _, line := range e.Log().Commands() {
		if strings.HasPrefix(line, "PASS") {
			tried++
		}
	}
	if tried > 2 {
		t.Errorf("%d logins tried", tried)
	}
}

// An extra transfer takes what is to spare, and nobody waits because of it.
func TestExtraTransfers(t *testing.T) {
	ctx := context.Background()
	for _, limit := range []int{0, 2} {
		e, cl := embedded(t, Config{Connections: 4})
		put(t, e, "/f", make([]byte, 1<<20))
		e.Limit(limit, ftptest.AtLogin)
		first, err := cl.Retrieve(ctx, "/f", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		for i := range 3 {
			r, err := cl.RetrieveExtra(ctx, "/f", 1<<10, 1<<20)
			if err == nil {
				defer r.Close()
			} else if !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
			if (err == nil) != (i == 0) { // one is left for the next transfer, one that transfers never get
				t.Errorf("limit %d, transfer %d: %v", limit, i, err)
			}
		}
		if cl.Contended() {
			t.Error("contended by those who do not wait")
		}
		if limit == 0 {
			second, err := cl.Retrieve(ctx, "/f", 0, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			second.Close()
		}
	}
}
