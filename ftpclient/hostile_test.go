package ftpclient

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// "Ready in a while" for ever is no greeting: neither without pause nor now and then.
func TestEndlessDelays(t *testing.T) {
	for name, pause := range map[string]time.Duration{"at once": 0, "slowly": 60 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			endless := func(p *peer) {
				for range 1000 {
					if _, err := p.nc.Write([]byte("120 wait\r\n")); err != nil {
						return
					}
					time.Sleep(pause)
				}
				p.drain()
			}
			cl := startScript(t, endless).client(Config{Timeout: 300 * time.Millisecond})
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := cl.Connect(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("connect: %v", err)
			}
		})
	}
}

// A reply has one deadline, however its bytes drip.
func TestDrippingReply(t *testing.T) {
	cl := startScript(t, func(p *peer) {
		for range 1000 {
			if _, err := p.nc.Write([]byte("2")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}).client(Config{Timeout: 200 * time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := cl.Connect(ctx); !isTimeout(err) || ctx.Err() != nil {
		t.Errorf("connect: %v", err)
	}
}

func TestSecretsEchoed(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expect("USER u", "PASS SECRETPW")
		p.send("220 ready", "331 password", "530-SECRETPW is", "530 wrong password SECRETPW, account ACCOUNT7")
		p.drain()
	})
	var mu sync.Mutex
	var traced strings.Builder
	cl := testClient(t, Config{Addr: s.l.Addr().String(), User: "u", Password: "SECRETPW", Account: "ACCOUNT7",
		Trace: func(l TraceLine) {
			mu.Lock()
			defer mu.Unlock()
			traced.WriteString(l.Line + "\n")
		}})
	err := cl.Connect(context.Background())
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind() != KindLogin || !strings.Contains(e.Text, "*** is wrong password ***, account ***") {
		t.Errorf("connect: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := traced.String(); strings.Contains(got, "SECRETPW") || strings.Contains(got, "ACCOUNT7") || !strings.Contains(got, "530 wrong password ***") {
		t.Errorf("traced %s", got)
	}
}

// Nor is a secret seen in a line that is no reply.
func TestSecretInNonsense(t *testing.T) {
	nonsense := func(p *peer) { p.send("220 ready", "331 password", "SECRETPW?"); p.drain() }
	s := startScript(t, nonsense)
	cl := testClient(t, Config{Addr: s.l.Addr().String(), User: "u", Password: "SECRETPW"})
	if err := cl.Connect(context.Background()); !errors.Is(err, errBadReply) || strings.Contains(err.Error(), "SECRETPW") {
		t.Errorf("connect: %v", err)
	}
}

// A password that is a word of the server's language is left: hiding would tell it, and
// hide the reason of a refusal.
func TestSecretIsCommonWord(t *testing.T) {
	cfg := Config{Addr: "localhost", User: "u", Password: "file"}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	r := reply{code: 550, lines: []string{"No such file or directory"}, secrets: cfg.secrets()}
	if err := refusal("DELE", "/a", r); err.Kind() != KindNotExist {
		t.Errorf("%v: %v", err, err.Kind())
	}
}

func TestLoginErrorsAreReadable(t *testing.T) {
	hangUp := func(p *peer) {
		if line, _ := p.br.ReadString('\n'); line == "" {
			p.t.Error("no command")
		}
	}
	for name, test := range map[string]struct {
		conns []func(p *peer)
		want  string
	}{
		"421 at PASS": {[]func(p *peer){func(p *peer) {
			p.expect("USER u", "PASS p")
			p.send("220 ready", "331 password", "421 bye")
			p.drain()
		}}, "PASS: 421 bye"},
		"421 at USER": {[]func(p *peer){func(p *peer) {
			p.send("220 ready", "421 bye")
			p.drain()
		}}, "USER: 421 bye"},
		"421 at FEAT": {[]func(p *peer){func(p *peer) {
			p.expect(firstLoginLines...)
			p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type", `257 "/"`, "500 what?", "421 bye")
			p.drain()
		}}, "FEAT: 421 bye"},
		"421 at OPTS": {[]func(p *peer){func(p *peer) {
			p.login(" MLST type*;size*;modify*;unix.mode;")
			p.expect("OPTS MLST type;size;modify;unix.mode;")
			p.send("421 bye")
			p.drain()
		}}, "OPTS: 421 bye"},
		"closed": {[]func(p *peer){hangUp, func(p *peer) { p.send("220 ready"); hangUp(p) }},
			"USER: the server has closed the connection"},
		"closed at once": {[]func(p *peer){hangUp, func(p *peer) {}}, "greeting: the server has closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, test.conns...)
			err := s.client(Config{}).Connect(context.Background())
			if want := "login to " + s.l.Addr().String() + ": " + test.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestNoDataConnectionInOneLine(t *testing.T) {
	inner := errors.New("refused")
	a := &attempt{failed: []*dataError{{ModeEPSV, inner}, {ModePASV, refusal("PASV", "", reply{code: 500, lines: []string{"no"}})}}}
	err := a.err()
	if got, want := err.Error(), "no data connection: epsv: refused; pasv: PASV: 500 no"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !isDataError(err) || !errors.Is(err, inner) {
		t.Error("the reasons are lost")
	}
}
