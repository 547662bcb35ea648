package ftpfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// Links that proftpd has made absolute read back as they were written, also in
// a mount that begins below its root, and lead to their files.
func TestSymlinks(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{Directives: []string{"LoadModule mod_site_misc.c"}})
	m := mountReal(t, server, ftpclient.ModeAuto)
	m.Run(`
		mkdir -p d/e; echo content > f; echo deep > d/e/g
		ln -s f l; ln -s ../f d/up; ln -s e/g d/down; ln -s d dir; ln -s ../../f d/e/top; ln -s .. d/e/parent`)
	check := `
		test $(readlink l) = f; test $(readlink d/up) = ../f; test $(readlink d/down) = e/g
		test $(readlink dir) = d; test $(readlink d/e/top) = ../../f; test $(readlink d/e/parent) = ..
		test $(cat l) = content; test $(cat d/up) = content; test $(cat d/down) = deep
		test $(cat dir/e/g) = deep; test $(cat d/e/top) = content; test $(cat d/e/parent/e/g) = deep`
	m.Run(check)
	again := mountReal(t, server, ftpclient.ModeAuto)
	again.Run(check)
	again.Run(`mkdir copy; cp -a f l copy; test -L copy/l; test $(cat copy/l) = content; rm l; test -e f; test ! -L l`)
	for _, script := range []string{"ln -s /etc/passwd x", "ln -s missing x", "ln -s ../outside x", "ln -s d/../f x", "ln -s f 'x y'"} {
		if out, err := again.Try(script); err == nil || !strings.Contains(out, "Operation not permitted") {
			t.Errorf("%s: %v, %s", script, err, out)
		}
	}
	if out, err := again.Try("ln -s f dir2 && ln -s f dir2"); err == nil || !strings.Contains(out, "File exists") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestSymlinksRefused(t *testing.T) {
	t.Parallel()
	m := mountReal(t, ftptest.Real(t, "vsftpd", ftptest.RealOptions{}), ftpclient.ModeAuto)
	if out, err := m.Try("touch f; ln -s f l"); err == nil || !strings.Contains(out, "Operation not permitted") {
		t.Errorf("%v, %s", err, out)
	}
}

// Links on the server lead to what they mean there, and none out of the mount: on this machine
// the same path is something else.
func TestLinksStayInside(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} { // pyftpdlib shows no links
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"sub/deep/file": []byte("deep"), "sub/file": []byte("sub"), "file": []byte("top"), "etc/passwd": []byte("theirs")})
			for link, target := range map[string]string{
				"sub/deep/near": "../file", "sub/deep/far": "../../file", "sub/deep/farther": "../../../../../etc/passwd",
				"sub/absolute": "/sub/deep/file", "sub/passwd": "/etc/passwd", "sub/back": "deep/../file", "sub/deep/root": "..",
				"sub/deep/nested": "root/../../etc/passwd", "sub/loop": "loop", "sub/dangling": "nothing",
			} {
				if err := os.Symlink(target, filepath.Join(server.Root, link)); err != nil {
					t.Fatal(err)
				}
			}
			m := mountReal(t, server, ftpclient.ModeAuto)
			if name != "proftpd" { // its MLSD leaves them out
				m.Run(`test "$(readlink sub/dangling)" = nothing; ! cat sub/loop; ls -lR > /dev/null`)
			}
			m.Run(`
				test "$(cat sub/deep/near)" = sub; test "$(cat sub/deep/far)" = top; test "$(cat sub/deep/farther)" = theirs
				test "$(cat sub/absolute)" = deep; test "$(cat sub/passwd)" = theirs; test "$(cat sub/back)" = sub
				test "$(cat sub/deep/nested)" != "$(cat /etc/passwd)"`)
			config := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}
			python(t, fusetest.Server(t, config, ftpfs.Options{Root: "/sub"}), `
assert slurp("deep/near") == slurp("back") == b"sub" and slurp("absolute") == b"deep"
for name in "deep/far", "deep/farther", "passwd":
    fails(errno.EPERM, os.readlink, name)
    fails(errno.EPERM, open, name)
    fails(errno.EPERM, spit, name, b"ours")
assert os.readlink("deep/nested") == "../etc/passwd"
fails(errno.ENOENT, open, "deep/nested")
`)
		})
	}
}
