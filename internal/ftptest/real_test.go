package ftptest

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// session is a tiny FTP client: one control connection.
type session struct {
	t    testing.TB
	conn net.Conn
	text *textproto.Conn
}

// connect returns a session with no word said yet.
func connect(t testing.TB, addr string) *session {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &session{t, conn, textproto.NewConn(conn)}
}

// reply reads one reply and wants its code; 125 says the same as 150.
func (s *session) reply(code int) string {
	s.t.Helper()
	got, text, err := s.text.ReadResponse(0)
	if got == 0 && err != nil {
		s.t.Fatalf("no reply where %d was expected: %v", code, err)
	}
	if got != code && !(code == 150 && got == 125) {
		s.t.Fatalf("reply %d %s, want %d", got, text, code)
	}
	return text
}

func (s *session) send(format string, args ...any) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.conn, format+"\r\n", args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) cmd(code int, format string, args ...any) string {
	s.t.Helper()
	s.send(format, args...)
	return s.reply(code)
}

func (s *session) login(user, password string) {
	s.t.Helper()
	s.reply(220)
	s.cmd(331, "USER %s", user)
	s.cmd(230, "PASS %s", password)
	s.cmd(200, "TYPE I")
}

// passive opens a data connection by EPSV.
func (s *session) passive() net.Conn {
	s.t.Helper()
	text := s.cmd(229, "EPSV")
	var port int
	if _, err := fmt.Sscanf(text[strings.Index(text, "(|||"):], "(|||%d|)", &port); err != nil {
		s.t.Fatalf("EPSV: %q: %v", text, err)
	}
	host, _, _ := net.SplitHostPort(s.conn.RemoteAddr().String())
	conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// active opens a listener and announces it by EPRT.
func (s *session) active() net.Listener {
	s.t.Helper()
	host, _, _ := net.SplitHostPort(s.conn.LocalAddr().String())
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	family := 1
	if strings.Contains(host, ":") {
		family = 2
	}
	s.cmd(200, "EPRT |%d|%s|%d|", family, host, l.Addr().(*net.TCPAddr).Port)
	return l
}

func readAll(t testing.TB, conn net.Conn) string {
	t.Helper()
	var b strings.Builder
	if _, err := bufio.NewReader(conn).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	return b.String()
}

func forEachServer(t *testing.T, opts RealOptions, test func(t *testing.T, s *Server)) {
	for _, name := range RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, Real(t, name, opts))
		})
	}
}

func TestRealStoresAndRetrieves(t *testing.T) {
	forEachServer(t, RealOptions{}, func(t *testing.T, s *Server) {
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		data := c.passive()
		c.send("STOR /a file")
		c.reply(150)
		fmt.Fprint(data, "content")
		data.Close()
		c.reply(226)
		if got, err := os.ReadFile(filepath.Join(s.Root, "a file")); err != nil || string(got) != "content" {
			t.Errorf("the stored file holds %q, %v", got, err)
		}
		l := c.active()
		c.send("RETR /a file")
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.reply(150)
		if got := readAll(t, conn); got != "content" {
			t.Errorf("RETR gave %q", got)
		}
		c.reply(226)
		c.cmd(221, "QUIT")
	})
}

func TestRealIPv6(t *testing.T) {
	forEachServer(t, RealOptions{IPv6: true}, func(t *testing.T, s *Server) {
		if err := os.WriteFile(filepath.Join(s.Root, "f"), []byte("six"), 0o644); err != nil {
			t.Fatal(err)
		}
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		data := c.passive()
		c.send("RETR /f")
		c.reply(150)
		if got := readAll(t, data); got != "six" {
			t.Errorf("RETR gave %q", got)
		}
		c.reply(226)
	})
}
