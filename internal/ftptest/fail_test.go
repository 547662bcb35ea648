package ftptest

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
)

// Each failure, in the place of an answer and after the deed.
func TestFail(t *testing.T) {
	for how, want := range map[Failure]string{
		Silence: "timeout", Reset: "connection reset", HalfClose: "EOF", Leave: "421", Garbage: "\x00\x16", Drip: "2",
	} {
		for _, at := range []Moment{OnCommand, OnEnd} {
			e, c := begin(t, Options{})
			e.Fail("DELE", at, how, 1)
			c.send("DELE /f")
			c.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			buf := make([]byte, 1024)
			n, err := c.conn.Read(buf)
			got := string(buf[:n])
			if err != nil {
				got = err.Error()
			}
			want := want
			if at == OnCommand && how == Drip { // of something else than the server's reply
				want = "\x00"
			}
			if !strings.Contains(got, want) {
				t.Errorf("failure %d at %d: %q, want %q", how, at, got, want)
			}
			if there, _ := afero.Exists(e.Fs(), "/f"); there != (at == OnCommand) {
				t.Errorf("failure %d at %d: the file is there: %v", how, at, there)
			}
			if e.Met() != 1 {
				t.Errorf("failure %d at %d: met %d times", how, at, e.Met())
			}
		}
	}
}

// What fails as soon as it has begun has begun.
func TestFailAtTheBeginning(t *testing.T) {
	e, c := begin(t, Options{})
	data := c.passive()
	e.Fail("RETR", OnBegin, HalfClose, 1)
	c.send("RETR /f")
	if got := readAll(t, data); got != "0123456789" {
		t.Errorf("data %q", got)
	}
	if line, err := c.text.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v", line, err)
	}
}

func TestSilentAndDrippingData(t *testing.T) {
	for name, want := range map[string]string{"silent": "", "dripping": "4"} {
		e, c := begin(t, Options{})
		if name == "silent" {
			e.SilenceData("RETR", 4, 1)
		} else {
			e.DripData("RETR", 4, 1)
		}
		data := c.passive()
		c.send("RETR /f")
		c.reply(150)
		buf := make([]byte, 4)
		if _, err := io.ReadFull(data, buf); err != nil || string(buf) != "0123" {
			t.Fatalf("%s: %q, %v", name, buf, err)
		}
		if want == "" {
			data.SetReadDeadline(time.Now().Add(2 * DripPause))
		}
		n, err := data.Read(buf)
		if string(buf[:n]) != want || want == "" && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %q, %v", name, buf[:n], err)
		}
	}
}

// The proxy stands before any server.
func TestUpstream(t *testing.T) {
	t.Parallel()
	server := Real(t, "proftpd", RealOptions{})
	fs := afero.NewBasePathFs(afero.NewOsFs(), server.Root)
	e := Start(t, Options{Upstream: server.Addr, User: server.User, Password: server.Password, Fs: fs})
	c := connect(t, e.Addr())
	c.login(server.User, server.Password)
	data := c.passive()
	c.send("STOR f")
	c.reply(150)
	io.WriteString(data, "content")
	data.Close()
	c.reply(226)
	if got, err := afero.ReadFile(fs, "/f"); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	e.Fail("DELE", OnCommand, Leave, 1)
	c.cmd(421, "DELE f")
}
