package ftpfs_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// changing are the commands that may not be sent twice, but for those that give uploads
// their names: a shell closes a file that it makes before it writes to it. What a 421
// answers, as it does what comes just when a session ends, has not been done and may be.
func changing(log *ftptest.Log) (lines []string) {
	unanswered := make(map[int][]string) // by connection
	take := func(line string) {
		verb, path, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"DELE", "MKD", "RMD"}, verb) || verb == "RNTO" && strings.HasSuffix(path, "/moved") {
			lines = append(lines, line)
		}
	}
	for _, e := range log.Entries() {
		if unanswered[e.Conn] == nil {
			unanswered[e.Conn] = []string{ftptest.Greeting}
		}
		waiting := unanswered[e.Conn]
		switch final := len(e.Line) > 3 && e.Line[0] >= '2' && e.Line[0] <= '5' && e.Line[3] == ' '; {
		case e.Sent:
			unanswered[e.Conn] = append(waiting, e.Line)
		case final && e.Line[:3] == "421":
			unanswered[e.Conn] = waiting[:0]
		case final && len(waiting) > 0:
			take(waiting[0])
			unanswered[e.Conn] = waiting[1:]
		}
	}
	for _, waiting := range unanswered {
		for _, line := range waiting {
			take(line)
		}
	}
	return lines
}

// A server that ends sessions after a second without a command is not noticed, and nothing that
// it may have done is sent again.
func TestServerThatEndsIdleSessions(t *testing.T) {
	const rests = 1300 * time.Millisecond
	work := func(t *testing.T, proxy *ftptest.Embedded, end func()) {
		t.Helper()
		m := fusetest.Server(t, ftpclient.Config{Addr: proxy.Addr(), User: "user", Password: "secret"}, ftpfs.Options{DirTTL: time.Millisecond})
		writer := start(t, m, "exec >log; for i in 1 2 3; do echo $i; sleep 1.3; done")
		for i := range 3 {
			m.Run(fmt.Sprintf(`mkdir d%[1]d; echo %[1]d >d%[1]d/f; mv d%[1]d/f d%[1]d/moved; ls d%[1]d; cat d%[1]d/moved; echo more >>d%[1]d/appended; rm d%[1]d/moved`, i))
			end()
		}
		if out, err := writer.wait(endsIn); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if got := m.Run("cat log; ls"); got != "1\n2\n3\nd0\nd1\nd2\nlog" {
			t.Errorf("%q", got)
		}
		lines := changing(proxy.Log())
		if slices.Sort(lines); len(lines) < 9 {
			t.Errorf("%q", lines)
		}
		for i := 1; i < len(lines); i++ {
			if lines[i] == lines[i-1] {
				t.Errorf("sent twice: %q", lines[i])
			}
		}
	}
	for _, name := range []string{"vsftpd", "proftpd", "pyftpdlib"} { // pure-ftpd counts minutes
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			real := ftptest.Real(t, name, ftptest.RealOptions{IdleTimeout: time.Second})
			proxy := ftptest.Start(t, ftptest.Options{Upstream: real.Addr})
			work(t, proxy, func() { time.Sleep(rests) })
		})
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		server := ftptest.Start(t, ftptest.Options{})
		work(t, server, func() {
			server.Say("421 Timeout.")
			server.DropAll()
		})
	})
}

// A server that is down, or that has no room, meets few connections, however many programs go on
// trying, and is used again soon after it is back.
func TestNoStormOfLogins(t *testing.T) {
	for name, turn := range map[string]func(e *ftptest.Embedded, down bool) error{
		"down": func(e *ftptest.Embedded, down bool) error {
			if down {
				e.Down()
				return nil
			}
			return e.Up()
		},
		"full": func(e *ftptest.Embedded, down bool) error {
			if e.ClearFaults(); down {
				e.Fail(ftptest.Greeting, ftptest.OnEnd, ftptest.Leave, ftptest.Always)
			}
			e.DropAll()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Start(t, ftptest.Options{})
			var dials atomic.Int64
			cfg := ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret",
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr == server.Addr() {
						dials.Add(1)
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}}
			m := fusetest.Server(t, cfg, ftpfs.Options{DirTTL: time.Millisecond})
			m.Run("for i in {1..20}; do mkdir d$i; done; ls")
			if err := turn(server, true); err != nil {
				t.Fatal(err)
			}
			dials.Store(0)
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() { m.Try(fmt.Sprintf("for i in {1..20}; do : d%d/*; sleep 0.1; done", i+1)) })
			}
			group.Wait()
			// 50, 100, 200, 400, 800, 1600 ms and then every 2 s, less a quarter; programs are started slowly here.
			if n := dials.Load(); n < 3 || n > 12 {
				t.Errorf("%d connections for 20 programs that tried for 2 s", n)
			}
			if err := turn(server, false); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "using the server again", func() error {
				_, err := m.Try("ls")
				return err
			})
		})
	}
}
