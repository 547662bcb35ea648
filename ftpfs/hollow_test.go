package ftpfs_test

import (
	"io/fs"
	"os"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// untrue shows another size of each file than it has.
type untrue struct {
	afero.Fs
	size int64
}

func (u untrue) Open(name string) (afero.File, error) {
	f, err := u.Fs.Open(name)
	return untrueFile{f, u.size}, err
}

func (u untrue) Stat(name string) (os.FileInfo, error) {
	info, err := u.Fs.Stat(name)
	if err != nil || info.IsDir() {
		return info, err
	}
	return untrueInfo{info, u.size}, nil
}

type untrueFile struct {
	afero.File
	size int64
}

func (f untrueFile) Readdir(n int) ([]os.FileInfo, error) {
	infos, err := f.File.Readdir(n)
	for i, info := range infos {
		if !info.IsDir() {
			infos[i] = untrueInfo{info, f.size}
		}
	}
	return infos, err
}

type untrueInfo struct {
	fs.FileInfo
	size int64
}

func (i untrueInfo) Size() int64 { return i.size }

// Files that a kernel makes are read whole, whatever size they are said to have.
func TestFilesOfTheKernel(t *testing.T) {
	for name, size := range map[string]int64{"as in proc": 0, "as in sys": 4096} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := untrue{afero.NewMemMapFs(), size}
			server := ftptest.Start(t, ftptest.Options{Fs: fs})
			for path, data := range map[string]string{"/version": "Linux\n", "/cpuinfo": "processor: 0\n", "/empty": ""} {
				if err := afero.WriteFile(fs, path, []byte(data), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{DirTTL: 10 * time.Millisecond})
			for range 2 {
				if got := m.Run("cat version cpuinfo empty"); got != "Linux\nprocessor: 0" {
					t.Errorf("%q", got)
				}
			}
		})
	}
}
