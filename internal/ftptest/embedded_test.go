package ftptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
)

// begin starts an embedded server with the file /f and logs in.
func begin(t *testing.T, opts Options) (*Embedded, *session) {
	t.Helper()
	e := Start(t, opts)
	write(t, e, "/f", "0123456789")
	c := connect(t, e.Addr())
	c.login("user", "secret")
	return e, c
}

func write(t *testing.T, e *Embedded, path, content string) {
	t.Helper()
	if err := afero.WriteFile(e.Fs(), path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEmbeddedTransfers(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		e, c := begin(t, Options{IPv6: ipv6})
		data := c.passive()
		c.send("RETR /f")
		c.reply(150)
		if got := readAll(t, data); got != "0123456789" {
			t.Errorf("passive RETR gave %q", got)
		}
		c.reply(226)
		l := c.active()
		c.send("STOR /g")
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "active")
		conn.Close()
		c.reply(150)
		c.reply(226)
		if got, err := afero.ReadFile(e.Fs(), "/g"); err != nil || string(got) != "active" {
			t.Errorf("active STOR left %q, %v", got, err)
		}
		data = c.passive()
		c.send("MLSD /")
		c.reply(150)
		if got := readAll(t, data); !strings.Contains(got, "Size=6;") || !strings.HasSuffix(got, " g\r\n") {
			t.Errorf("MLSD gave %q", got)
		}
		c.reply(226)
	}
}

func TestEmbeddedPASVAndPORT(t *testing.T) {
	_, c := begin(t, Options{})
	text := c.cmd(227, "PASV")
	var p1, p2 int
	if _, err := fmt.Sscanf(text, "Entering Passive Mode (127,0,0,1,%d,%d)", &p1, &p2); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	data, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p1<<8|p2))
	if err != nil {
		t.Fatal(err)
	}
	c.send("RETR /f")
	c.reply(150)
	if got := readAll(t, data); got != "0123456789" {
		t.Errorf("RETR gave %q", got)
	}
	c.reply(226)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	c.cmd(501, "PORT 127,0,0,2,%d,%d", port>>8, port&0xff)
	c.send("PORT 127,0,0,1,%d,%d\r\nRETR /f", port>>8, port&0xff)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, conn); got != "0123456789" {
		t.Errorf("RETR gave %q", got)
	}
	c.reply(200)
	c.reply(150)
	c.reply(226)
}

func TestActiveClientUnreachable(t *testing.T) {
	_, c := begin(t, Options{})
	l := c.active()
	l.Close()
	c.cmd(425, "RETR /f")
	c.cmd(200, "NOOP")
}

func TestTreeRefusesWhatUnixRefuses(t *testing.T) {
	_, c := begin(t, Options{})
	c.cmd(257, "MKD /d")
	c.cmd(257, "MKD /d/e")
	for _, line := range []string{
		"MKD /d", "MKD /missing/d", "DELE /d", "RMD /f", "RMD /d", "RMD /missing", "DELE /missing",
		"RETR /d", "STOR /d", "STOR /missing/f", "RNFR /missing",
	} {
		c.cmd(550, "%s", line)
	}
	for _, to := range []string{"/d/e/d", "/f", "/missing/d"} {
		c.cmd(350, "RNFR /d")
		c.cmd(550, "RNTO %s", to)
	}
	c.cmd(350, "RNFR /f")
	c.cmd(550, "RNTO /d")
	c.cmd(250, "RNTO /d/f")
	c.cmd(213, "SIZE /d/f")
	c.cmd(250, "RMD /d/e")
	c.cmd(250, "DELE /d/f")
	c.cmd(250, "RMD /d")
}

func TestLogins(t *testing.T) {
	e := Start(t, Options{Anonymous: true})
	c := connect(t, e.Addr())
	c.login("anonymous", "me@")
	c = connect(t, e.Addr())
	c.reply(220)
	c.cmd(331, "USER user")
	c.cmd(530, "PASS wrong")
}

func TestQuirks(t *testing.T) {
	e, c := begin(t, Options{Quirks: Quirks{Banner: "Strange server", Unknown: []string{"MLSD", "EPSV"}}})
	if got := e.Log().Entries()[0]; got != (Entry{Conn: 1, Line: "220 Strange server"}) {
		t.Errorf("first entry %+v", got)
	}
	c.cmd(500, "EPSV")
	c.cmd(500, "mlsd /")
	features := c.cmd(211, "FEAT")
	if strings.Contains(features, "EPSV") || strings.Contains(features, "MLSD") || !strings.Contains(features, "SIZE") {
		t.Errorf("FEAT: %q", features)
	}
}

func TestLogCountsWritesAndRoundTrips(t *testing.T) {
	e, c := begin(t, Options{})
	e.Log().Reset()
	c.send("SIZE /f\r\nMDTM /f\r\nPWD")
	c.reply(213)
	c.reply(213)
	c.reply(257)
	c.cmd(200, "NOOP")
	if got, want := e.Log().Commands(), []string{"SIZE /f", "MDTM /f", "PWD", "NOOP"}; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
	if got := e.Log().RoundTrips(); got != 2 {
		t.Errorf("%d round trips, want 2", got)
	}
	entries := e.Log().Entries()
	if len(entries) != 8 {
		t.Fatalf("%d entries, want 8: %+v", len(entries), entries)
	}
	if entries[0].Write != entries[1].Write || !entries[0].Sent || entries[7].Line != "200 OK" || entries[7].Sent {
		t.Errorf("entries %+v", entries)
	}
}

func TestRefuseKeepsTheOrderOfReplies(t *testing.T) {
	e, c := begin(t, Options{})
	e.Refuse("mdtm", "550 No.", 1)
	c.send("SIZE /f\r\nMDTM /f\r\nMDTM /f\r\nPWD")
	c.reply(213)
	c.reply(550)
	c.reply(213)
	c.reply(257)
}

func TestReplaceExtraAndDelay(t *testing.T) {
	e, c := begin(t, Options{})
	e.Replace("DELE", "450-Busy\n450 later", 1)
	e.Extra("NOOP", "421 Going down.", 1)
	e.DelayReply("PWD", time.Millisecond, Always)
	c.cmd(450, "DELE /f")
	if exists, _ := afero.Exists(e.Fs(), "/f"); exists {
		t.Error("the replaced command was not done")
	}
	c.cmd(200, "NOOP")
	c.reply(421)
	c.cmd(257, "PWD")
	e.Say("120 Ready soon.")
	c.reply(120)
	c.cmd(200, "NOOP")
}

func TestSplitReplies(t *testing.T) {
	e, c := begin(t, Options{})
	e.SplitReplies(true)
	c.cmd(211, "FEAT")
	e.ClearFaults()
	c.cmd(200, "NOOP")
}

func TestHoldReply(t *testing.T) {
	e, c := begin(t, Options{})
	h := e.HoldReply("STOR", 2)
	data := c.passive()
	c.send("STOR /g")
	c.reply(150)
	data.Close()
	<-h.Reached()
	if exists, _ := afero.Exists(e.Fs(), "/g"); !exists {
		t.Error("the server has not done what its reply is held of")
	}
	if last := e.Log().Entries(); strings.HasPrefix(last[len(last)-1].Line, "226") {
		t.Error("a held reply was logged as delivered")
	}
	h.Release()
	c.reply(226)
}

func TestHoldGreeting(t *testing.T) {
	e := Start(t, Options{})
	h := e.HoldReply(Greeting, 0)
	c := connect(t, e.Addr())
	<-h.Reached()
	h.Release()
	c.login("user", "secret")
}

// reset wants the control connection to end by RST, and returns what came before.
func (s *session) wantReset() string {
	s.t.Helper()
	rest, err := io.ReadAll(s.text.R)
	if !errors.Is(err, syscall.ECONNRESET) {
		s.t.Errorf("the control connection ended with %v, want a reset", err)
	}
	return string(rest)
}

func TestDropCommandAndReply(t *testing.T) {
	e, c := begin(t, Options{})
	e.DropCommand("DELE", 1)
	c.send("DELE /f")
	c.wantReset()
	if exists, _ := afero.Exists(e.Fs(), "/f"); !exists {
		t.Error("the server saw a dropped command")
	}
	c = connect(t, e.Addr())
	c.login("user", "secret")
	e.DropReply("DELE", 5, 1)
	c.send("DELE /f")
	if got := c.wantReset(); got != "250 R" {
		t.Errorf("%q of the reply was delivered", got)
	}
	if exists, _ := afero.Exists(e.Fs(), "/f"); exists {
		t.Error("the server did not see the command whose reply was dropped")
	}
}

func TestDataFaults(t *testing.T) {
	e, c := begin(t, Options{})
	big := bytes.Repeat([]byte("0123456789"), 1<<20)
	write(t, e, "/big", string(big))

	e.DropData("RETR", 100_000, 1)
	data := c.passive()
	c.send("RETR /big")
	c.reply(150)
	got, err := io.ReadAll(data)
	if !errors.Is(err, syscall.ECONNRESET) || len(got) > 100_000 {
		t.Errorf("dropped RETR: %d bytes, %v", len(got), err)
	}
	if code, _, _ := c.text.ReadResponse(0); code < 400 {
		t.Errorf("dropped RETR: final reply %d", code)
	}

	e.EndData("RETR", 12345, 1)
	data = c.passive()
	c.send("RETR /big")
	c.reply(150)
	if got := readAll(t, data); len(got) != 12345 {
		t.Errorf("ended RETR: %d bytes", len(got))
	}
	if code, _, _ := c.text.ReadResponse(0); code < 400 {
		t.Errorf("ended RETR: final reply %d", code)
	}

	h := e.StallData("RETR", 7)
	data = c.passive()
	c.send("RETR /f")
	c.reply(150)
	start := make([]byte, 7)
	if _, err := io.ReadFull(data, start); err != nil {
		t.Fatal(err)
	}
	<-h.Reached()
	h.Release()
	if got := readAll(t, data); got != "789" {
		t.Errorf("stalled RETR went on with %q", got)
	}
	c.reply(226)

	e.DropData("STOR", 5, 1)
	data = c.passive()
	c.send("STOR /g")
	c.reply(150)
	fmt.Fprint(data, "0123456789")
	if _, err := io.ReadAll(data); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dropped STOR: %v", err)
	}
	if code, _, _ := c.text.ReadResponse(0); code < 400 {
		t.Errorf("dropped STOR: final reply %d", code)
	}
}

func TestLie(t *testing.T) {
	e, c := begin(t, Options{})
	e.Lie(netip.MustParseAddrPort("10.1.2.3:0"))
	if text := c.cmd(227, "PASV"); !strings.Contains(text, "(10,1,2,3,") {
		t.Errorf("PASV: %q", text)
	}
	e.Lie(netip.MustParseAddrPort("10.1.2.3:1"))
	if text := c.cmd(229, "EPSV"); !strings.Contains(text, "(|||1|)") {
		t.Errorf("EPSV: %q", text)
	}
}

func TestLimit(t *testing.T) {
	e, _ := begin(t, Options{})
	e.Limit(1, AtGreeting)
	c := connect(t, e.Addr())
	c.reply(421)
	if _, err := c.text.ReadLine(); err != io.EOF {
		t.Errorf("after 421: %v", err)
	}
	e.Limit(1, AtLogin)
	c = connect(t, e.Addr())
	c.reply(220)
	c.cmd(331, "USER user")
	c.cmd(530, "PASS secret")
	if _, err := c.text.ReadLine(); err != io.EOF {
		t.Errorf("after 530: %v", err)
	}
}

func TestDownAndUp(t *testing.T) {
	e, c := begin(t, Options{})
	data := c.passive()
	e.Down()
	c.wantReset()
	if _, err := io.ReadAll(data); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the data connection ended with %v", err)
	}
	if _, err := net.Dial("tcp", e.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting to a server that is down: %v", err)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	c = connect(t, e.Addr())
	c.login("user", "secret")
	c.cmd(213, "SIZE /f")
}

// A server must end while a client waits for a data connection, a hold or a stall.
func TestCloseInTheMiddle(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, e, "/f", "0123456789")
	for _, prepare := range []func(c *session){
		func(c *session) { c.cmd(229, "EPSV"); c.send("RETR /f") },
		func(c *session) { h := e.HoldReply("NOOP", 0); c.send("NOOP"); <-h.Reached() },
		func(c *session) {
			h := e.StallData("RETR", 1)
			c.passive()
			c.send("RETR /f")
			<-h.Reached()
		},
		func(c *session) { c.passive() },
	} {
		c := connect(t, e.Addr())
		c.login("user", "secret")
		prepare(c)
	}
	e.Close()
	e.Close()
}
