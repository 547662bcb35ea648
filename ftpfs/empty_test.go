package ftpfs_test

import (
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// rmdir(2) and rename(2) remove nothing but empty directories, also where RMD and RNTO remove all
// that is in one: what came since the directory was listed, too.
func TestRemoveDirThatIsFull(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Clears: true}})
	for _, path := range []string{"/full/file", "/later/file", "/tree/a/file", "/tree/file"} {
		if err := afero.WriteFile(server.Fs(), path, []byte("dear"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{DirTTL: time.Hour})
	m.Run("rm later/file; test -z \"$(ls later)\"")
	time.Sleep(2100 * time.Millisecond) // the listing is not of the last moments any more
	if err := afero.WriteFile(server.Fs(), "/later/another", []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"full", "later"} {
		if out, err := m.Try("rmdir " + dir); err == nil {
			t.Errorf("%s was removed: %s", dir, out)
		}
	}
	if out, err := m.Try("mv -T tree full"); err == nil {
		t.Errorf("full was replaced: %s", out)
	}
	served(t, server, "/full/file")
	served(t, server, "/later/another")
	m.Run("mkdir new; mv -T tree new; rm -r new; mkdir new; rmdir new; test ! -e tree -a ! -e new")
}
