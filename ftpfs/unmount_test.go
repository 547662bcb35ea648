package ftpfs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// An upload that the server takes slowly does not keep an unmount that is to wait for nothing. The
// next mount goes on with it.
func TestUnmountWhileAnUploadStands(t *testing.T) {
	old := strings.Repeat("ours", 4<<20) // more than fits on the way
	for _, c := range []struct {
		name, verb, change, want string
		inPlace                  bool
	}{
		{"anew", "STOR", "printf X | dd of=file conv=notrunc status=none", "X" + old[1:], false},
		{"in place", "STOR", "printf X | dd of=file conv=notrunc status=none", "X" + old[1:], true},
		{"appended", "APPE", "cat more >> file", old + old, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opts := ftpfs.Options{InPlace: c.inPlace, CacheDir: t.TempDir()}
			server := ftptest.Start(t, ftptest.Options{})
			for path, data := range map[string]string{"/file": old, "/more": old, "/log": old[:1<<20]} {
				if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := fusetest.Server(t, embeddedConfig(server, time.Minute), opts)
			m.Run("cat file more > /dev/null; echo X >> log") // it is known whether the server appends
			hold := server.StallData(c.verb, 100_000)
			defer hold.Release()
			writer := start(t, m, c.change)
			reached(t, hold)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			m.FS.Unmount(ctx)
			ended := make(chan error, 1)
			go func() { ended <- m.FS.Wait() }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("unmounted without a word")
				}
			case <-time.After(endsIn):
				t.Error("it goes on")
				server.DropAll()
				<-ended
			}
			hold.Release()
			writer.wait(endsIn) // dd(1) takes an interrupted close for a good one
			m = fusetest.Server(t, embeddedConfig(server, silence), opts)
			m.Unmount()
			if got := served(t, server, "/file"); got != c.want {
				t.Errorf("the server has %d bytes, or others", len(got))
			}
			wantNames(t, server, "/", "file", "log", "more")
		})
	}
}
