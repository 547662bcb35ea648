package ftpclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// Where to connect to, given what the server replies and what the caller wants.
func TestPassiveAddress(t *testing.T) {
	fixed := PasvFixed(netip.MustParseAddr("192.0.2.7"))
	tests := []struct {
		peer   string // of the control connection; "" behind a proxy
		config PasvAddress
		reply  string
		addr   string
		told   string // "" as connected to
	}{
		{"203.0.113.1", PasvAddress{}, "(203,0,113,1,4,1)", "203.0.113.1:1025", ""},
		{"203.0.113.1", PasvAddress{}, "(10,0,0,5,4,1)", "203.0.113.1:1025", "10.0.0.5"},
		{"203.0.113.1", PasvAddress{}, "0,0,0,0,4,1", "203.0.113.1:1025", "0.0.0.0"},
		{"203.0.113.1", PasvReply, "(198,51,100,2,4,1)", "198.51.100.2:1025", ""},
		{"203.0.113.1", PasvReply, "(10,0,0,5,4,1)", "203.0.113.1:1025", "10.0.0.5"},
		{"203.0.113.1", PasvReply, "(127,0,0,1,4,1)", "203.0.113.1:1025", "127.0.0.1"},
		{"203.0.113.1", PasvReply, "(169,254,0,1,4,1)", "203.0.113.1:1025", "169.254.0.1"},
		{"203.0.113.1", PasvReply, "(0,0,0,0,4,1)", "203.0.113.1:1025", "0.0.0.0"},
		{"203.0.113.1", PasvReply, "(224,0,0,1,4,1)", "203.0.113.1:1025", "224.0.0.1"},
		{"203.0.113.1", PasvReply, "(255,255,255,255,4,1)", "203.0.113.1:1025", "255.255.255.255"},
		{"10.1.1.1", PasvReply, "(10,0,0,5,4,1)", "10.0.0.5:1025", ""},
		{"127.0.0.1", PasvReply, "(10,0,0,5,4,1)", "10.0.0.5:1025", ""},
		{"", PasvReply, "(10,0,0,5,4,1)", "10.0.0.5:1025", ""},
		{"", PasvReply, "(127,0,0,1,4,1)", "ftp.example.org:1025", "127.0.0.1"},
		{"", PasvAddress{}, "(10,0,0,5,4,1)", "ftp.example.org:1025", "10.0.0.5"},
		{"203.0.113.1", fixed, "(10,0,0,5,4,1)", "192.0.2.7:1025", "10.0.0.5"},
	}
	for _, tt := range tests {
		c := &conn{client: &Client{cfg: Config{Addr: "ftp.example.org:21", PasvAddress: tt.config}}}
		if tt.peer != "" {
			c.peer = netip.MustParseAddr(tt.peer)
		}
		to, err := c.passiveAddr(ModePASV, reply{code: 227, lines: []string{"Entering Passive Mode " + tt.reply}})
		told := ""
		if to.told.IsValid() {
			told = to.told.String()
		}
		if err != nil || to.addr != tt.addr || told != tt.told {
			t.Errorf("%s at %q, %v: %+v, %v", tt.reply, tt.peer, tt.config, to, err)
		}
	}
	c := &conn{client: &Client{}, peer: netip.MustParseAddr("2001:db8::1")}
	if to, err := c.passiveAddr(ModeEPSV, reply{code: 229, lines: []string{"ok (|||6446|)"}}); err != nil || to.addr != "[2001:db8::1]:6446" {
		t.Errorf("%+v, %v", to, err)
	}
}

// Where the data connection that the first login asks for does not come about, that mode
// is not tried again, and the reason is told.
func TestFirstDataConnectionFails(t *testing.T) {
	for name, epsv := range map[string]string{
		"refused": "229 Entering Extended Passive Mode (|||65000|)",
		"unknown": "500 what?",
		"no port": "229 somewhere",
	} {
		s := startScript(t, func(p *peer) {
			p.expect(firstLoginLines...)
			p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type", `257 "/home"`, epsv,
				"211-Features", " MLST type*;size*;", "211 End")
			if name != "refused" {
				p.expect("EPSV")
				p.send("500 what?")
			}
			p.expect("PASV")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			p.send("227 (127,0,0,1," + commaPort(l.Addr().(*net.TCPAddr).Port) + ")")
			data, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			p.expect("MLSD /")
			p.send("150 here")
			io.WriteString(data, "type=file;size=1; one\r\n")
			data.Close()
			p.send("226 done")
			p.drain()
		})
		var said bytes.Buffer
		cl := s.client(Config{Connections: 1, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
		if mode := cl.Server().Mode; mode != "pasv" || !strings.Contains(said.String(), "epsv: ") {
			t.Errorf("%s: mode %s, %s", name, mode, &said)
		}
	}
}

// A failure to connect tells of the other address that the server named.
func TestWrongAddressIsNamed(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.expect(append(loginLines[:4:4], "PWD", "PASV", "FEAT")...)
		p.send("220 ready", "331 password", "230 in", "200 utf8", "200 type", `257 "/home"`)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		p.send("227 (10,9,8,7,"+commaPort(port)+")", "211 none")
		p.drain()
	})
	cl := s.client(Config{Mode: ModePASV, Connections: 1, Timeout: time.Second})
	_, err := cl.List(context.Background(), "/")
	if err == nil || !strings.Contains(err.Error(), "connection refused (the server named the host 10.9.8.7 in its reply)") {
		t.Error(err)
	}
}

// refusingPort returns a port on 127.0.0.1 at which nobody listens until the test ends: it is taken.
func refusingPort(t *testing.T) uint16 {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(addr.(*syscall.SockaddrInet4).Port)
}

// The mode found is logged with the reason why each mode before it failed, in words that
// tell what to look at.
func TestAutoModeSaysWhy(t *testing.T) {
	e := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Unknown: []string{"EPSV"}}})
	port := refusingPort(t)
	e.Lie(netip.AddrPortFrom(netip.MustParseAddr("10.9.8.7"), port))
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Logger: log})
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	for _, part := range []string{"data connections work", "mode=eprt", fmt.Sprintf("epsv: EPSV: 500 Unknown command.; pasv: dial tcp 127.0.0.1:%d", port),
		"connection refused (the server named the host 10.9.8.7 in its reply)"} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("%q lacks %q", said.String(), part)
		}
	}
	for _, line := range e.Log().Commands() {
		if strings.HasPrefix(line, "EPSV ALL") {
			t.Error("EPSV ALL would forbid every other mode")
		}
	}
}
