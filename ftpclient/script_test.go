package ftpclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// script plays the server of a written dialogue: each connection runs the next
// function.
type script struct {
	t     *testing.T
	l     net.Listener
	group sync.WaitGroup
}

// peer is the server's side of one connection.
type peer struct {
	*script
	nc   net.Conn
	br   *bufio.Reader
	data net.Listener // of the last EPSV
}

func startScript(t *testing.T, conns ...func(p *peer)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, l: l}
	t.Cleanup(func() { l.Close(); s.group.Wait() })
	s.group.Go(func() {
		for _, play := range conns {
			nc, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("accept: %v", err)
				}
				return
			}
			nc.SetDeadline(time.Now().Add(20 * time.Second))
			s.group.Go(func() {
				defer nc.Close()
				p := &peer{script: s, nc: nc, br: bufio.NewReader(nc)}
				defer p.closeData()
				play(p)
			})
		}
		l.Close()
	})
	return s
}

func (s *script) client(cfg Config) *Client {
	s.t.Helper()
	cfg.Addr, cfg.User, cfg.Password = s.l.Addr().String(), "u", "p"
	return testClient(s.t, cfg)
}

func (p *peer) send(lines ...string) {
	p.nc.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
}

// expect reads commands, in order.
func (p *peer) expect(lines ...string) {
	for _, want := range lines {
		got, err := p.br.ReadString('\n')
		if got != want+"\r\n" {
			p.t.Errorf("got command %q (%v), want %q", got, err, want)
		}
	}
}

// expectOne fails unless the commands come in one segment, with nothing after them.
func (p *peer) expectOne(lines ...string) {
	p.br.Peek(1)
	if got, want := p.br.Buffered(), len(strings.Join(lines, "\r\n"))+2; got != want {
		rest, _ := p.br.Peek(p.br.Buffered())
		p.t.Errorf("%d bytes in the write, want %d: %q", got, want, rest)
	}
	p.expect(lines...)
}

var (
	loginLines      = []string{"USER u", "PASS p", "OPTS UTF8 ON", "TYPE I"}
	firstLoginLines = append(loginLines[:4:4], "PWD", "EPSV", "FEAT")
)

func (p *peer) login(features ...string) { p.loginAs("ready", features...) }

// loginAs is the first login; with EPSV in it, if it is allowed.
func (p *peer) loginAs(banner string, features ...string) {
	p.expect(loginLines...)
	p.expect("PWD")
	p.send("220 "+banner, "331 password", "230 in", "200 utf8", "200 type", `257 "/home"`)
	if next, _ := p.br.Peek(4); string(next) == "EPSV" {
		p.epsv()
	}
	p.expect("FEAT")
	p.send(append(append([]string{"211-Features"}, features...), "211 End")...)
}

// loginAgain is the login of a later connection.
func (p *peer) loginAgain() {
	p.expect(loginLines...)
	p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type")
	if p.br.Buffered() > 0 { // in the same write, where a mode is known to work
		p.epsv()
	}
}

// epsv answers EPSV.
func (p *peer) epsv() {
	p.expect("EPSV")
	p.passive()
}

func (p *peer) passive() {
	p.closeData()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Error(err)
		return
	}
	p.data = l
	p.send(fmt.Sprintf("229 Extended Passive Mode (|||%d|)", l.Addr().(*net.TCPAddr).Port))
}

func (p *peer) accept() net.Conn {
	p.data.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	nc, err := p.data.Accept()
	if err != nil {
		p.t.Errorf("data connection: %v", err)
		nc, _ = net.Pipe()
	}
	return nc
}

func (p *peer) closeData() {
	if p.data != nil {
		p.data.Close()
	}
}

// end waits until the client closes the connection.
func (p *peer) end() {
	for {
		line, err := p.br.ReadString('\n')
		if err != nil {
			return
		}
		if line != "QUIT\r\n" && line != "EPSV\r\n" {
			p.t.Errorf("unexpected command %q", line)
		}
	}
}

// drain reads until the client closes the connection, whatever it sends.
func (p *peer) drain() {
	for {
		if _, err := p.br.ReadString('\n'); err != nil {
			return
		}
	}
}

func testClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	cl, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

func connect(t *testing.T, cl *Client) {
	t.Helper()
	if err := cl.Connect(context.Background()); err != nil {
		t.Fatal(err)
	}
}
