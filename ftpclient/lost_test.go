package ftpclient

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// What changes something is never repeated once it may have been done.
func TestLostMutation(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		commands []string
		reply    string
		do       func(cl *Client) error
	}{
		"dele":         {[]string{"DELE /a"}, "", func(cl *Client) error { return cl.Delete(ctx, "/a") }},
		"half a reply": {[]string{"DELE /a"}, "250 do", func(cl *Client) error { return cl.Delete(ctx, "/a") }},
		"mkd":          {[]string{"MKD /a"}, "", func(cl *Client) error { return cl.MakeDir(ctx, "/a") }},
		"rename":       {[]string{"RNFR /a", "RNTO /b"}, "350 go on\r\n", func(cl *Client) error { return cl.Rename(ctx, "/a", "/b") }},
		"421 to RNTO":  {[]string{"RNFR /a", "RNTO /b"}, "350 go on\r\n421 bye\r\n", func(cl *Client) error { return cl.Rename(ctx, "/a", "/b") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.login()
				p.expect("NOOP")
				p.send("200 ok")
				p.expect(tt.commands...)
				io.WriteString(p.nc, tt.reply)
			}, func(p *peer) {
				p.loginAgain()
				p.expect("NOOP")
				p.send("200 ok")
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			if err := cl.Noop(ctx); err != nil {
				t.Fatal(err)
			}
			err := tt.do(cl)
			var lost *LostError
			if !errors.As(err, &lost) || lost.Err == nil {
				t.Errorf("%v", err)
			}
			if err := cl.Noop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// 421 as the first answer means that nothing was done.
func TestRefusedByClosing(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		p.expect("NOOP")
		p.send("200 ok")
		p.expect("DELE /a")
		p.send("421 Timeout.")
	}, func(p *peer) {
		p.loginAgain()
		p.expectOne("DELE /a")
		p.send("250 gone")
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	if err := cl.Noop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := cl.Delete(context.Background(), "/a"); err != nil {
		t.Error(err)
	}
}

// What only asks is asked again if the connection had been idle and was dead.
func TestRepeatedQuestion(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		p.expect("NOOP")
		p.send("200 ok")
		p.expect("SIZE /a")
	}, func(p *peer) {
		p.loginAgain()
		p.expectOne("SIZE /a")
		p.send("213 5")
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	if err := cl.Noop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n, err := cl.Size(context.Background(), "/a"); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// An idle connection on which something has arrived, or that is closed, is not used.
func TestStaleConnection(t *testing.T) {
	for _, said := range []string{"421 Timeout.\r\n", "200 nobody asked\r\n", ""} {
		idle := make(chan struct{})
		s := startScript(t, func(p *peer) {
			p.login()
			p.expect("NOOP")
			p.send("200 ok")
			<-idle
			io.WriteString(p.nc, said)
			if said != "" {
				p.drain()
			}
		}, func(p *peer) {
			p.loginAgain()
			p.expectOne("DELE /a")
			p.send("250 gone")
			p.end()
		})
		cl := s.client(Config{Connections: 1})
		if err := cl.Noop(context.Background()); err != nil {
			t.Fatal(err)
		}
		cl.pool.mu.Lock()
		c := cl.pool.idle[0]
		close(idle)
		for silent(c.nc) {
			time.Sleep(time.Millisecond)
		}
		cl.pool.mu.Unlock()
		if err := cl.Delete(context.Background(), "/a"); err != nil {
			t.Error(err)
		}
	}
}

func TestCancel(t *testing.T) {
	asked := make(chan struct{}, 1)
	s := startScript(t, func(p *peer) {
		p.login()
		p.expect("DELE /a")
		asked <- struct{}{}
		p.drain() // never answers
	}, func(p *peer) {
		p.loginAgain()
		p.expect("SIZE /a")
		asked <- struct{}{}
		p.drain()
	})
	cl := s.client(Config{Connections: 1})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	err := cl.Delete(ctx, "/a")
	var lost *LostError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &lost) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	if _, err := cl.Size(ctx, "/a"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := cl.Delete(ctx, "/a"); !errors.Is(err, context.Canceled) || errors.As(err, &lost) {
		t.Errorf("before anything was sent: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	asked := make(chan struct{})
	s := startScript(t, func(p *peer) {
		p.begin()
		p.expect("RETR /f")
		p.send("150 here")
		close(asked)
		p.drain()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	done := make(chan error, 2)
	go func() {
		r, err := cl.Retrieve(context.Background(), "/f", 0, -1)
		if err == nil {
			_, err = r.Read(make([]byte, 1))
			r.Close()
		}
		done <- err
	}()
	<-asked
	go func() { done <- cl.Noop(context.Background()) }()
	for !cl.Contended() {
		time.Sleep(time.Millisecond)
	}
	cl.Close()
	for range 2 {
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	if err := cl.Noop(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	cl.Close()
}

func TestCommitLost(t *testing.T) {
	for name, tt := range map[string]struct {
		after   func(p *peer, data net.Conn)
		command string
	}{
		"before the verdict": {func(p *peer, data net.Conn) {}, "STOR"},
		"after it": {func(p *peer, data net.Conn) {
			p.send("226 done")
			p.expectOne("MDTM 20200101000000 /t", "SITE CHMOD 0644 /t", "RNFR /t", "RNTO /f", "SIZE /f", "MDTM /f", "EPSV")
			p.send("213 ok", "200 ok", "350 go on")
		}, "RNTO"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.beginUpload()
				data := p.accept()
				p.expectOne("STOR /t")
				p.send("150 go")
				io.ReadAll(data)
				tt.after(p, data)
			})
			cl := s.client(Config{Connections: 1})
			w, err := cl.Store(context.Background(), "/t")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "12345")
			_, err = w.Commit(context.Background(), Commit{Path: "/f", Mode: 0o644, HasMode: true,
				ModTime: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
			var lost *LostError
			if !errors.As(err, &lost) || lost.Command != tt.command {
				t.Errorf("%v", err)
			}
		})
	}
}

func (p *peer) beginUpload() {
	p.login()
}

func TestCommitReplies(t *testing.T) {
	for name, tt := range map[string]struct {
		replies []string
		want    string // part of the error
		kind    Kind
	}{
		"fine":         {[]string{"213 ok", "200 ok", "350 go on", "250 done", "213 5", "213 20200101000000"}, "", 0},
		"wrong size":   {[]string{"213 ok", "200 ok", "350 go on", "250 done", "213 4", "213 20200101000000"}, "4 bytes of 5", 0},
		"no size":      {[]string{"213 ok", "200 ok", "350 go on", "250 done", "502 what?", "213 20200101000000"}, "", 0},
		"exists":       {[]string{"213 ok", "200 ok", "350 go on", "550 /f: File exists", "213 4", "213 20200101000000"}, "RNTO /f: 550", KindExist},
		"gone":         {[]string{"550 no", "550 no", "550 No such file or directory", "503 RNFR first", "213 4", "213 20200101000000"}, "RNFR /t: 550", KindNotExist},
		"nothing else": {[]string{"500 no", "500 no", "350 go on", "250 done", "213 5", "213 20210101000000"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.beginUpload()
				data := p.accept()
				p.expectOne("STOR /t")
				p.send("150 go")
				io.ReadAll(data)
				p.send("226 done")
				p.expectOne("MDTM 20200101000000 /t", "SITE CHMOD 0644 /t", "RNFR /t", "RNTO /f", "SIZE /f", "MDTM /f", "EPSV")
				p.send(tt.replies...)
				p.passive()
				p.accept()
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			w, err := cl.Store(context.Background(), "/t")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "12345")
			at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			got, err := w.Commit(context.Background(), Commit{Path: "/f", Mode: 0o644, HasMode: true, ModTime: at})
			switch {
			case (err == nil) != (tt.want == ""), err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("%v", err)
			case err == nil && (got.Size != 5 || got.ModTime.IsZero()):
				t.Errorf("%+v", got)
			}
			var e *Error
			if errors.As(err, &e) && e.Kind() != tt.kind {
				t.Errorf("kind %v", e.Kind())
			}
			if name == "nothing else" && (got.ModTime.Year() != 2021 || got.HasMode || cl.CanChmod() != No || cl.CanSetModTime() != Unknown) {
				t.Errorf("%+v %v %v", got, cl.CanChmod(), cl.CanSetModTime())
			}
			if name == "fine" && (!got.ModTime.Equal(at) || got.Mode != 0o644 || cl.CanChmod() != Yes || cl.CanSetModTime() != Yes) {
				t.Errorf("%+v %v %v", got, cl.CanChmod(), cl.CanSetModTime())
			}
			settled(t, cl)
		})
	}
}

// A failed write tells what the server says.
func TestDiskFull(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.beginUpload()
		data := p.accept()
		p.expectOne("STOR /t")
		p.send("150 go")
		io.ReadFull(data, make([]byte, 1000))
		data.Close()
		p.send("452 No space left on device")
		p.epsv()
		p.accept()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	w, err := cl.Store(context.Background(), "/t")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 64<<10))
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind() != KindNoSpace {
		t.Errorf("%v", err)
	}
	if again := w.Close(); again != err {
		t.Errorf("close: %v", again)
	}
	w.Abort()
	settled(t, cl)
}

func TestAbort(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.beginUpload()
		data := p.accept()
		p.expectOne("STOR /t")
		p.send("150 go")
		if _, err := io.ReadAll(data); err == nil {
			p.t.Error("not reset")
		}
		p.send("426 aborted")
		p.epsv()
		p.accept()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	w, err := cl.Store(context.Background(), "/t")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "12345")
	w.Abort()
	if _, err := w.Write(nil); err != nil {
		t.Errorf("empty write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errAborted) {
		t.Errorf("%v", err)
	}
	settled(t, cl)
}
