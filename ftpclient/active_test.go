package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// Only the server may connect; others are closed and do not end the waiting.
func TestStrangerRefused(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		line, err := p.br.ReadString('\n')
		var port int
		if _, serr := fmt.Sscanf(strings.TrimSpace(line), "EPRT |1|127.0.0.1|%d|", &port); err != nil || serr != nil {
			t.Errorf("%q %v %v", line, err, serr)
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		stranger, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer stranger.Close()
		io.WriteString(stranger, "-rw-r--r-- 1 u g 3 Jan 01 2020 stranger\r\n")
		p.send("200 ok")
		p.expect("CWD /", "LIST -a")
		p.send("250 ok", "150 here")
		if _, err := stranger.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stranger: %v", err)
		}
		data, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(data, "-rw-r--r-- 1 u g 3 Jan 01 2020 real\r\n")
		data.Close()
		p.send("226 done")
		p.end()
	})
	cl := s.client(Config{Mode: ModeEPRT})
	l, err := cl.List(context.Background(), "/")
	if err != nil || len(l.Entries) != 1 || l.Entries[0].Name != "real" {
		t.Errorf("%+v, %v", l, err)
	}
}

// A refusal ends the waiting for the server's connection at once.
func TestActiveRefused(t *testing.T) {
	for _, replies := range [][]string{{"425 cannot connect"}, {"150 trying", "425 cannot connect"}} {
		s := startScript(t, func(p *peer) {
			p.login()
			p.br.ReadString('\n')
			p.send("200 ok")
			p.expect("CWD /", "LIST -a")
			p.send("250 ok")
			p.send(replies...)
			p.drain()
		})
		cl := s.client(Config{Mode: ModePORT, Timeout: 8 * time.Second, Connections: 1})
		_, err := cl.List(context.Background(), "/")
		var e *Error
		if !errors.As(err, &e) || e.Code != 425 { // a timeout: it waited for a connection that had been called off
			t.Errorf("%v", err)
		}
	}
}

func TestActivePorts(t *testing.T) {
	e := ftptest.Start(t, ftptest.Options{})
	put(t, e, "/f", []byte("content"))
	// Two free ports in a row.
	var ports PortRange
	for ports.Lo == 0 {
		a, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := a.Addr().(*net.TCPAddr).Port
		if b, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1)); err == nil {
			b.Close()
			ports = PortRange{uint16(port), uint16(port + 1)}
		}
		a.Close()
	}
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Mode: ModeEPRT, ActivePorts: ports})
	for range 6 {
		if got := read(t, cl, "/f", 7); string(got) != "content" {
			t.Errorf("%q", got)
		}
	}
	for _, line := range e.Log().Commands() {
		var port uint16
		if _, err := fmt.Sscanf(line, "EPRT |1|127.0.0.1|%d|", &port); err == nil && (port < ports.Lo || port > ports.Hi) {
			t.Errorf("%s is not in %v", line, ports)
		}
	}
}

func TestActiveAddress(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		line, _ := p.br.ReadString('\n')
		if !strings.HasPrefix(line, "PORT 192,0,2,7,") {
			t.Errorf("%q", line)
		}
		p.send("500 Illegal PORT command.")
		p.end()
	})
	cl := s.client(Config{Mode: ModePORT, ActiveAddress: netip.MustParseAddr("192.0.2.7")})
	if _, err := cl.List(context.Background(), "/"); !strings.Contains(fmt.Sprint(err), "Illegal PORT") {
		t.Errorf("%v", err)
	}
}

// A server that goes silent costs no more than the timeout.
func TestSilence(t *testing.T) {
	e, cl := embedded(t, Config{Timeout: 300 * time.Millisecond, Connections: 1})
	put(t, e, "/f", make([]byte, 1<<20))
	read(t, cl, "/f", 1<<20)
	hold := e.StallData("RETR", 1000)
	defer hold.Release()
	r, err := cl.Retrieve(context.Background(), "/f", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); err == nil || !isTimeout(err) || n > 1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	r.Close()
	held := e.HoldReply("SIZE", 0)
	defer held.Release()
	if _, err := cl.Size(context.Background(), "/f"); err == nil || !isTimeout(err) {
		t.Errorf("%v", err)
	}
}

// Replies in single bytes and replies that nobody asked for.
func TestOddReplies(t *testing.T) {
	e, cl := embedded(t, Config{})
	put(t, e, "/f", []byte("content"))
	e.SplitReplies(true)
	if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	e.SplitReplies(false)
	for _, verb := range []string{"SIZE", "RETR", "EPSV", "MLSD"} {
		for _, extra := range []string{"200 extra", "550 extra", "226 extra", "213 7"} {
			e.Extra(verb, extra, 1)
			for range 3 {
				if n, err := cl.Size(context.Background(), "/f"); err != nil || n != 7 {
					t.Errorf("%s, %s: size %d, %v", verb, extra, n, err)
				}
				if got := read(t, cl, "/f", -1); string(got) != "content" {
					t.Errorf("%s, %s: %q", verb, extra, got)
				}
				if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 {
					t.Errorf("%s, %s: %+v, %v", verb, extra, l, err)
				}
			}
		}
	}
}
