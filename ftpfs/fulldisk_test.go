package ftpfs_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// smallDisk mounts a disk of the given size in memory, as tmpfs(5) writes it, until the test
// ends. Only root can.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatalf("a small disk for a cache, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// writeUntilFull writes to a new file until that fails, as it has to for want of space. In want
// is what was taken.
const writeUntilFull = `
f = os.open("file", os.O_CREAT | os.O_RDWR)
want = b""
def more():
    global want
    chunk = os.urandom(100000)
    want += chunk[:os.pwrite(f, chunk, len(want))]
def untilfull():
    while len(want) < 100 << 20:
        more()
fails(errno.ENOSPC, untilfull)
assert len(want) > 3 << 20, len(want)
`

// A cache disk that is full refuses what is written, and the server has all that was taken.
func TestWritingUntilTheCacheDiskIsFull(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheDir: smallDisk(t, "6m")})
	local := filepath.Join(t.TempDir(), "written")
	python(t, m, writeUntilFull+`
os.close(f)
spit("`+local+`", want)
spit("next", want[:2000000])
assert slurp("next") == want[:2000000] and slurp("file") == want
`)
	sameFile(t, local, []byte(served(t, server, "/file")))
}

// What was taken stays and can be read when the server does not have it yet, while files are
// read by way of memory, and arrives when it can.
func TestCacheDiskIsFullOfWhatTheServerDoesNotTake(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "10m")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{})
	other := random(9 << 20)
	if err := afero.WriteFile(server.Fs(), "/other", other, 0o644); err != nil {
		t.Fatal(err)
	}
	said := new(logText)
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheDir: disk, Logger: slog.New(slog.NewTextHandler(said, nil))})
	server.Refuse("STOR", "451 Not now.", ftptest.Always)
	local := filepath.Join(t.TempDir(), "local")
	python(t, m, writeUntilFull+`
fails(errno.EIO, os.fsync, f)
assert slurp("file") == want
spit("`+local+`", slurp("other"))
assert slurp("file") == want
others()
os.fsync(f)
more()
os.close(f)
assert slurp("file") == want
spit("`+local+`.written", want)
`, func() {
		sameFile(t, local, other)
		if p := m.FS.Status().Pending; len(p) != 1 || !strings.Contains(p[0].Err, "451") {
			t.Errorf("to be uploaded is %+v", p)
		}
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
		server.ClearFaults()
	})
	m.Unmount()
	sameFile(t, local+".written", []byte(served(t, server, "/file")))
	said.mu.Lock()
	defer said.mu.Unlock()
	if n := strings.Count(said.text.String(), "cache directory cannot be written to"); n != 1 {
		t.Errorf("it was told %d times:\n%s", n, &said.text)
	}
}
