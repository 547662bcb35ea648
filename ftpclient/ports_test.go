package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

func commaPort(port int) string { return fmt.Sprintf("%d,%d", port>>8, port&0xff) }

// freePorts finds n free loopback ports in a row, below those that the kernel gives away.
func freePorts(t *testing.T, n int) PortRange {
	t.Helper()
	for lo := 12000 + 97*(os.Getpid()%50); lo < 19000; lo += n {
		free := true
		for port := lo; port < lo+n; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return PortRange{uint16(lo), uint16(lo + n - 1)}
		}
	}
	t.Fatal("no free ports")
	return PortRange{}
}

// More transfers than ports wait for each other, and for what other programs hold.
func TestRealActivePortsUnderLoad(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} { // pyftpdlib forgets to connect now and then, with any ports
		t.Run(name, func(t *testing.T) {
			ports := freePorts(t, 4)
			foreign, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports.Lo+1))
			if err != nil {
				t.Fatal(err)
			}
			defer foreign.Close()
			var mu sync.Mutex
			told := map[string]bool{}
			s, cl := real(t, name, ftptest.RealOptions{}, Config{
				Mode: ModeActive, ActivePorts: ports, Connections: 9, Timeout: 20 * time.Second,
				Trace: func(l TraceLine) {
					if arg, ok := strings.CutPrefix(l.Line, "EPRT |1|127.0.0.1|"); ok {
						mu.Lock()
						defer mu.Unlock()
						told[arg] = true
					}
				},
			})
			writeFile(t, s, "f", random(100<<10))
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for range 10 {
						if got := read(t, cl, "/f", -1); len(got) != 100<<10 {
							t.Errorf("%d bytes", len(got))
						}
					}
				})
			}
			group.Wait()
			want := map[string]bool{}
			for port := ports.Lo; port <= ports.Hi; port++ {
				if port != ports.Lo+1 {
					want[fmt.Sprintf("%d|", port)] = true
				}
			}
			if fmt.Sprint(told) != fmt.Sprint(want) {
				t.Errorf("ports told: %v, want %v", told, want)
			}
		})
	}
}

// That all ports are in use is an error of its own and no reason to try another mode.
func TestNoActivePort(t *testing.T) {
	ports := freePorts(t, 2)
	for port := ports.Lo; port <= ports.Hi; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	e, cl := embedded(t, Config{Mode: ModeActive, ActivePorts: ports, Timeout: 200 * time.Millisecond})
	connect(t, cl)
	e.Log().Reset()
	_, err := cl.List(context.Background(), "/")
	if want := fmt.Sprintf("all ports of %d-%d are in use", ports.Lo, ports.Hi); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	expectWrites(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cl.List(ctx, "/"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The port of a transfer that was given up is not used for the next one, in whose place
// the server's late connection might be taken.
func TestPortRests(t *testing.T) {
	ports := freePorts(t, 2)
	first := make(chan string, 1)
	s := startScript(t, func(p *peer) {
		p.login()
		line, _ := p.br.ReadString('\n')
		first <- line
		p.drain() // never answers
	}, func(p *peer) {
		p.loginAgain()
		given := <-first
		for range 3 {
			if line, _ := p.br.ReadString('\n'); line == given {
				t.Errorf("%q again", line)
			}
			p.send("200 ok")
			p.expect("RETR /f")
			p.send("550 no")
		}
		p.end()
	})
	cl := s.client(Config{Mode: ModeEPRT, ActivePorts: ports, Connections: 1, Timeout: 300 * time.Millisecond})
	for i := range 4 {
		_, err := cl.Retrieve(context.Background(), "/f", 0, -1)
		var e *Error
		if refused := errors.As(err, &e); err == nil || refused != (i > 0) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
