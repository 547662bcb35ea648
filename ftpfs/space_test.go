package ftpfs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

const (
	showSpace = `stat -f -c '%b %a' .` // in blocks of 4 KiB
	nothing   = "268435456 268435456"  // is known of the server
)

// awaitSpace waits until that is shown.
func awaitSpace(t *testing.T, m *fusetest.Mount, want string) {
	t.Helper()
	eventually(t, 20*time.Second, "free space", func() error {
		if got := m.Run(showSpace); got != want {
			return fmt.Errorf("%q instead of %q", got, want)
		}
		return nil
	})
}

// The free space is asked for behind the mount, and counts uploads until then.
func TestFreeSpace(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	server.Refuse("FEAT", "211-Features\n AVBL\n MLST type*;size*;modify*;\n211 End", ftptest.Always)
	server.Refuse("AVBL", "213 4096000", 1)
	hold := server.HoldReply("AVBL", 0)
	defer hold.Release()
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
	reached(t, hold)
	if got := m.Run(showSpace); got != nothing {
		t.Errorf("%q before the server has answered", got)
	}
	hold.Release()
	awaitSpace(t, m, "1000 1000")
	m.Run("head -c 40960 /dev/zero > f")
	if got := m.Run(showSpace); got != "990 990" {
		t.Errorf("%q after an upload", got)
	}
	m.Run("head -c 20480 /dev/zero > f")
	if got := m.Run(showSpace); got != "995 995" {
		t.Errorf("%q after a smaller one in its place", got)
	}
	m.Run("head -c 5M /dev/zero > g")
	if got := m.Run(showSpace); got != "0 0" {
		t.Errorf("%q after more than there was room for", got)
	}
	asked := slices.DeleteFunc(server.Log().Commands(), func(line string) bool { return !strings.HasPrefix(line, "AVBL") })
	if !slices.Equal(asked, []string{"AVBL /"}) {
		t.Errorf("asked by %q", asked)
	}
}

func TestFreeSpaceOfAQuota(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{Quota: 40960000})
	m := mountReal(t, server, ftpclient.ModeAuto)
	awaitSpace(t, m, "10000 10000")
	m.Run("head -c 4096000 /dev/zero > f")
	if got := m.Run(showSpace); got != "10000 9000" {
		t.Errorf("%q after an upload", got)
	}
	if out, err := m.Try("head -c 40000000 /dev/zero | cat > g"); err == nil || !strings.Contains(out, "quota exceeded") {
		t.Errorf("%v, %s", err, out)
	}
	m.Run("rm g")
}

// Where the server tells nothing it is not asked, and shown as the user says.
func TestCapacity(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{Capacity: 4096000})
	if got := m.Run(showSpace); got != "1000 1000" {
		t.Errorf("%q", got)
	}
	for _, line := range server.Log().Commands() {
		if strings.HasPrefix(line, "SITE") || strings.HasPrefix(line, "AVBL") {
			t.Errorf("asked by %q", line)
		}
	}
}
