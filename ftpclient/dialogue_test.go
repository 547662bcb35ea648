package ftpclient

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// begin is a login followed by a listing that proves EPSV, and the spare data
// connection after it.
func (p *peer) begin() (spare net.Conn) { return p.beginAs("ready") }

func (p *peer) beginAs(banner string) (spare net.Conn) {
	p.loginAs(banner, " MLST type*;size*;modify*;")
	data := p.accept()
	p.expectOne("MLSD /")
	p.send("150 here")
	data.Close()
	p.expect("EPSV")
	p.send("226 done")
	p.passive()
	return p.accept()
}

// beginClient does the client's part of begin.
func beginClient(t *testing.T, cl *Client) {
	t.Helper()
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Fatal(err)
	}
	settled(t, cl)
}

// sendUntilReset writes until the client has reset the data connection.
func sendUntilReset(t *testing.T, nc net.Conn) {
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	for {
		if _, err := nc.Write(make([]byte, 4096)); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("data connection not reset")
			}
			return
		}
	}
}

func endEarlyAfter(t *testing.T, cl *Client, n int64) {
	t.Helper()
	r, err := cl.Retrieve(context.Background(), "/f", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, n); err != nil {
		t.Error(err)
	}
	r.Close()
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
}

func TestEarlyEnd(t *testing.T) {
	for name, replies := range map[string][]string{
		"426":                    {"426 aborted"},
		"second 150 (pure-ftpd)": {"150 0.16 seconds"},
		"226":                    {"226 done"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.begin()
				for range 3 {
					p.expectOne("RETR /f")
					p.send("150 here")
					sendUntilReset(t, data)
					p.send(replies...)
					p.epsv()
					data = p.accept()
				}
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			for range 3 {
				endEarlyAfter(t, cl, 100)
				settled(t, cl)
			}
		})
	}
}

// Where no reply follows the reset, NOOP shows whether the conversation is in step.
func TestEarlyEndWithoutReply(t *testing.T) {
	for name, replies := range map[string][]string{
		"nothing":     {"200 noop"},
		"late 426":    {"426 aborted", "200 noop"},
		"late 150":    {"150 measured here", "200 noop"},
		"its NOOP ok": {"250 NOOP done"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.begin()
				p.expectOne("RETR /f")
				p.send("150 here")
				sendUntilReset(t, data)
				p.expectOne("NOOP")
				p.send(replies...)
				p.epsv()
				p.accept()
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			endEarlyAfter(t, cl, 100)
			settled(t, cl)
		})
	}
	for name, replies := range map[string][]string{
		"eaten":  {"500 what?"},
		"two":    {"426 aborted", "426 aborted", "200 noop"},
		"silent": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.begin()
				p.expectOne("RETR /f")
				p.send("150 here")
				sendUntilReset(t, data)
				p.expectOne("NOOP")
				if replies != nil {
					p.send(replies...)
				}
				p.end() // discarded
			}, func(p *peer) {
				p.loginAgain()
				p.expect("NOOP")
				p.send("200 ok")
				p.end()
			})
			cl := s.client(Config{Connections: 1, Timeout: time.Second})
			beginClient(t, cl)
			endEarlyAfter(t, cl, 100)
			if err := cl.Noop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A spare data connection that the server has forgotten costs a retry, no error.
func TestDeadSpare(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.begin()
		p.expectOne("RETR /f")
		p.send("425 no data connection")
		p.epsv()
		data := p.accept()
		p.expectOne("RETR /f")
		p.send("150 here")
		io.WriteString(data, "content")
		data.Close()
		p.expect("EPSV")
		p.send("226 done")
		p.passive()
		p.accept().Close() // closed while idle: not used
		p.epsv()
		data = p.accept()
		p.expect("STOR /g")
		p.send("150 go")
		if got, err := io.ReadAll(data); string(got) != "upload" {
			t.Errorf("%q, %v", got, err)
		}
		p.send("226 done")
		p.epsv()
		p.accept()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	if got := read(t, cl, "/f", -1); string(got) != "content" {
		t.Errorf("%q", got)
	}
	waitSpareClosed(t, cl)
	w, err := cl.Store(context.Background(), "/g")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "upload")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	settled(t, cl)
}

func waitSpareClosed(t *testing.T, cl *Client) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		cl.pool.mu.Lock()
		closed := len(cl.pool.idle) == 1 && cl.pool.idle[0].spare != nil && cl.pool.idle[0].spare.ready() &&
			!silent(cl.pool.idle[0].spare.nc)
		cl.pool.mu.Unlock()
		if closed {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("spare data connection stays open")
		}
	}
}

// Without MLSD CWD decides whether the directory exists; what LIST says of another
// one is dropped.
func TestListWithoutMLSD(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		data := p.accept()
		p.expectOne("CWD /d", "LIST -a")
		p.send("250 ok", "150 here")
		io.WriteString(data, "-rw-r--r-- 1 u g 3 Jan 01 2020 -x\r\n")
		data.Close()
		p.expect("EPSV")
		p.send("226 done")
		p.passive()
		data = p.accept()
		p.expectOne("CWD /missing", "LIST -a")
		p.send("550 Failed to change directory.", "150 here")
		io.WriteString(data, "-rw-r--r-- 1 u g 3 Jan 01 2020 wrong\r\n")
		data.Close()
		p.send("226 done")
		p.epsv()
		p.accept()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	l, err := cl.List(context.Background(), "/d")
	if err != nil || len(l.Entries) != 1 || l.Entries[0].Name != "-x" {
		t.Errorf("%+v, %v", l, err)
	}
	settled(t, cl)
	l, err = cl.List(context.Background(), "/missing")
	var e *Error
	if !errors.As(err, &e) || e.Command != "CWD" || e.Code != 550 || e.Path != "/missing" || len(l.Entries) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	settled(t, cl)
}

// A listing that is not whole is an error.
func TestCutListing(t *testing.T) {
	for name, end := range map[string]func(p *peer, data net.Conn){
		"426":  func(p *peer, data net.Conn) { data.Close(); p.expect("EPSV"); p.send("426 cut", "500 no") },
		"451":  func(p *peer, data net.Conn) { data.Close(); p.expect("EPSV"); p.send("451 disk error", "500 no") },
		"lost": func(p *peer, data net.Conn) { data.Close(); p.nc.Close() },
		"reset": func(p *peer, data net.Conn) {
			data.(*net.TCPConn).SetLinger(0)
			data.Close()
			p.send("426 cut")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.begin()
				p.expectOne("MLSD /d")
				p.send("150 here")
				io.WriteString(data, "type=file;size=1; a\r\n")
				p.awaitRead(data)
				end(p, data)
				p.drain()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			if l, err := cl.List(context.Background(), "/d"); err == nil || len(l.Entries) != 0 {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
}

// awaitRead gives the client time to read: data that is not read is lost by a reset.
func (p *peer) awaitRead(net.Conn) { time.Sleep(20 * time.Millisecond) }

func TestTruncatedListing(t *testing.T) {
	s := startScript(t, func(p *peer) {
		data := p.begin()
		p.expectOne("MLSD /d")
		p.send("150 here")
		io.WriteString(data, "type=file;size=1; a\r\nnonsense\r\n")
		data.Close()
		p.send("226 Output truncated to 1 matches")
		p.epsv()
		p.accept()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	l, err := cl.List(context.Background(), "/d")
	if err != nil || !l.Truncated || len(l.Entries) != 1 || l.Unparsed != 1 || cl.Stats().Unparsed != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	settled(t, cl)
}

// A file is whole only by its size or the server's word.
func TestShortFile(t *testing.T) {
	for _, tt := range []struct {
		size  int64
		final string
		whole bool
	}{
		{-1, "226 done", true},
		{10, "226 done", true}, // the server says that it has become shorter
		{-1, "426 cut", false},
		{10, "451 disk error", false},
		{7, "426 late complaint", true},
	} {
		s := startScript(t, func(p *peer) {
			data := p.begin()
			p.expectOne("RETR /f")
			p.send("150 here")
			io.WriteString(data, "content")
			data.Close()
			p.expect("EPSV")
			p.send(tt.final)
			p.passive()
			p.accept()
			p.end()
		})
		cl := s.client(Config{Connections: 1})
		beginClient(t, cl)
		r, err := cl.Retrieve(context.Background(), "/f", 0, tt.size)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		var e *Error
		if string(got) != "content" || (err == nil) != tt.whole || !tt.whole && !errors.As(err, &e) {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
		settled(t, cl)
	}
}

func TestArgumentsRefused(t *testing.T) {
	s := startScript(t, func(p *peer) { p.login(); p.end() })
	cl := s.client(Config{})
	connect(t, cl)
	ctx := context.Background()
	for _, p := range []string{"/a\r\nDELE /b", "/a\n", "/a\r", "/a\x00b", "relative", ""} {
		_, list := cl.List(ctx, p)
		_, retr := cl.Retrieve(ctx, p, 0, -1)
		_, stor := cl.Store(ctx, p)
		_, size := cl.Size(ctx, p)
		if times, err := cl.ModTimes(ctx, []string{p}); err != nil || len(times) != 1 || !times[0].IsZero() {
			t.Errorf("the time of %q is %v, %v", p, times, err)
		}
		_, stat := cl.Stat(ctx, p)
		_, link := cl.ReadLink(ctx, p)
		for verb, err := range map[string]error{
			"list": list, "retr": retr, "stor": stor, "size": size, "stat": stat, "link": link,
			"dele": cl.Delete(ctx, p), "rename from": cl.Rename(ctx, p, "/b"), "rename to": cl.Rename(ctx, "/b", p),
			"chmod": cl.Chmod(ctx, p, 0o644), "settime": cl.SetModTime(ctx, p, time.Now()),
		} {
			var e *Error
			if !errors.As(err, &e) || e.Kind() != KindInvalid {
				t.Errorf("%s %q: %v", verb, p, err)
			}
		}
	}
}

func TestLongPaths(t *testing.T) {
	part := "/" + strings.Repeat("d", 199)
	dir := strings.Repeat(part, 12) // 2400
	s := startScript(t, func(p *peer) {
		p.login()
		p.expectOne("CWD " + strings.Repeat(part, 9))
		p.send("250 ok")
		p.expectOne("CWD " + strings.TrimPrefix(strings.Repeat(part, 3), "/"))
		p.send("250 ok")
		p.expectOne("SIZE name")
		p.send("213 5")
		p.expect("CWD " + strings.Repeat(part, 9))
		p.send("250 ok")
		p.expect("CWD " + strings.TrimPrefix(strings.Repeat(part, 3), "/"))
		p.send("550 No such directory")
		p.end() // no DELE: it would concern another file
	})
	cl := s.client(Config{Connections: 1})
	ctx := context.Background()
	if n, err := cl.Size(ctx, dir+"/name"); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var e *Error
	if err := cl.Delete(ctx, dir+"/name"); !errors.As(err, &e) || e.Command != "CWD" {
		t.Errorf("%v", err)
	}
	if err := cl.Delete(ctx, "/"+strings.Repeat("n", maxPath+1)); !errors.As(err, &e) || e.Kind() != KindNameTooLong {
		t.Errorf("%v", err)
	}
	if err := cl.Rename(ctx, dir+"/a", dir+part+"/b"); !errors.As(err, &e) || e.Kind() != KindNameTooLong {
		t.Errorf("%v", err)
	}
}

func TestDoubledIAC(t *testing.T) {
	for banner, want := range map[string]string{"ProFTPD Server": "DELE /\xff\xffa", "other": "DELE /\xffa"} {
		s := startScript(t, func(p *peer) {
			p.expect(firstLoginLines...)
			p.send("220 "+banner, "331 password", "230 in", "200 utf8", "200 type", "502 no", "502 no", "502 no")
			p.expectOne(want)
			p.send("250 gone")
			p.end()
		})
		if err := s.client(Config{}).Delete(context.Background(), "/\xffa"); err != nil {
			t.Error(err)
		}
	}
}

// A reply to the command behind a transfer command that comes before the end of the transfer,
// as from a gateway that looks into the conversation, does not make a cut listing whole; and
// nothing is sent behind transfer commands any more.
func TestChainedReplyOutOfOrder(t *testing.T) {
	const row = "type=file;size=1; one\r\n"
	for name, replies := range map[string][]string{
		"early":   {"229 Extended Passive Mode (|||1|)", "426 aborted"},
		"refused": {"450 EPSV: data transfer in progress", "226 done"},
	} {
		t.Run(name, func(t *testing.T) {
			list := func(p *peer, data net.Conn, cmds ...string) {
				p.expect(cmds...)
				p.send("150 here")
				io.WriteString(data, row)
				data.Close()
			}
			s := startScript(t, func(p *peer) {
				p.loginAs("ProFTPD ready", " MLST type*;size*;modify*;")
				list(p, p.accept(), "MLSD /", "EPSV")
				p.send("226 done")
				p.passive()
				list(p, p.accept(), "MLSD /d", "EPSV")
				p.send(replies...)
				p.drain()
			}, func(p *peer) {
				p.loginAgain()
				data := p.data
				if data == nil { // the mode has to be found again
					p.epsv()
				}
				list(p, p.accept(), "MLSD /d")
				p.expect("EPSV")
				p.send("226 done")
				p.passive()
				p.accept()
				p.end()
			})
			cl := s.client(Config{Connections: 1, ListBy: ListMLSD})
			beginClient(t, cl)
			if l, err := cl.List(context.Background(), "/d"); err == nil {
				t.Errorf("%+v", l)
			}
			if l, err := cl.List(context.Background(), "/d"); err != nil || len(l.Entries) != 1 {
				t.Errorf("%+v, %v", l, err)
			}
			settled(t, cl)
		})
	}
}
