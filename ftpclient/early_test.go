package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// eager is a server that bears data before the command.
const eager = "Welcome to Pure-FTPd"

func store(t *testing.T, cl *Client, path string) *Writer {
	t.Helper()
	w, err := cl.Store(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// content reads an upload to its end.
func (p *peer) content(data net.Conn, want []byte) {
	data.SetDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(data); err != nil || !bytes.Equal(got, want) {
		p.t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
	}
}

// next lets the client open its next spare data connection.
func (p *peer) next() net.Conn {
	p.epsv()
	return p.accept()
}

// The whole of a small file is there before the server has answered.
func TestEarlyData(t *testing.T) {
	for name, replies := range map[string][]string{
		"150 and 226": {"150 go", "226 done"},
		"226 alone":   {"226 done"},
	} {
		for _, size := range []int{0, 1, 4096, maxEarly} {
			s := startScript(t, func(p *peer) {
				data := p.beginAs(eager)
				p.expectOne("STOR /f")
				p.content(data, random(size))
				p.send(replies...)
				p.next()
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			w := store(t, cl, "/f")
			if _, err := w.Write(random(size)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			settled(t, cl)
		}
	}
}

// More than that waits for the answer.
func TestEarlyDataWaits(t *testing.T) {
	data := random(maxEarly + 1)
	s := startScript(t, func(p *peer) {
		nc := p.beginAs(eager)
		p.expectOne("STOR /f")
		io.ReadFull(nc, make([]byte, maxEarly))
		nc.SetDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := nc.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
			p.t.Errorf("%d bytes more, %v", n, err)
		}
		p.send("150 go")
		p.content(nc, data[maxEarly:])
		p.send("226 done")
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	w := store(t, cl, "/f")
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	settled(t, cl)
}

// A refusal is told by whatever waits first, also if the server never reads the data, and
// the connection stays in use.
func TestEarlyRefusal(t *testing.T) {
	for name, end := range map[string]func(w *Writer) error{
		"close":  func(w *Writer) error { w.Write(random(10)); return w.Close() },
		"commit": func(w *Writer) error { _, err := w.Commit(context.Background(), Commit{Path: "/f"}); return err },
		"write": func(w *Writer) error {
			n, err := w.Write(random(5 << 20))
			if n > maxEarly {
				return errors.New("too much written")
			}
			if again := w.Close(); again != err {
				return again
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.beginAs(eager)
				p.expectOne("STOR /t")
				p.send("550 /t: Permission denied")
				p.next()
				p.expectOne("NOOP")
				p.send("200 ok")
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			var e *Error
			if err := end(store(t, cl, "/t")); !errors.As(err, &e) || e.Kind() != KindPermission || e.Command != "STOR" || e.Path != "/t" {
				t.Errorf("%v", err)
			}
			settled(t, cl)
			if err := cl.Noop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A dead spare data connection costs a second STOR, no error and no data.
func TestEarlyDataRepeated(t *testing.T) {
	for name, play := range map[string]func(p *peer, data net.Conn, size int){
		"425": func(p *peer, _ net.Conn, size int) { p.send("425 no data connection") },
		"426": func(p *peer, _ net.Conn, size int) { p.send("426 no data connection") },
		"reset, 425": func(p *peer, data net.Conn, size int) {
			reset(data)
			p.send("425 no data connection")
		},
	} {
		for _, size := range []int{0, 10, maxEarly, maxEarly + 1, 1 << 20} {
			s := startScript(t, func(p *peer) {
				data := p.beginAs(eager)
				p.expectOne("STOR /f")
				play(p, data, size)
				data = p.next()
				p.expect("STOR /f")
				p.send("150 go")
				p.content(data, random(size))
				p.send("226 done")
				p.next()
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			w := store(t, cl, "/f")
			if n, err := w.Write(random(size)); n != size || err != nil {
				t.Errorf("%s %d: %d, %v", name, size, n, err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("%s %d: %v", name, size, err)
			}
			settled(t, cl)
		}
	}
}

// 421 in place of an answer: the upload begins anew on another connection.
func TestEarlyDataElsewhere(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.beginAs(eager)
		p.expectOne("STOR /f")
		p.send("421 Timeout.")
	}, func(p *peer) {
		p.loginAgain()
		data := p.next()
		p.expect("STOR /f")
		p.send("150 go")
		p.content(data, []byte("content"))
		p.send("226 done")
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	w := store(t, cl, "/f")
	io.WriteString(w, "content")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	settled(t, cl)
}

// What the server may have stored is not sent again.
func TestEarlyDataNotRepeated(t *testing.T) {
	var told *Error
	var lost *LostError
	for name, tt := range map[string]struct {
		replies []string
		as      any
	}{
		"cut":        {[]string{"150 go", "426 cut"}, &told},
		"twice":      {[]string{"150 go", "425 no"}, &told},
		"lost":       {nil, &lost},
		"150, lost":  {[]string{"150 go"}, &lost},
		"150, 421":   {[]string{"150 go", "421 bye"}, &lost},
		"nonsense":   {[]string{"350 what?"}, nil},
		"two events": {[]string{"150 go", "150 go"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.beginAs(eager)
				p.expectOne("STOR /f")
				p.content(data, []byte("content"))
				p.send(tt.replies...)
				if tt.as == &told {
					p.next()
					p.end()
				}
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			w := store(t, cl, "/f")
			io.WriteString(w, "content")
			if err := w.Close(); err == nil || tt.as != nil && !errors.As(err, tt.as) {
				t.Errorf("%v", err)
			}
			if tt.as == &told {
				settled(t, cl)
			}
		})
	}
}

// An upload that is given up before the answer leaves the connection in step.
func TestEarlyAbort(t *testing.T) {
	for name, replies := range map[string][]string{
		"refused": {"550 no"},
		"cut":     {"150 go", "426 cut"},
		"stored":  {"150 go", "226 done"},
		"425":     {"425 no data connection"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				data := p.beginAs(eager)
				p.expectOne("STOR /f")
				if _, err := io.ReadAll(data); err == nil {
					p.t.Error("not reset")
				}
				p.send(replies...)
				p.next()
				p.expectOne("NOOP")
				p.send("200 ok")
				p.end()
			})
			cl := s.client(Config{Connections: 1})
			beginClient(t, cl)
			w := store(t, cl, "/f")
			io.WriteString(w, "content")
			w.Abort()
			w.Abort()
			if err := w.Close(); !errors.Is(err, errAborted) {
				t.Errorf("%v", err)
			}
			settled(t, cl)
			if err := cl.Noop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Abort wakes who waits for the answer, or for the second data connection.
func TestEarlyAbortWakes(t *testing.T) {
	for name, answer := range map[string]string{"waiting": "", "repeating": "425 no"} {
		for what, end := range map[string]func(w *Writer) error{
			"write": func(w *Writer) error { _, err := w.Write(random(maxEarly + 1)); return err },
			"close": func(w *Writer) error { return w.Close() },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				asked := make(chan struct{})
				s := startScript(t, func(p *peer) {
					p.beginAs(eager)
					p.expectOne("STOR /f")
					if answer != "" {
						p.send(answer)
						p.expect("EPSV") // never answered
					}
					close(asked)
					p.drain()
				}, func(p *peer) {
					p.loginAgain()
					p.drain()
				})
				cl := s.client(Config{Connections: 1})
				beginClient(t, cl)
				w := store(t, cl, "/f")
				done := make(chan error)
				go func() { done <- end(w) }()
				<-asked
				for { // until it waits
					w.mu.Lock()
					waits := w.state == stateEnding
					w.mu.Unlock()
					if waits {
						break
					}
					time.Sleep(time.Millisecond)
				}
				w.Abort()
				if err := <-done; !errors.Is(err, errAborted) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func TestEarlyCommitCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := startScript(t, func(p *peer) {
		data := p.beginAs(eager)
		p.expectOne("STOR /t")
		io.ReadAll(data)
		cancel()
		p.drain()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	w := store(t, cl, "/t")
	var lost *LostError
	if _, err := w.Commit(ctx, Commit{Path: "/f"}); !errors.Is(err, context.Canceled) || !errors.As(err, &lost) || lost.Command != "STOR" {
		t.Errorf("%v", err)
	}
}

// Servers that are not known get no data before they have answered.
func TestNoEarlyData(t *testing.T) {
	s := startScript(t, func(p *peer) {
		data := p.begin()
		p.expectOne("STOR /f")
		p.send("550 no")
		data.Close()
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	var e *Error
	if _, err := cl.Store(context.Background(), "/f"); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	settled(t, cl)
}
