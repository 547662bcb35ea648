package ftpfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// Owners are those of the server, by number or name, if that is asked for, else one's own.
func TestOwners(t *testing.T) {
	for _, name := range []string{"vsftpd", "pure-ftpd", "pyftpdlib"} { // proftpd names its only user as the owner of everything
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"daemon": nil, "bin": nil, "nobody": nil, "number": nil})
			want := map[string][2]int{"daemon": {1, 1}, "bin": {2, 2}, "nobody": {65534, 65534}, "number": {54321, 12345}}
			for file, owner := range want {
				if err := os.Chown(filepath.Join(server.Root, file), owner[0], owner[1]); err != nil {
					t.Fatal(err)
				}
			}
			config := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}
			mine := fusetest.Server(t, config, ftpfs.Options{})
			theirs := fusetest.Server(t, config, ftpfs.Options{MapOwners: true})
			for file, owner := range want {
				if got, want := mine.Run("stat -c '%u %g' "+file), fmt.Sprint(os.Getuid(), " ", os.Getgid()); got != want {
					t.Errorf("%s belongs to %s, want %s", file, got, want)
				}
				if got, want := theirs.Run("stat -c '%u %g' "+file), fmt.Sprint(owner[0], " ", owner[1]); got != want {
					t.Errorf("%s belongs to %s, want %s", file, got, want)
				}
			}
			theirs.Run("touch new; cp -a new copy; chmod 600 daemon; test -O new")
		})
	}
}

// What counts links and blocks finds all of a tree and its size.
func TestLinkCountsAndBlocks(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/empty": ""}
	for i := range 5 {
		for j := range 5 {
			files[fmt.Sprintf("/d%d/e%d/f", i, j)] = string(random(1000 * j))
		}
	}
	_, m := mountEmbedded(t, ftpfs.Options{}, files)
	m.Run(`
		test $(find . -type f | wc -l) = 26; test $(find . -mindepth 1 -type d | wc -l) = 30; test $(find . -noleaf | wc -l) = 57
		test $(du -s --apparent-size -B1 . | cut -f1) = 50000
		test $(du -s -B512 . | cut -f1) = 100 # 0, 2, 4, 6 and 8 blocks in five directories
		test "$(stat -c '%h %b' d1 d1/e2/f | tr '\n' ' ')" = "1 0 1 4 "`)
	python(t, m, `assert sum(len(dirs) + len(files) for _, dirs, files in os.walk(".")) == 56`)
}
