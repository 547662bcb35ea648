package ftpfs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/ftpfs"
)

// A listing that is used shortly before it expires is fetched anew; nobody
// waits for that, and the kernel is told what has changed.
func TestListingIsRenewed(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{DirTTL: time.Hour}, map[string]string{
		"/dir/changed": "old", "/dir/gone": "x", "/dir/same": "same", "/dir/sub/file": "x",
	})
	seen := m.Run("ls -R dir; cat dir/changed dir/same; test ! -e dir/new")
	for name, text := range map[string]string{"/dir/changed": "newer", "/dir/new": "new"} {
		if err := afero.WriteFile(server.Fs(), name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Fs().Remove("/dir/gone"); err != nil {
		t.Fatal(err)
	}
	hold := server.HoldReply("MLSD", 0)
	defer hold.Release()
	m.FS.Late("/dir")
	reached(t, hold)
	server.Log().Reset()
	m.FS.Late("/dir") // once at a time
	if again := m.Run("ls -R dir; cat dir/changed dir/same; test ! -e dir/new"); again != seen {
		t.Errorf("%q instead of %q", again, seen)
	}
	hold.Release()
	eventually(t, 10*time.Second, "seeing the changes", func() error {
		out, err := m.Try("cd dir; stat -c %s changed; cat changed; test ! -e gone; cat new same; ls")
		if want := "5\nnewernewsamechanged\nnew\nsame\nsub"; err != nil || out != want {
			return fmt.Errorf("%v: %q, want %q", err, out, want)
		}
		return nil
	})
	for _, e := range server.Log().Entries() {
		if e.Sent && e.Line == "MLSD /dir" {
			t.Error("listed once more")
		}
	}
}
