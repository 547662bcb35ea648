package ftpfs_test

import (
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
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
