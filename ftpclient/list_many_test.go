package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"ftpfs/internal/ftptest"
)

// Many directories are listed as each would be alone; on vsftpd in few round trips.
func TestRealListMany(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s, cl := real(t, name, ftptest.RealOptions{}, Config{Connections: 1})
			var dirs []string
			for i := range 60 {
				dir := fmt.Sprintf("dir %d [x]*", i)
				if err := os.MkdirAll(filepath.Join(s.Root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
				for j := range i % 7 {
					writeFile(t, s, filepath.Join(dir, fmt.Sprintf("file %d", j)), []byte("x"))
				}
				dirs = append(dirs, "/"+dir)
			}
			dirs[7] = "/missing"
			if err := s.Own(); err != nil {
				t.Fatal(err)
			}
			if _, err := cl.List(ctx, "/"); err != nil {
				t.Fatal(err)
			}
			if name == "vsftpd" {
				proven(t, cl, &cl.server.stat)
			}
			settled(t, cl)
			before := cl.Stats().RoundTrips
			answers := cl.ListMany(ctx, dirs)
			trips := cl.Stats().RoundTrips - before
			if together := cl.Server().ListsTogether; together != (name == "vsftpd") || together && trips > 6 {
				t.Errorf("%d round trips for %d directories, together: %v", trips, len(dirs), together)
			}
			if by := cl.Server().ListsBy; by != map[bool]string{true: "STAT", false: "MLSD"}[name == "vsftpd"] {
				t.Errorf("lists by %s", by)
			}
			for i, a := range answers {
				if i == 7 {
					if !errors.Is(a.Err, fs.ErrNotExist) {
						var e *Error
						if !errors.As(a.Err, &e) || e.Code != 550 {
							t.Errorf("a missing directory: %v", a.Err)
						}
					}
					continue
				}
				alone, err := cl.List(ctx, dirs[i])
				if err != nil || a.Err != nil || !reflect.DeepEqual(a.Listing.Entries, alone.Entries) || len(alone.Entries) != i%7 {
					t.Errorf("%s: %+v, %v\nalone %+v, %v", dirs[i], a.Listing, a.Err, alone, err)
				}
			}
		})
	}
}

func TestListManyLost(t *testing.T) {
	e, cl := embedded(t, Config{})
	connect(t, cl)
	e.Down()
	for _, a := range cl.ListMany(context.Background(), []string{"/", "/a"}) {
		if a.Err == nil {
			t.Error("listed by a server that is down")
		}
	}
	if answers := cl.ListMany(context.Background(), nil); len(answers) != 0 {
		t.Error(answers)
	}
}
