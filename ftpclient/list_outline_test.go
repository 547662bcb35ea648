package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/internal/ftptest"
)

// Outlines on proftpd name what MLSD does, many in few round trips and without a data
// connection; what STAT may show otherwise has no outline.
func TestRealOutlines(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			s, cl := real(t, name, ftptest.RealOptions{}, Config{})
			dirs := []string{"/missing", "/link", "/odd", "/empty", "/a[1]*", "/ lead and trail ", "/-a", "/dash"}
			for _, dir := range dirs[1:] {
				if err := os.MkdirAll(filepath.Join(s.Root, dir, "sub"), 0o755); err != nil {
					t.Fatal(err)
				}
				for _, f := range []string{"f", ".hidden", " lead", "226 done", "x -> y", "d -a", "-a", "Grün"} {
					writeFile(t, s, filepath.Join(dir, f), []byte(dir+f))
				}
			}
			for i := range 60 {
				dir := fmt.Sprintf("/plain %d", i)
				if err := os.MkdirAll(filepath.Join(s.Root, dir, "some"), 0o755); err != nil {
					t.Fatal(err)
				}
				writeFile(t, s, filepath.Join(dir, "file"), []byte("x"))
				dirs = append(dirs, dir)
			}
			empty := filepath.Join(s.Root, "/empty")
			if err := errors.Join(os.RemoveAll(empty), os.Mkdir(empty, 0o755), os.Symlink("f", filepath.Join(s.Root, "/link/x")),
				os.WriteFile(filepath.Join(s.Root, "/odd/\xff"), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
			if err := s.Own(); err != nil {
				t.Fatal(err)
			}
			if _, err := cl.List(ctx, "/plain 0"); err != nil {
				t.Fatal(err)
			}
			if name == "proftpd" {
				proven(t, cl, &cl.server.outline)
			}
			settled(t, cl)
			before := cl.Stats()
			outlines := cl.Outlines(ctx, dirs)
			after := cl.Stats()
			if known := cl.Server().Outlines; known != (name == "proftpd") {
				t.Fatalf("outlines: %v", known)
			}
			if name != "proftpd" {
				for i, o := range outlines {
					if !errors.Is(o.Err, errors.ErrUnsupported) {
						t.Errorf("%s: %+v", dirs[i], o)
					}
				}
				return
			}
			if trips := after.RoundTrips - before.RoundTrips; trips > 6 || after.Transfers != before.Transfers {
				t.Errorf("%d round trips, %d data connections for %d directories", trips, after.Transfers-before.Transfers, len(dirs))
			}
			top, err := cl.List(ctx, "/")
			if err != nil {
				t.Fatal(err)
			}
			self := make(map[string]Entry)
			for _, e := range top.Entries {
				self["/"+e.Name] = e
			}
			for i, o := range outlines {
				if dir := dirs[i]; i < 3 {
					if !errors.Is(o.Err, errors.ErrUnsupported) {
						t.Errorf("%s: %+v", dir, o)
					}
					continue
				}
				whole, err := cl.List(ctx, dirs[i])
				if err != nil || o.Err != nil || !equalOutlines(whole.Entries, o.Entries) {
					t.Errorf("%s: %+v\nlisted: %+v, %v", dirs[i], o, namesOf(whole), err)
				}
				want := self[dirs[i]]
				want.Name = o.Self.Name
				if o.Self != want {
					t.Errorf("%s is %+v, listed as %+v", dirs[i], o.Self, want)
				}
			}
		})
	}
}
