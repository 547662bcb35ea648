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

// untimed tells no time of any file.
type untimed struct{ afero.Fs }

func (u untimed) Open(name string) (afero.File, error) {
	f, err := u.Fs.Open(name)
	return untimedFile{f}, err
}

func (u untimed) Stat(name string) (os.FileInfo, error) {
	info, err := u.Fs.Stat(name)
	if err != nil {
		return nil, err
	}
	return untimedInfo{info}, nil
}

type untimedFile struct{ afero.File }

func (f untimedFile) Readdir(n int) ([]os.FileInfo, error) {
	infos, err := f.File.Readdir(n)
	for i, info := range infos {
		infos[i] = untimedInfo{info}
	}
	return infos, err
}

type untimedInfo struct{ fs.FileInfo }

func (untimedInfo) ModTime() time.Time { return time.Time{} }

// Where the server tells no times, or only the minute, who opens a file gets what it has now,
// though the size is the same as before.
func TestSameSizeAndTime(t *testing.T) {
	for name, quirks := range map[string]ftptest.Quirks{"no time": {}, "minutes": {Unknown: []string{"MLSD", "MLST", "MDTM", "MFMT"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			served := afero.NewMemMapFs()
			opts := ftptest.Options{Fs: served, Quirks: quirks}
			if name == "no time" {
				opts.Fs = untimed{served}
			}
			server := ftptest.Start(t, opts)
			m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{DirTTL: 10 * time.Millisecond})
			minute := time.Now().Truncate(time.Minute)
			for _, text := range []string{"one", "two", "six"} {
				if err := afero.WriteFile(served, "/file", []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := served.Chtimes("/file", minute, minute); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // until no listing of before counts
				for range 2 {
					if got := m.Run("cat file"); got != text {
						t.Errorf("%q instead of %q", got, text)
					}
				}
			}
			if got := m.Run("echo -n new > file; cat file file"); got != "newnew" {
				t.Errorf("%q", got)
			}
			if err := afero.WriteFile(served, "/file", []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			if got := m.Run("cat file"); got != "old" {
				t.Errorf("%q, written by another", got)
			}
		})
	}
}
