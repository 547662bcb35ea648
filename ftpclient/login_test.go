package ftpclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLoginInOneWrite(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expectOne(firstLoginLines...)
		p.send("120 wait", "220-two", "220 lines", "331 password", "230 in", "500 utf8", "200 type",
			`257 "/home dir" is it`, "500 what?", "211-Features", " MLST type*;size*;", " EPSV", "211 End")
		p.end()
	})
	cl := s.client(Config{})
	connect(t, cl)
	if got := cl.Root(); got != "/home dir" {
		t.Errorf("root %q", got)
	}
	srv := cl.Server()
	if srv.Banner != "two lines" || !srv.HasMLSD || srv.Mode != "" || strings.Join(srv.Features, ",") != "EPSV,MLST type*;size*;" {
		t.Errorf("%+v", srv)
	}
	if st := cl.Stats(); st.RoundTrips != 1 || st.Logins != 1 || st.Commands != 7 {
		t.Errorf("%+v", st)
	}
}

func TestLoginSelectsFacts(t *testing.T) {
	second := make(chan struct{})
	s := startScript(t, func(p *peer) {
		p.login(" MLST type*;size*;modify*;unix.mode;")
		p.expectOne("OPTS MLST type;size;modify;unix.mode;")
		p.send("200 ok")
		p.expect("NOOP")
		<-second
		p.send("200 ok")
		p.end()
	}, func(p *peer) {
		p.expectOne("USER u", "PASS p", "OPTS UTF8 ON", "TYPE I", "OPTS MLST type;size;modify;unix.mode;")
		p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type", "200 facts")
		p.expect("NOOP")
		close(second)
		p.send("200 ok")
		p.end()
	})
	cl := s.client(Config{})
	connect(t, cl)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if err := cl.Noop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// Facts that nobody wants are left out from the first listing on, which goes on when the
// server refuses that. A later connection says so in its login.
func TestSuperfluousFacts(t *testing.T) {
	for _, answer := range []string{"200 ok", "501 no"} {
		s := startScript(t, func(p *peer) {
			p.login(" MLST type*;perm*;size*;unix.uid*;")
			data := p.accept()
			p.expect("OPTS MLST type;size;", "MLSD /")
			p.send(answer, "150 here")
			io.WriteString(data, "type=file;size=1; a\r\n")
			data.Close()
			p.expect("EPSV")
			p.send("226 done", "421 bye")
			p.end()
		}, func(p *peer) {
			p.expectOne("USER u", "PASS p", "OPTS UTF8 ON", "TYPE I", "OPTS MLST type;size;", "EPSV")
			p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type", answer, "500 no more")
			p.expect("NOOP")
			p.send("200 ok")
			p.drain()
		})
		cl := s.client(Config{Brief: true})
		if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 {
			t.Errorf("%s: %+v, %v", answer, l, err)
		}
		settled(t, cl)
		if err := cl.Noop(context.Background()); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// A server that throws away what comes before its greeting is spoken to step by step,
// also on later connections.
func TestLoginStepByStep(t *testing.T) {
	stepwise := func(p *peer, lines ...string) {
		p.send("220 ready")
		replies := map[string]string{"USER": "331 password", "PASS": "230 in", "OPTS": "500 no", "TYPE": "200 type",
			"FEAT": "502 no", "PWD": `257 "/x"`, "EPSV": "502 no"}
		for _, line := range lines {
			p.expectOne(line)
			p.send(replies[line[:min(4, len(line))]])
		}
	}
	for name, choke := range map[string]func(p *peer){
		"closed":      func(p *peer) { p.expect("USER u"); p.send("220 ready") },
		"at greeting": func(p *peer) {},
		"bad command": func(p *peer) { p.send("220 ready", "500 what?") },
		"garbage":     func(p *peer) { p.send("220 ready", "what?") },
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, choke, func(p *peer) {
				stepwise(p, firstLoginLines...)
				p.expect("NOOP")
				p.drain()
			}, func(p *peer) {
				stepwise(p, loginLines...)
				p.expect("NOOP")
				p.send("200 ok")
				p.end()
			})
			cl := s.client(Config{})
			connect(t, cl)
			ctx, cancel := context.WithCancel(context.Background())
			var group sync.WaitGroup
			group.Go(func() { cl.Noop(ctx) })
			for cl.Stats().Commands < 15 {
				time.Sleep(time.Millisecond)
			}
			if err := cl.Noop(context.Background()); err != nil {
				t.Error(err)
			}
			cancel()
			group.Wait()
		})
	}
}

func TestAccount(t *testing.T) {
	for _, replies := range [][]string{
		{"331 password", "332 account", "230 in"},
		{"331 password", "230 in", "202 superfluous"},
		{"230 in", "503 already", "503 already"},
		{"332 account", "503 already", "230 in"},
	} {
		s := startScript(t, func(p *peer) {
			p.expectOne("USER u", "PASS p", "ACCT a", "OPTS UTF8 ON", "TYPE I", "PWD", "EPSV", "FEAT")
			p.send("220 ready")
			p.send(replies...)
			p.send("200 utf8", "200 type", "500 pwd", "500 epsv", "500 feat")
			p.end()
		})
		cl := s.client(Config{Account: "a"})
		if err := cl.Connect(context.Background()); err != nil {
			t.Errorf("%q: %v", replies, err)
		}
		if cl.Root() != "/" {
			t.Errorf("root %q", cl.Root())
		}
	}
}

// A refused password is not tried again at once: that would lock accounts.
func TestLoginRefused(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expect("USER u", "PASS p")
		p.send("220 ready", "331 password", "530 Login incorrect.")
		p.nc.Close()
	})
	cl := s.client(Config{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := cl.Noop(context.Background())
			var e *Error
			if !errors.As(err, &e) || e.Kind() != KindLogin || e.Command != "PASS" {
				t.Errorf("%v", err)
			}
			if strings.Contains(err.Error(), " p") && strings.Contains(err.Error(), "PASS p") {
				t.Errorf("password in %v", err)
			}
		})
	}
	group.Wait()
}

func TestMissingAccount(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expect("USER u", "PASS p")
		p.send("220 ready", "331 password", "332 account")
	})
	err := s.client(Config{}).Connect(context.Background())
	var e *Error
	if !errors.As(err, &e) || e.Kind() != KindLogin || e.Command != "ACCT" {
		t.Errorf("%v", err)
	}
}

func TestTooManyAtGreeting(t *testing.T) {
	s := startScript(t, func(p *peer) { p.send("421 Too many connections"); p.drain() })
	err := s.client(Config{}).Connect(context.Background())
	var e *Error
	if !errors.As(err, &e) || e.Kind() != KindTooMany {
		t.Errorf("%v", err)
	}
}

func TestTraceMasksSecrets(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expect("USER u", "PASS p", "ACCT secret")
		p.send("220 ready", "331 password", "332 account", "230 in", "200 ok", "200 ok", "500 no", "500 no", "500 no")
		p.drain()
	})
	var mu sync.Mutex
	var lines []TraceLine
	cl := s.client(Config{Account: "secret", Trace: func(l TraceLine) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l)
	}})
	connect(t, cl)
	mu.Lock()
	defer mu.Unlock()
	if len(lines) != 17 || lines[0] != (TraceLine{1, true, "USER u"}) || lines[8] != (TraceLine{1, false, "220 ready"}) {
		t.Errorf("%+v", lines)
	}
	if lines[1].Line != "PASS ***" || lines[2].Line != "ACCT ***" {
		t.Errorf("%+v", lines[:3])
	}
}
