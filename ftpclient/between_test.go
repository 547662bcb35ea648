package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// realAt starts a server at another loopback address than this machine's connections come
// from, so that what comes from it is foreign to others.
func realAt(t *testing.T, name, addr string, promiscuous bool) (*ftptest.Server, *Client) {
	t.Helper()
	return real(t, name, ftptest.RealOptions{Addr: netip.MustParseAddr(addr), Promiscuous: promiscuous}, Config{})
}

// Each server sends to each, and data and both conversations stay in order.
func TestRealCopyBetweenServers(t *testing.T) {
	data := random(3<<20 + 1)
	servers := make([]*ftptest.Server, len(ftptest.RealNames))
	clients := make([]*Client, len(ftptest.RealNames))
	for i, name := range ftptest.RealNames {
		servers[i], clients[i] = realAt(t, name, "127.0.0."+string(rune('2'+i)), true)
		if name == "pyftpdlib" {
			clients[i].cfg.Trace = neverPORT(t)
		}
		writeFile(t, servers[i], "from", data)
	}
	for i, source := range clients {
		for j, target := range clients {
			if i == j {
				continue
			}
			t.Run(servers[i].Name+" to "+servers[j].Name, func(t *testing.T) {
				for _, name := range []string{"/one", "/two"} {
					if err := source.CopyTo(t.Context(), "/from", target, name); err != nil {
						t.Fatal(err)
					}
					got, err := os.ReadFile(filepath.Join(servers[j].Root, name))
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				}
				for _, cl := range []*Client{source, target} {
					if got := read(t, cl, "/from", -1); !bytes.Equal(got, data) {
						t.Errorf("%d bytes afterwards", len(got))
					}
				}
			})
		}
	}
}

// neverPORT fails the test when the server is told to connect, by which pyftpdlib makes other
// sessions deaf.
func neverPORT(t *testing.T) func(TraceLine) {
	return func(l TraceLine) {
		if l.Sent && strings.HasPrefix(l.Line, "PORT") {
			t.Errorf("sent %s", l.Line)
		}
	}
}

// Where one server only is promiscuous it depends on the way; by default none is.
func TestRealCopyBetweenServersRefused(t *testing.T) {
	for i, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			s, source := realAt(t, name, "127.0.0.2", false)
			writeFile(t, s, "f", []byte("content"))
			other := ftptest.RealNames[(i+1)%2]
			_, target := realAt(t, other, "127.0.0.3", false)
			err := source.CopyTo(t.Context(), "/f", target, "/f")
			var link *LinkError
			if !errors.As(err, &link) || link.TargetListens == nil || link.SourceListens == nil {
				t.Fatal(err)
			}
			t.Log(err)
			for _, cl := range []*Client{source, target} {
				if _, err := cl.List(t.Context(), "/"); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

func TestRealCopyBetweenServersErrors(t *testing.T) {
	s, source := realAt(t, "vsftpd", "127.0.0.2", true)
	writeFile(t, s, "f", []byte("content"))
	_, target := realAt(t, "proftpd", "127.0.0.3", true)
	begin := time.Now()
	if err := source.CopyTo(t.Context(), "/f", target, "/nodir/f"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "STOR /nodir/f") {
		t.Error(err)
	}
	var refused *Error
	if err := source.CopyTo(t.Context(), "/missing", target, "/g"); !errors.As(err, &refused) || refused.Command != "RETR" || refused.Code != 550 {
		t.Error(err)
	}
	if took := time.Since(begin); took > source.cfg.Timeout {
		t.Errorf("the other server was waited for: %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := source.CopyTo(ctx, "/f", target, "/g"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := source.CopyTo(t.Context(), "/f", target, "/g\r\nDELE /f"); err == nil {
		t.Error("a line break in a path")
	}
	if err := source.CopyTo(t.Context(), "/f", target, "/g"); err != nil {
		t.Error(err)
	}
}
