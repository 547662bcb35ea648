package ftpclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

func TestSmoke(t *testing.T) {
	for _, name := range ftptest.RealNames {
		for _, mode := range []Mode{ModeEPSV, ModePASV, ModeEPRT, ModePORT, ModeAuto} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				ctx := context.Background()
				s := ftptest.Real(t, name, ftptest.RealOptions{})
				cl := testClient(t, Config{Addr: s.Addr, User: s.User, Password: s.Password, Mode: mode,
					Trace: func(l TraceLine) { t.Logf("%+v", l) }})
				data := make([]byte, 5<<20)
				rand.NewChaCha8([32]byte{}).Read(data)
				w, err := cl.Store(ctx, "/temp")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					t.Fatal(err)
				}
				e, err := w.Commit(ctx, Commit{Path: "/a b", ModTime: time.Unix(1e9, 0), Mode: 0o640, HasMode: true})
				t.Log(e, err)
				if err != nil {
					t.Fatal(err)
				}
				l, err := cl.List(ctx, "/")
				t.Log(l, err)
				if err != nil || len(l.Entries) != 1 || l.Entries[0].Name != "a b" {
					t.Fatal(err, l)
				}
				for range 3 {
					r, err := cl.Retrieve(ctx, "/a b", 0, int64(len(data)))
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(r)
					if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
						t.Fatal(err, len(got))
					}
					r.Close()
				}
				for i := range 5 {
					r, err := cl.Retrieve(ctx, "/a b", int64(i*1000), -1)
					if err != nil {
						t.Fatal(err)
					}
					got := make([]byte, 100)
					_, err = io.ReadFull(r, got)
					if err != nil || !bytes.Equal(got, data[i*1000:][:100]) {
						t.Fatal(err, len(got))
					}
					r.Close()
				}
				t.Log(cl.Stat(ctx, "/a b"))
				t.Log(cl.Stat(ctx, "/no"))
				t.Log(cl.Stat(ctx, "/"))
				if _, err = cl.Retrieve(ctx, "/missing", 0, -1); err == nil {
					t.Fatal("missing file")
				}
				t.Log(err)
				if _, err := cl.List(ctx, "/nodir"); err == nil {
					t.Fatal("missing dir")
				}
				if err := cl.MakeDir(ctx, "/d"); err != nil {
					t.Fatal(err)
				}
				if err := cl.Rename(ctx, "/a b", "/d/c"); err != nil {
					t.Fatal(err)
				}
				if err := cl.Delete(ctx, "/d/c"); err != nil {
					t.Fatal(err)
				}
				if err := cl.RemoveDir(ctx, "/d"); err != nil {
					t.Fatal(err)
				}
				t.Logf("%+v", cl.Stats())
			})
		}
	}
}
