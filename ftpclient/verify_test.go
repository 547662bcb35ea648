package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/internal/ftptest"

	"github.com/spf13/afero"
)

// verified uploads data and gives it its name after a check.
func verified(t *testing.T, cl *Client, temp, final string, data []byte) error {
	t.Helper()
	w := store(t, cl, temp)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	e, err := w.Commit(context.Background(), Commit{Path: final})
	if err == nil && e.Size != int64(len(data)) {
		t.Errorf("size %d", e.Size)
	}
	return err
}

// Servers without checksums send each file back.
func TestRealVerify(t *testing.T) {
	check := func(t *testing.T, name string, opts ftptest.RealOptions) {
		s := ftptest.Real(t, name, opts)
		cfg := Config{Addr: s.Addr, User: s.User, Password: s.Password, Verify: true, Connections: 1}
		if s.TLS {
			cfg.TLS, cfg.TLSConfig = TLSExplicit, trusting(s)
		}
		cl := testClient(t, cfg)
		for _, data := range [][]byte{random(3 << 20), nil, []byte("x")} {
			if err := verified(t, cl, "/temp a", "/final", data); err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(filepath.Join(s.Root, "final")); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	}
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) { check(t, name, ftptest.RealOptions{}) })
		t.Run(name+"/tls", func(t *testing.T) { check(t, name, ftptest.RealOptions{TLS: true}) })
	}
	t.Run("digests", func(t *testing.T) { check(t, "proftpd", digests) })
}

func TestLogOfVerify(t *testing.T) {
	for _, checksums := range []bool{true, false} {
		e := ftptest.Start(t, ftptest.Options{Checksums: checksums, Quirks: ftptest.Quirks{Banner: eager}})
		cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Connections: 1, Verify: true})
		if _, err := cl.List(context.Background(), "/"); err != nil {
			t.Fatal(err)
		}
		settled(t, cl)
		e.Log().Reset()
		if err := verified(t, cl, "/temp", "/final", []byte("hello")); err != nil {
			t.Error(err)
		}
		settled(t, cl)
		if checksums {
			expectWrites(t, e, "STOR", "XSHA256", "RNFR+RNTO+SIZE+MDTM+EPSV")
		} else {
			expectWrites(t, e, "STOR", "EPSV", "RETR", "EPSV", "RNFR+RNTO+SIZE+MDTM")
		}
	}
}

// What the server has stored differs: the file does not get its name.
func TestMismatch(t *testing.T) {
	for _, checksums := range []bool{true, false} {
		for _, changed := range []string{"hellO", "hello!", "hell", ""} {
			e := ftptest.Start(t, ftptest.Options{Checksums: checksums})
			cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Verify: true})
			stored := e.HoldReply("STOR", 2)
			w := store(t, cl, "/temp")
			if _, err := w.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			go func() {
				<-stored.Reached()
				afero.WriteFile(e.Fs(), "/temp", []byte(changed), 0o644)
				stored.Release()
			}()
			if _, err := w.Commit(context.Background(), Commit{Path: "/final"}); !errors.Is(err, ErrMismatch) {
				t.Errorf("%v", err)
			}
			if ok, err := afero.Exists(e.Fs(), "/final"); ok || err != nil {
				t.Error(ok, err)
			}
			if _, err := cl.List(context.Background(), "/"); err != nil {
				t.Error(err)
			}
		}
	}
}

// A server may refuse the checksum that it has announced.
func TestVerifyWithoutAnnounced(t *testing.T) {
	e := ftptest.Start(t, ftptest.Options{Checksums: true})
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Verify: true})
	e.Refuse("XSHA256", "556 File too large.", 1)
	if err := verified(t, cl, "/temp", "/final", []byte("hello")); err != nil {
		t.Error(err)
	}
	e.Refuse("XSHA256", "550 Denied.", 1)
	e.Refuse("RETR", "550 Denied.", 1)
	if err := verified(t, cl, "/temp", "/other", []byte("hello")); err == nil {
		t.Error("not verified, but published")
	}
}
