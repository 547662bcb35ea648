package ftpfs_test

import (
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// fat keeps times as FAT does, on cameras and USB sticks: in units of two seconds.
type fat struct{ afero.Fs }

func (f fat) Chtimes(name string, atime, mtime time.Time) error {
	return f.Fs.Chtimes(name, atime, mtime.Truncate(2*time.Second))
}

// A file that was published with a time that the server has rounded is still the own one: it can
// be written on, and is not fetched again.
func TestRoundedTimes(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{Fs: fat{afero.NewMemMapFs()}})
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{DirTTL: 10 * time.Millisecond})
	python(t, m, `
import time
f = os.open("file", os.O_RDWR | os.O_CREAT)
for text in [b"one", b"two", b"three"]:
    os.write(f, text)
    os.utime(f, (1700000001, 1700000001))
    os.fsync(f)
    time.sleep(2.1)
    assert os.stat("file").st_mtime == 1700000000
os.close(f)
assert slurp("file") == b"onetwothree"
`)
	if got := served(t, server, "/file"); got != "onetwothree" {
		t.Errorf("%q", got)
	}
	if fetched := retrieved(server); len(fetched) > 0 {
		t.Errorf("fetched: %q", fetched)
	}
}
