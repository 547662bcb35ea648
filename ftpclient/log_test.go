package ftpclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"

	"github.com/spf13/afero"
)

func embedded(t *testing.T, cfg Config) (*ftptest.Embedded, *Client) {
	t.Helper()
	e := ftptest.Start(t, ftptest.Options{})
	cfg.Addr, cfg.User, cfg.Password = e.Addr(), "user", "secret"
	return e, testClient(t, cfg)
}

func put(t *testing.T, e *ftptest.Embedded, name string, data []byte) {
	t.Helper()
	if err := afero.WriteFile(e.Fs(), name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// settled waits until all connections are idle and have their spare data connection.
func settled(t *testing.T, cl *Client) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !isSettled(cl) {
		if time.Now().After(deadline) {
			t.Fatal("the connections do not come to rest")
		}
		time.Sleep(time.Millisecond)
	}
}

func isSettled(cl *Client) bool {
	cl.pool.mu.Lock()
	defer cl.pool.mu.Unlock()
	for _, c := range cl.pool.idle {
		if cl.modes.get().passive() && (c.spare == nil || !c.spare.ready()) {
			return false
		}
	}
	return len(cl.pool.idle) == len(cl.pool.conns) && cl.pool.dialing == 0
}

func read(t *testing.T, cl *Client, path string, size int64) []byte {
	t.Helper()
	r, err := cl.Retrieve(context.Background(), path, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// verbs of the commands that arrived, those of one write joined by "+".
func writes(e *ftptest.Embedded) []string {
	var all []string
	last := [2]int{}
	for _, entry := range e.Log().Entries() {
		if !entry.Sent {
			continue
		}
		verb, _, _ := strings.Cut(entry.Line, " ")
		if at := [2]int{entry.Conn, entry.Write}; at != last {
			last = at
			all = append(all, verb)
			continue
		}
		all[len(all)-1] += "+" + verb
	}
	return all
}

func expectWrites(t *testing.T, e *ftptest.Embedded, want ...string) {
	t.Helper()
	if got := writes(e); !slices.Equal(got, want) {
		t.Errorf("writes %q, want %q", got, want)
	}
}

func TestLogOfLogin(t *testing.T) {
	e, cl := embedded(t, Config{})
	connect(t, cl)
	expectWrites(t, e, "USER+PASS+OPTS+TYPE+PWD+EPSV+FEAT")
	if n := cl.Stats().RoundTrips; n != 1 {
		t.Errorf("%d round trips", n)
	}
}

// PASV, which cannot tell an IPv6 address, is not asked for one.
func TestLogOfLoginIPv6(t *testing.T) {
	for mode, want := range map[Mode]string{
		ModeAuto: "USER+PASS+OPTS+TYPE+PWD+EPSV+FEAT",
		ModePASV: "USER+PASS+OPTS+TYPE+PWD+FEAT",
	} {
		e := ftptest.Start(t, ftptest.Options{IPv6: true})
		cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Mode: mode})
		connect(t, cl)
		expectWrites(t, e, want)
	}
}

// Over a spare data connection a listing and a small file are one round trip; the next
// spare one is asked for without waiting for the end of the transfer.
func TestLogOfTransfers(t *testing.T) {
	for _, mode := range []Mode{ModeEPSV, ModePASV} {
		t.Run(mode.String(), func(t *testing.T) {
			verb := strings.ToUpper(mode.String())
			e, cl := embedded(t, Config{Mode: mode, Connections: 1})
			data := bytes.Repeat([]byte("x"), 1024)
			put(t, e, "/f", data)
			if _, err := cl.List(context.Background(), "/"); err != nil {
				t.Fatal(err)
			}
			settled(t, cl)
			expectWrites(t, e, "USER+PASS+OPTS+TYPE+PWD+"+verb+"+FEAT", "MLSD", verb)
			for range 3 {
				e.Log().Reset()
				if got := read(t, cl, "/f", 1024); !bytes.Equal(got, data) {
					t.Errorf("read %d bytes", len(got))
				}
				settled(t, cl)
				expectWrites(t, e, "RETR", verb)

				e.Log().Reset()
				l, err := cl.List(context.Background(), "/")
				if err != nil || len(l.Entries) != 1 {
					t.Error(l, err)
				}
				settled(t, cl)
				expectWrites(t, e, "MLSD", verb)
			}
		})
	}
}

func TestLogOfActiveTransfers(t *testing.T) {
	for _, mode := range []Mode{ModeEPRT, ModePORT} {
		t.Run(mode.String(), func(t *testing.T) {
			verb := strings.ToUpper(mode.String())
			e, cl := embedded(t, Config{Mode: mode, Connections: 1})
			put(t, e, "/f", []byte("0123456789"))
			read(t, cl, "/f", 10)
			settled(t, cl)
			e.Log().Reset()
			read(t, cl, "/f", 10)
			r, err := cl.Retrieve(context.Background(), "/f", 5, 10)
			if err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r); err != nil || string(rest) != "56789" {
				t.Errorf("%q, %v", rest, err)
			}
			r.Close()
			expectWrites(t, e, verb+"+RETR", verb+"+REST+RETR")
		})
	}
}

func TestLogOfUpload(t *testing.T) {
	ctx := context.Background()
	e := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Banner: eager}})
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Connections: 1})
	if _, err := cl.List(ctx, "/"); err != nil {
		t.Fatal(err)
	}
	settled(t, cl)
	e.Log().Reset()
	before := cl.Stats().RoundTrips
	answer := e.HoldReply("STOR", 1)
	w := store(t, cl, "/temp")
	fmt.Fprint(w, "hello")
	if err := w.nc.(*net.TCPConn).CloseWrite(); err != nil { // all has been sent, nothing was waited for
		t.Error(err)
	}
	answer.Release()
	at := time.Unix(1700000000, 0)
	entry, err := w.Commit(ctx, Commit{Path: "/final", ModTime: at, Mode: 0o600, HasMode: true})
	if err != nil {
		t.Fatal(err)
	}
	if entry.Name != "final" || entry.Size != 5 || !entry.ModTime.Equal(at) || entry.Mode != 0o600 {
		t.Errorf("%+v", entry)
	}
	settled(t, cl)
	if n := cl.Stats().RoundTrips - before; n != 2 {
		t.Errorf("%d round trips", n)
	}
	expectWrites(t, e, "STOR", "MFMT+SITE+RNFR+RNTO+SIZE+MDTM+EPSV")
}

func TestLogOfShortCommands(t *testing.T) {
	ctx := context.Background()
	e, cl := embedded(t, Config{Connections: 1})
	for i := range 100 {
		put(t, e, fmt.Sprintf("/f%02d", i), nil)
	}
	connect(t, cl)
	e.Log().Reset()
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprintf("/f%02d", i))
	}
	paths[50] = "/missing"
	times, err := cl.ModTimes(ctx, paths)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range times {
		if at.IsZero() != (i == 50) {
			t.Errorf("time %d: %v", i, at)
		}
	}
	if n := len(writes(e)); n > 3 {
		t.Errorf("%d writes for 100 times", n)
	}
	e.Log().Reset()
	if err := cl.Rename(ctx, "/f00", "/g00"); err != nil {
		t.Error(err)
	}
	if err := cl.Delete(ctx, "/g00"); err != nil {
		t.Error(err)
	}
	expectWrites(t, e, "RNFR+RNTO", "DELE")
}

// Nothing is sent between a transfer's command and the end of its data.
func TestNothingInFlight(t *testing.T) {
	ctx := context.Background()
	e, cl := embedded(t, Config{})
	put(t, e, "/f", make([]byte, 4<<20))
	for i := range 10 {
		r, err := cl.Retrieve(ctx, "/f", int64(i), 4<<20)
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, r, 1000)
		r.Close()
		w, err := cl.Store(ctx, "/g")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "x")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := cl.List(ctx, "/"); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, cl)
	busy := map[int]string{} // the transfer command under way on a connection
	var counts = map[string]int{}
	for _, entry := range e.Log().Entries() {
		verb, _, _ := strings.Cut(entry.Line, " ")
		counts[verb]++
		switch {
		case !entry.Sent && entry.Line[0] >= '2':
			delete(busy, entry.Conn)
		case !entry.Sent:
		case busy[entry.Conn] == "STOR", busy[entry.Conn] != "" && verb != "EPSV" && verb != "NOOP":
			t.Errorf("%s sent during %s", verb, busy[entry.Conn])
		case verb == "RETR" || verb == "MLSD" || verb == "STOR":
			busy[entry.Conn] = verb
		}
	}
	for _, verb := range []string{"TYPE", "PWD", "FEAT", "CWD", "ABOR"} {
		most := map[string]int{"TYPE": int(cl.Stats().Logins), "PWD": 1, "FEAT": 1}[verb]
		if counts[verb] > most {
			t.Errorf("%s sent %d times", verb, counts[verb])
		}
	}
}
