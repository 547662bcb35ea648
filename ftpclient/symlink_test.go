package ftpclient

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/internal/ftptest"
)

// proftpd tells in FEAT that it makes links; the others tell in SITE HELP that they do not.
func TestRealSymlink(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			opts := ftptest.RealOptions{}
			if name == "proftpd" {
				opts.Directives = []string{"LoadModule mod_site_misc.c"}
			}
			s, cl := real(t, name, opts, Config{})
			writeFile(t, s, "f", []byte("content"))
			err := cl.Symlink(ctx, "/f", "/link")
			if name != "proftpd" {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Error(err)
				}
				before := cl.Stats().RoundTrips
				if err := cl.Symlink(ctx, "/f", "/link"); !errors.Is(err, errors.ErrUnsupported) {
					t.Error(err)
				}
				if n := cl.Stats().RoundTrips - before; n != 0 {
					t.Errorf("asked again, in %d round trips", n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if target, err := os.Readlink(filepath.Join(s.Root, "link")); err != nil || target != "/f" {
				t.Errorf("%q, %v", target, err)
			}
			if target, err := cl.ReadLink(ctx, "/link"); err != nil || target != "/f" {
				t.Errorf("%q, %v", target, err)
			}
			if err := cl.Symlink(ctx, "/f", "/link"); !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
			if err := cl.Symlink(ctx, "/missing", "/other"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if err := cl.Symlink(ctx, "/f", "/a b"); !errors.Is(err, errors.ErrUnsupported) {
				t.Error(err)
			}
		})
	}
}

func TestSiteHelp(t *testing.T) {
	for help, want := range map[string]bool{
		"214 CHMOD UMASK HELP": false,
		"214-The following SITE commands are recognized (* =>'s unimplemented)\r\n SYMLINK <sp> source <sp> destination\r\n214 End": true,
		"214-The following SITE commands are recognized (* =>'s unimplemented)\r\n SYMLINK*\r\n214 End":                             false,
		"500 SYMLINK": false,
		"214 Symlink": false,
	} {
		e, cl := embedded(t, Config{})
		e.Refuse("SITE", help, 1)
		if got, err := cl.hasSite(context.Background(), "SYMLINK"); err != nil || got != want {
			t.Errorf("%s: %t, %v", help, got, err)
		}
	}
}

// A command that is implemented by name only has made nothing.
func TestSymlinkSuperfluous(t *testing.T) {
	e, cl := embedded(t, Config{})
	e.Refuse("SITE", "214 SYMLINK", 1)
	e.Refuse("SITE", "202 Superfluous.", 1)
	if err := cl.Symlink(context.Background(), "/f", "/link"); err == nil {
		t.Error("made, it seems")
	}
}
