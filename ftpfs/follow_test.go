package ftpfs_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// Links that are followed are what they lead to, also outside of the mount; what is written goes
// there, and what is removed is the link.
func TestFollowSymlinks(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} { // pyftpdlib follows by itself
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"sub/file": []byte("content"), "sub/dir/x": []byte("x"), "other/outside": []byte("outside"), "other/deep/y": []byte("y")})
			at := func(name string) string { return filepath.Join(server.Root, name) }
			for link, target := range map[string]string{
				"sub/link": "file", "sub/twice": "link", "sub/dirlink": "dir", "sub/out": "/other/outside", "sub/outdir": "../other/deep",
				"sub/dir/up": "..", "sub/loop": "loop", "sub/dangling": "nothing",
			} {
				if err := os.Symlink(target, at(link)); err != nil {
					t.Fatal(err)
				}
			}
			when := time.Unix(1_500_000_000, 0)
			if err := os.Chtimes(at("sub/file"), when, when); err != nil {
				t.Fatal(err)
			}
			config := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}
			m := fusetest.Server(t, config, ftpfs.Options{Root: "/sub", FollowSymlinks: true})
			python(t, m, `
for name in "link", "twice", "out":
    s = os.lstat(name)
    assert stat.S_ISREG(s.st_mode) and s.st_size == 7, (name, s)
assert os.lstat("link").st_mtime == 1500000000
assert slurp("link") == slurp("twice") == b"content" and slurp("out") == b"outside"
for name in "dirlink", "outdir", "dir/up":
    assert stat.S_ISDIR(os.lstat(name).st_mode), name
assert os.listdir("outdir") == ["y"] and slurp("outdir/y") == b"y" and slurp("dir/up/dirlink/x") == b"x"
assert "link" in os.listdir("dirlink/up")

spit("link", b"new content")
spit("twice", b"newer content")
with open("out", "ab") as f:
    f.write(b", appended")
spit("outdir/z", b"z")
os.chmod("link", 0o600)
for name in "link", "twice":
    assert slurp(name) == b"newer content" or name == "link", slurp(name)

os.rename("twice", "renamed")
os.unlink("link")
for name in "outdir", "dirlink/up", "dirlink":
    os.rmdir(name)
`)
			m.Unmount()
			m = fusetest.Server(t, config, ftpfs.Options{Root: "/sub", FollowSymlinks: true})
			m.Run(`! cat loop; ls -lR > /dev/null`)
			if name != "proftpd" { // its MLSD leaves them out
				m.Run(`test -L dangling; test "$(readlink dangling)" = nothing; test -L loop; rm dangling loop`)
			}
			m.Unmount()
			for path, want := range map[string]string{"sub/file": "newer content", "other/outside": "outside, appended", "other/deep/y": "y", "other/deep/z": "z", "sub/dir/x": "x"} {
				if got, err := os.ReadFile(at(path)); err != nil || string(got) != want {
					t.Errorf("%s has %q, %v, want %q", path, got, err, want)
				}
			}
			for _, path := range []string{"sub/out", "sub/renamed"} {
				if info, err := os.Lstat(at(path)); err != nil || info.Mode()&os.ModeSymlink == 0 {
					t.Errorf("%s is no link any more: %v", path, err)
				}
			}
			for _, path := range []string{"sub/link", "sub/twice", "sub/outdir", "sub/dirlink", "sub/dir/up"} {
				if _, err := os.Lstat(at(path)); !os.IsNotExist(err) {
					t.Errorf("%s is still there: %v", path, err)
				}
			}
		})
	}
}
