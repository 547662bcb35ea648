package ftpfs_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// Where the server tells what a file is, its inode number is the same in every mount, whoever
// renames it, and under all its names; else it goes with the name.
func TestInodeNumbers(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"dir/file": []byte("content"), "dir/sub/x": []byte("x"), "moved": []byte("moved")})
			at := func(name string) string { return filepath.Join(server.Root, name) }
			when := time.Unix(1_500_000_000, 0)
			for _, err := range []error{
				os.Link(at("dir/file"), at("dir/second")), os.Link(at("dir/file"), at("third")),
				os.Chtimes(at("dir/file"), when, when), os.Chtimes(at("moved"), when, when),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			numbers := func() string {
				m := mountReal(t, server, ftpclient.ModeAuto)
				defer m.Unmount()
				python(t, m, `
for dir in ".", "dir", "dir/sub":
    for e in os.scandir(dir):
        assert e.inode() == os.stat(e.path).st_ino, e.path
`)
				return m.Run("stat -c %i dir/file dir/sub dir/sub/x")
			}
			before := numbers()
			m := mountReal(t, server, ftpclient.ModeAuto)
			if again := m.Run("stat -c %i dir/file dir/sub dir/sub/x"); again != before {
				t.Errorf("%s, then %s", before, again)
			}
			if name == "vsftpd" {
				m.Run(`test "$(stat -c %i dir/file dir/second third | sort -u | wc -l)" = 3`)
				return
			}
			m.Run(`
				test "$(stat -c %i dir/file dir/second third | sort -u | wc -l)" = 1
				test "$(stat -c %h third)" = 1
				cp -a dir copy; cmp dir/file copy/second; diff -r dir copy; rm -r copy
				tar cf - dir third | tar tf - > /dev/null
				stat -c %i moved > /dev/null; mv moved elsewhere; mv dir/sub dir/other`)
			python(t, m, `
os.rename("dir/file", "dir/second") # POSIX: one file, nothing to do
assert sorted(os.listdir("dir")) == ["file", "other", "second"], os.listdir("dir")
numbers = [os.stat(name).st_ino for name in ("elsewhere", "dir/other", "dir/other/x")]
others()
fd = os.open("third", os.O_RDONLY)
assert os.read(fd, 100) == b"content"
with open("numbers", "w") as f:
    f.write("\n".join(map(str, numbers)))
`, func() {
				if err := os.Rename(at("elsewhere"), at("dir/there")); err != nil {
					t.Error(err)
				}
			})
			m.Unmount()
			after := mountReal(t, server, ftpclient.ModeAuto)
			after.Run(`test "$(stat -c %i dir/there dir/other dir/other/x)" = "$(cat numbers)"`)
		})
	}
}
