package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"
)

// simple is a server that carries out the first command of what it reads and loses the rest.
// It has one file, /f.
type simple struct {
	*peer
	content string
	data    net.Listener // of PASV
	to      string       // of PORT
	offset  int
}

func (s *simple) serve() {
	s.send("220 ready")
	buf := make([]byte, 1024)
	for {
		n, err := s.nc.Read(buf)
		line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
		verb, arg, _ := strings.Cut(line, " ")
		if err != nil || verb == "QUIT" {
			return
		}
		s.answer(verb, arg)
	}
}

func (s *simple) answer(verb, arg string) {
	switch verb {
	case "USER":
		s.send("331 password")
	case "PASS":
		s.send("230 in")
	case "TYPE", "CWD", "DELE":
		if arg == "/none" {
			s.send("550 No such directory")
			return
		}
		s.send("250 ok")
	case "PWD":
		s.send(`257 "/"`)
	case "PASV":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Error(err)
		}
		s.t.Cleanup(func() { l.Close() })
		port := l.Addr().(*net.TCPAddr).Port
		s.data, s.to = l, ""
		s.send(fmt.Sprintf("227 Entering Passive Mode (127,0,0,1,%d,%d)", port>>8, port&0xff))
	case "PORT":
		var a, b, c, d, hi, lo int
		fmt.Sscanf(arg, "%d,%d,%d,%d,%d,%d", &a, &b, &c, &d, &hi, &lo)
		s.to = fmt.Sprintf("127.0.0.1:%d", hi<<8|lo)
		s.send("200 ok")
	case "REST":
		fmt.Sscan(arg, &s.offset)
		s.send("350 ok")
	case "LIST":
		s.transfer(func(nc net.Conn) { fmt.Fprintf(nc, "-rw-r--r-- 1 u g %d Jan 1 2020 f\r\n", len(s.content)) })
	case "RETR":
		s.transfer(func(nc net.Conn) { io.WriteString(nc, s.content[s.offset:]) })
	case "STOR":
		s.transfer(func(nc net.Conn) { b, _ := io.ReadAll(nc); s.content = string(b) })
	case "RNFR":
		s.send("350 ok")
	case "RNTO":
		s.send("250 ok")
	case "SIZE":
		s.send(fmt.Sprint("213 ", len(s.content)))
	default:
		s.send("502 no")
	}
}

func (s *simple) transfer(move func(nc net.Conn)) {
	s.send("150 here")
	var nc net.Conn
	var err error
	if s.to != "" {
		nc, err = net.Dial("tcp", s.to)
	} else {
		nc, err = s.data.Accept()
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	move(nc)
	nc.Close()
	s.offset = 0
	s.send("226 done")
}

// A server that loses commands behind another is spoken to one by one, in each mode.
func TestLockstep(t *testing.T) {
	for _, mode := range []Mode{ModePassive, ModeActive} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			play := func(p *peer) { (&simple{peer: p, content: "0123456789"}).serve() }
			s := startScript(t, play, play)
			cl := s.client(Config{Mode: mode, Connections: 1, Timeout: 500 * time.Millisecond})
			ctx := context.Background()
			if l, err := cl.List(ctx, "/"); err != nil || len(l.Entries) != 1 || l.Entries[0].Name != "f" {
				t.Fatalf("%+v, %v", l, err)
			}
			if _, err := cl.List(ctx, "/none"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			r, err := cl.Retrieve(ctx, "/f", 4, 10)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(r); string(b) != "456789" {
				t.Errorf("%q, %v", b, err)
			}
			r.Close()
			if err := cl.Rename(ctx, "/f", "/g"); err != nil {
				t.Error(err)
			}
			w, err := cl.Store(ctx, "/temp")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "new")
			if e, err := w.Commit(ctx, Commit{Path: "/f", ModTime: time.Now()}); err != nil || e.Size != 3 {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
