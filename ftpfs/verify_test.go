package ftpfs_test

import (
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// What the server has stored differs from what was sent: the program is told,
// the old file stays, and the new one is sent again.
func TestUploadThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{Checksums: true})
	if err := afero.WriteFile(server.Fs(), "/file", []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	config := embeddedConfig(server, time.Minute)
	config.Verify = true
	m := fusetest.Server(t, config, ftpfs.Options{})
	server.Refuse("XSHA256", "250 "+strings.Repeat("00", 32), 1)
	if out, err := m.Try("echo new | cat > file"); err == nil || !strings.Contains(out, "Input/output error") {
		t.Errorf("%v: %s", err, out)
	}
	if got := served(t, server, "/file"); got != "old" {
		t.Errorf("the server has %q", got)
	}
	if names, err := afero.ReadDir(server.Fs(), "/"); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	m.Run("test $(cat file) = new")
	m.Unmount()
	if got := served(t, server, "/file"); got != "new\n" {
		t.Errorf("the server has %q after the unmount", got)
	}
}
