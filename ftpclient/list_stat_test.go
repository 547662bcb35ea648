package ftpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// STAT shows what LIST does, also in directories whose names are patterns or options, and
// tells those that are missing or may not be read.
func TestRealStatListing(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, byStat := real(t, name, ftptest.RealOptions{}, Config{ListBy: ListSTAT, Mode: ModeEPSV})
			byList := testClient(t, Config{Addr: s.Addr, User: s.User, Password: s.Password, ListBy: ListLIST, Mode: ModeEPSV})
			dirs := []string{"/", "/a[1]", "/ lead and trail", "/*", "/empty"}
			if name != "proftpd" { // which takes LIST -a for the name, if there is one
				dirs = append(dirs, "/-a")
			}
			for _, dir := range append(dirs, "/unreadable") {
				if err := os.MkdirAll(filepath.Join(s.Root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
				if dir != "/empty" {
					for _, f := range []string{"f", ".hidden", " lead", "226 done", "x -> y"} {
						writeFile(t, s, filepath.Join(dir, f), []byte(dir+f))
					}
				}
			}
			if err := s.Own(); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(s.Root, "unreadable"), 0o311); err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			for _, dir := range dirs {
				one, err1 := byList.List(ctx, dir)
				two, err2 := byStat.List(ctx, dir)
				byName := func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }
				slices.SortFunc(one.Entries, byName)
				slices.SortFunc(two.Entries, byName)
				if err1 != nil || err2 != nil || !slices.Equal(one.Entries, two.Entries) || one.Unparsed+two.Unparsed > 0 {
					t.Errorf("%s: LIST %v, %v, STAT %v, %v", dir, namesOf(one), err1, namesOf(two), err2)
				}
			}
			for _, cl := range []*Client{byList, byStat} {
				if l, err := cl.List(ctx, "/missing"); !errors.Is(err, fs.ErrNotExist) && name != "vsftpd" || err == nil {
					t.Errorf("missing: %s, %v", namesOf(l), err)
				}
				// pure-ftpd reads it all the same, now and then.
				if l, err := cl.List(ctx, "/unreadable"); !errors.Is(err, fs.ErrPermission) && (name != "pure-ftpd" || len(l.Entries) != 5) {
					t.Errorf("unreadable, %v: %s, %v", cl.cfg.ListBy, namesOf(l), err)
				}
			}
			if n := byStat.Stats().Transfers; n != 0 {
				t.Errorf("%d data connections", n)
			}
		})
	}
}

// On vsftpd the first listing proves STAT, and the next take one round trip and no data
// connection each. Any name in them does no harm.
func TestRealVsftpdListsByStat(t *testing.T) {
	s, cl := real(t, "vsftpd", ftptest.RealOptions{}, Config{Mode: ModeEPSV})
	ctx := context.Background()
	for i := range 50 {
		if err := os.MkdirAll(filepath.Join(s.Root, fmt.Sprintf("d%d", i)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, s, fmt.Sprintf("d%d/f%d", i, i), []byte("x"))
	}
	if l, err := cl.List(ctx, "/"); err != nil || len(l.Entries) != 50 {
		t.Fatalf("%d entries, %v", len(l.Entries), err)
	}
	proven(t, cl, &cl.server.stat)
	cl.awaitRest(t)
	before := cl.Stats()
	for i := range 50 {
		if l, err := cl.List(ctx, fmt.Sprintf("/d%d", i)); err != nil || namesOf(l) != fmt.Sprintf(`["f%d"]`, i) {
			t.Errorf("%s, %v", namesOf(l), err)
		}
	}
	after := cl.Stats()
	if after.Transfers != before.Transfers || after.RoundTrips-before.RoundTrips != 50 {
		t.Errorf("%d data connections, %d round trips for 50 listings", after.Transfers-before.Transfers, after.RoundTrips-before.RoundTrips)
	}

	evil := "x\r\n213 End of status\r\n350 Restart position accepted (123).\r\n350 no"
	if err := os.Mkdir(filepath.Join(s.Root, "evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s, "evil/"+evil, []byte("x"))
	writeFile(t, s, "evil/after", []byte("x"))
	for range 2 {
		// A name is split where the server's line would be.
		l, err := cl.List(ctx, "/evil")
		if err != nil || !strings.Contains(namesOf(l), `"after"`) {
			t.Errorf("%s, %v", namesOf(l), err)
		}
	}
	if n, err := cl.Size(ctx, "/evil/after"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := cl.server.can(&cl.server.stat); got != No {
		t.Errorf("STAT is still trusted: %v", got)
	}
}

// proven waits for a proof that goes on behind the calls.
func proven(t *testing.T, cl *Client, k *Capability) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); cl.server.can(k) == Unknown; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no proof has ended")
		}
	}
}

// awaitRest waits until nothing goes on behind the calls.
func (cl *Client) awaitRest(t *testing.T) {
	t.Helper()
	for cl.Stats().Idle != cl.Stats().Open {
		if err := cl.Noop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// However the reply to STAT is written, the conversation stays in step or is given up.
func TestStatReplies(t *testing.T) {
	row := "drwxr-xr-x 2 1 1 4096 Nov 22 20:16 .\r\n-rw-r--r-- 1 1 1 1 Jan 2 2003 f\r\n"
	for name, tt := range map[string]struct {
		reply string // to STAT; NUMBER is the one in REST
		want  string // names, or a part of the error; "" is any error
	}{
		"a listing":         {"213-Status\r\n" + row + "213 End\r\n350 (NUMBER)\r\n350 (0)\r\n", `["f"]`},
		"another code":      {"212-Status\r\n" + row + "212 End\r\n350 NUMBER\r\n350 0\r\n", `["f"]`},
		"codes in between":  {"213-Status\r\n213-x\r\n226 y\r\n" + row + "213 End\r\n350 NUMBER\r\n350 0\r\n", `["f"]`},
		"one line":          {"213 nothing here\r\n350 NUMBER\r\n350 0\r\n", `[]`},
		"refused":           {"450 No such file\r\n350 NUMBER\r\n350 0\r\n", "STAT /d: 450 No such file"},
		"refused at length": {"550-No\r\nsuch\r\n550 file\r\n350 NUMBER\r\n350 0\r\n", "STAT /d: 550 No"},
		"ended by a name":   {"213-Status\r\n" + row + "213 End\r\n" + row + "213 End\r\n350 NUMBER\r\n350 0\r\n", ""},
		"guessed number":    {"213-Status\r\n" + row + "213 End\r\n350 (123)\r\n350 (0)\r\n350 NUMBER\r\n350 0\r\n", "cannot be told"},
		"no number":         {"213-Status\r\n" + row + "213 End\r\n350 ok\r\n350 ok\r\n", "cannot be told"},
		"no REST":           {"213-Status\r\n" + row + "213 End\r\n502 no\r\n502 no\r\n", "cannot be told"},
		"nonsense":          {"hello\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.login()
				p.expect("CWD /d", "STAT .")
				rest, _ := p.br.ReadString('\n')
				number, ok := strings.CutPrefix(strings.TrimSpace(rest), "REST ")
				if !ok || len(number) != 12 {
					t.Errorf("got %q", rest)
				}
				p.expect("REST 0")
				p.nc.Write([]byte("250 there\r\n" + strings.ReplaceAll(tt.reply, "NUMBER", number)))
				p.drain()
			})
			cl := s.client(Config{ListBy: ListSTAT, Connections: 1})
			l, err := cl.List(context.Background(), "/d")
			got := namesOf(l)
			if err != nil {
				got = err.Error()
			}
			if tt.want == "" && err == nil || !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzStatBody(f *testing.F) {
	f.Add([]byte("213-Status\r\n-rw-r--r-- 1 1 1 1 Jan 2 2003 f\r\n213 End\r\n"))
	f.Add([]byte("450 No such file\r\n"))
	f.Add([]byte("213-a\n213-b\r213 c\n213 d\n"))
	cl, err := New(Config{Addr: "localhost"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { cl.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &conn{client: cl, nc: endlessConn{}}
		c.br = bufio.NewReaderSize(bytes.NewReader(data), maxReplyLine)
		body, err := io.ReadAll(&statBody{listingRead: listingRead{c: c, nc: c.nc}})
		if err == nil && len(body) > len(data) {
			t.Errorf("%q from %q", body, data)
		}
	})
}
