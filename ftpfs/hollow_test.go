package ftpfs_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
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

// Files that a kernel makes are read whole, whatever size they are said to have, also
// where the listing that says so is too old as soon as it is there.
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
			m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{DirTTL: time.Nanosecond})
			for range 2 {
				if got := m.Run("cat version cpuinfo empty"); got != "Linux\nprocessor: 0" {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

// Where listings tell another size than there is to retrieve, and SIZE is refused, as by
// servers that would have to convert the file to know: who reads gets no more than what was told, and
// no less than there is; what a transfer has besides is not waited for.
func TestSizesThatLie(t *testing.T) {
	const has = 300_000
	for told, want := range map[int64]int{100_000: 100_000, 500_000: has} {
		t.Run(fmt.Sprint(told), func(t *testing.T) {
			t.Parallel()
			files := untrue{afero.NewMemMapFs(), told}
			data := random(has)
			server := ftptest.Start(t, ftptest.Options{Fs: files})
			server.Replace("SIZE", "550 SIZE not allowed in ASCII mode.", ftptest.Always)
			if err := afero.WriteFile(files, "/file", data, 0o644); err != nil {
				t.Fatal(err)
			}
			m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{})
			local := t.TempDir() + "/copy"
			for range 2 {
				m.Run("cat file > " + local)
				if got, err := os.ReadFile(local); err != nil || !bytes.Equal(got, data[:want]) {
					t.Errorf("wrong bytes, %d of them (%v)", len(got), err)
				}
			}
			if got := m.Run("dd if=file bs=1000 skip=99 count=1 status=none | sha256sum"); got[:64] != fmt.Sprintf("%x", sha256.Sum256(data[99_000:100_000])) {
				t.Error("wrong bytes after a seek")
			}
		})
	}
}

// An empty file can be opened in a directory that cannot be listed.
func TestEmptyFileInADropBox(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/box/empty": ""})
	server.Refuse("MLSD", "550 Permission denied.", ftptest.Always)
	m.Run("! ls box 2> /dev/null; test -z \"$(cat box/empty)\"; cat box/empty")
}
