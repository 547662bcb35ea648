package ftpclient

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// passwords counts those that the server has been told.
func passwords(e *ftptest.Embedded) (n int) {
	for _, line := range e.Log().Commands() {
		if strings.HasPrefix(line, "PASS ") {
			n++
		}
	}
	return n
}

// lists lets 20 callers list three times each, and returns how many errors there were, and
// one of them.
func lists(cl *Client) (failed int, err error) {
	errs := make(chan error, 60)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range 3 {
				if _, err := cl.List(context.Background(), "/"); err != nil {
					errs <- err
				}
			}
		})
	}
	group.Wait()
	if len(errs) > 0 {
		err = <-errs
		return len(errs) + 1, err
	}
	return 0, nil
}

// A password that has become wrong is tried once, with and without connections that live,
// and then a minute later, and then every 20 minutes: nobody's account is locked by a mount.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	e, cl := embedded(t, Config{})
	connect(t, cl)
	e.Refuse("PASS", "530 Login incorrect.", ftptest.Always)
	long := time.Now().Add(-time.Hour)
	cl.pool.mu.Lock()
	cl.pool.lastLogin = long
	cl.pool.mu.Unlock()
	e.Log().Reset()
	if n, err := lists(cl); n > 0 {
		t.Errorf("%d of 60 failed beside a connection that lives: %v", n, err)
	}
	if n := passwords(e); n != 1 {
		t.Errorf("%d passwords", n)
	}

	again := func(want int, pause time.Duration) {
		t.Helper()
		var e1 *Error
		if n, err := lists(cl); n != 60 || !errors.As(err, &e1) || e1.Kind() != KindLogin {
			t.Errorf("%d of 60 failed: %v", n, err)
		}
		if n := passwords(e); n != want {
			t.Errorf("%d passwords, not %d", n, want)
		}
		cl.login.mu.Lock()
		defer cl.login.mu.Unlock()
		if wait := time.Until(cl.login.again); wait > pause || wait < pause-30*time.Second {
			t.Errorf("the next one in %v", wait)
		}
		cl.login.again = long
	}
	e.DropAll()
	again(1, firstLoginPause)
	again(2, loginPause)
	again(3, loginPause)

	e.ClearFaults()
	connect(t, cl)
	if err := cl.login.closed(); err != nil || cl.login.refused != nil {
		t.Errorf("after a login: %v", err)
	}
}

// When all connections are lost at once, one login is tried before the others; also when the
// clock was set back since the last one.
func TestOneProber(t *testing.T) {
	for _, ago := range []time.Duration{2 * trusted, -time.Hour} {
		e, cl := embedded(t, Config{})
		connect(t, cl)
		e.DropAll()
		e.Refuse("PASS", "530 Login incorrect.", ftptest.Always)
		cl.pool.mu.Lock()
		cl.pool.lastLogin = time.Now().Round(0).Add(-ago)
		cl.pool.mu.Unlock()
		e.Log().Reset()
		lists(cl)
		if n := passwords(e); n != 1 {
			t.Errorf("%d passwords, %v after a login", n, ago)
		}
	}
}

// A server may still count a connection that has just ended.
func TestSlotOfAnEndedConnection(t *testing.T) {
	full := func(p *peer) { p.send("421 There are too many connected users, please try later."); p.drain() }
	s := startScript(t, func(p *peer) {
		p.login()
		p.expect("NOOP")
		p.send("200 ok")
	}, full, full, func(p *peer) {
		p.loginAgain()
		p.expect("NOOP")
		p.send("200 ok")
		p.end()
	})
	cl := s.client(Config{})
	for range 2 {
		if err := cl.Noop(context.Background()); err != nil {
			t.Error(err)
		}
		for !errors.Is(aliveConn(cl), errStale) && cl.Stats().Logins == 1 {
			time.Sleep(time.Millisecond)
		}
	}
}

// aliveConn gives errStale once the server has closed the idle connection.
func aliveConn(cl *Client) error {
	cl.pool.mu.Lock()
	defer cl.pool.mu.Unlock()
	if len(cl.pool.idle) == 0 || cl.pool.idle[0].alive() {
		return nil
	}
	return errStale
}

// Where a firewall refuses more connections, or lets them die, all wait for those that live,
// and who holds one for a transfer learns that it is wanted.
func TestFirewallThatLimitsConnections(t *testing.T) {
	for name, refuse := range map[string]func(context.Context) error{
		"refused": func(context.Context) error { return syscall.ECONNREFUSED },
		"silence": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 2
			e := ftptest.Start(t, ftptest.Options{})
			cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Timeout: 3 * time.Second, Connections: 6,
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr == e.Addr() && e.Connections() >= limit {
						return nil, refuse(ctx)
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}})
			data := make([]byte, 100<<10)
			put(t, e, "/f", data)
			put(t, e, "/large", make([]byte, 16<<20))
			r, err := cl.Retrieve(context.Background(), "/large", 0, 16<<20)
			if err != nil {
				t.Fatal(err)
			}
			io.CopyN(io.Discard, r, 1000)
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					if err := everything(cl, i, data); err != nil {
						t.Errorf("%d: %v", i, err)
					}
				})
			}
			for !cl.Contended() {
				time.Sleep(time.Millisecond)
			}
			r.Close()
			group.Wait()
		})
	}
}

// The name is looked up for each connection: who comes back under another address is found.
func TestServerGetsAnotherAddress(t *testing.T) {
	old, e := ftptest.Start(t, ftptest.Options{}), ftptest.Start(t, ftptest.Options{})
	put(t, old, "/old", nil)
	put(t, e, "/new", nil)
	const name = "ftp.example:21"
	var address atomic.Pointer[string]
	is := func(e *ftptest.Embedded) { addr := e.Addr(); address.Store(&addr) }
	is(old)
	cl := testClient(t, Config{Addr: name, User: "user", Password: "secret",
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == name {
				addr = *address.Load()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
	for _, want := range []string{"old", "new"} {
		l, err := cl.List(context.Background(), "/")
		if err != nil || len(l.Entries) != 1 || l.Entries[0].Name != want {
			t.Errorf("%+v, %v", l.Entries, err)
		}
		if err := cl.Delete(context.Background(), "/"+want); err != nil {
			t.Error(err)
		}
		settled(t, cl)
		is(e)
		old.Down()
	}
}
