package ftpclient

import (
	"context"
	"errors"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// A file with a time that cannot be set does not keep those after it from having theirs.
func TestUnusualTimes(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, cl := real(t, name, ftptest.RealOptions{}, Config{})
			ctx := context.Background()
			connect(t, cl)
			path := cl.Root() + "/file"
			store := func(at time.Time) time.Time {
				t.Helper()
				w, err := cl.Store(ctx, path)
				if err != nil {
					t.Fatal(err)
				}
				e, err := w.Commit(ctx, Commit{ModTime: at})
				if err != nil {
					t.Error(err)
				}
				return e.ModTime
			}
			far, old, usual := time.Date(12000, 3, 4, 5, 6, 7, 0, time.UTC), time.Date(1901, 3, 4, 5, 6, 7, 0, time.UTC), time.Date(2020, 3, 4, 5, 6, 7, 0, time.UTC)
			store(far)
			store(old)
			if err := cl.SetModTime(ctx, path, far); !errors.Is(err, errors.ErrUnsupported) {
				t.Error(err)
			}
			if got := store(usual); !got.Equal(usual) {
				t.Errorf("the time is %v", got)
			}
		})
	}
}
