package ftpclient

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// However many callers try again, a server that is down meets few dials.
func TestFewDials(t *testing.T) {
	e, _ := embedded(t, Config{})
	var dials atomic.Int64
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret",
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
	connect(t, cl)
	e.Down()
	dials.Store(0)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range 5 {
				if err := cl.Noop(context.Background()); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	group.Wait()
	if n := dials.Load(); n > 12 {
		t.Errorf("%d dials for 20 callers and 5 tries", n)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	for errors.Is(cl.Noop(context.Background()), syscall.ECONNREFUSED) {
		time.Sleep(time.Millisecond) // the pause goes on
	}
	cl.pool.mu.Lock()
	defer cl.pool.mu.Unlock()
	if cl.pool.pause != 0 {
		t.Errorf("pause %v after a login", cl.pool.pause)
	}
}

// While the server is down callers are answered at once, not at the next dial.
func TestAnsweredInPause(t *testing.T) {
	var dials atomic.Int64
	e, _ := embedded(t, Config{})
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret",
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
	e.Down()
	if err := cl.Connect(context.Background()); err == nil {
		t.Fatal("connected")
	}
	pauseForAnHour(cl)
	for range 100 {
		if err := cl.Noop(context.Background()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d dials", n)
	}
	if cl.Contended() {
		t.Error("contended, and nobody waits")
	}
}

// Who waits for a connection in use or the next dial leaves when told to.
func TestLeavePause(t *testing.T) {
	_, cl := embedded(t, Config{})
	c, err := cl.pool.get(context.Background(), useShort)
	if err != nil {
		t.Fatal(err)
	}
	pauseForAnHour(cl)
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { left <- cl.Noop(ctx) }()
	waiting(cl, 1)
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	refused := make(chan error, 1)
	go func() { refused <- cl.Noop(context.Background()) }()
	waiting(cl, 1)
	c.fail(errAborted)
	cl.release(c)
	if err := <-refused; !errors.Is(err, errNoDial) {
		t.Errorf("nothing is left to wait for: %v", err)
	}
}

var errNoDial = errors.New("no dial succeeds")

// pauseForAnHour makes the pool believe that a dial has just failed.
func pauseForAnHour(cl *Client) {
	cl.pool.mu.Lock()
	defer cl.pool.mu.Unlock()
	cl.pool.pause, cl.pool.notBefore = time.Hour, time.Now().Add(time.Hour)
	if cl.pool.failure == nil {
		cl.pool.failure = errNoDial
	}
}

// waiting returns when so many callers wait for a connection.
func waiting(cl *Client, n int) {
	for {
		cl.pool.mu.Lock()
		now := len(cl.pool.waiters)
		cl.pool.mu.Unlock()
		if now == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// One connection found dead condemns those that were idle beside it: what must not be
// repeated fails once, not once for each.
func TestAllConnectionsDead(t *testing.T) {
	ctx := context.Background()
	both := make(chan struct{})
	var begun atomic.Int32
	meet := func() {
		if begun.Add(1) == 2 {
			close(both)
		}
		<-both
	}
	old := func(login func(p *peer)) func(p *peer) {
		return func(p *peer) {
			login(p)
			p.expect("NOOP")
			meet()
			p.send("200 ok")
			if line, err := p.br.ReadString('\n'); err == nil && line != "QUIT\r\n" && line != "DELE /a\r\n" {
				t.Errorf("%q on a dead connection", line)
			}
		}
	}
	s := startScript(t, old(func(p *peer) { p.login() }), old((*peer).loginAgain), func(p *peer) {
		p.loginAgain()
		p.expect("DELE /b")
		p.send("250 gone")
		p.end()
	})
	cl := s.client(Config{})
	connect(t, cl)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if err := cl.Noop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	settled(t, cl)
	var lost *LostError
	if err := cl.Delete(ctx, "/a"); !errors.As(err, &lost) {
		t.Errorf("%v", err)
	}
	if err := cl.Delete(ctx, "/b"); err != nil {
		t.Errorf("one more failure: %v", err)
	}
}

// A connection that is interrupted when its last reply has been read does not get back to
// the pool.
func TestLateInterrupt(t *testing.T) {
	_, cl := embedded(t, Config{})
	connect(t, cl)
	c, err := cl.pool.get(context.Background(), useShort)
	if err != nil {
		t.Fatal(err)
	}
	c.interrupt(errAborted)
	cl.release(c)
	settled(t, cl)
	if st := cl.Stats(); st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

// A limit told by the server is not reported for longer than it is believed.
func TestLimitForgotten(t *testing.T) {
	_, cl := embedded(t, Config{Connections: 4})
	cl.pool.mu.Lock()
	cl.pool.limit, cl.pool.limitUntil = 1, time.Now().Add(time.Hour)
	cl.pool.mu.Unlock()
	if n := cl.Stats().Limit; n != 1 {
		t.Errorf("limit %d", n)
	}
	cl.pool.mu.Lock()
	cl.pool.limitUntil = time.Now().Add(-time.Second)
	cl.pool.mu.Unlock()
	if n := cl.Stats().Limit; n != 4 {
		t.Errorf("limit %d", n)
	}
}
