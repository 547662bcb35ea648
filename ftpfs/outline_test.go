package ftpfs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// On proftpd a walk that looks at names alone takes few data connections; whoever
// looks at files after that, or in the middle of it, sees all there is to know.
func TestRealWalkByOutlines(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{})
	make := exec.Command("bash", "-ec", `
mkdir -p tree/{0..9}/{0..9}
for d in tree/*/*; do echo $d > $d/file; ln -s file $d/link; done
rm tree/*/[0-7]/link
touch -d "2001-02-03 04:05:06 UTC" tree/*/* tree/*/*/file
echo top > top
`)
	make.Dir = server.Root
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := server.Own(); err != nil {
		t.Fatal(err)
	}
	m := mountReal(t, server, ftpclient.ModeEPSV)
	m.Run("ls")
	eventually(t, 5*time.Second, "the proof of outlines", func() error {
		if !m.Client.Server().Outlines {
			return os.ErrNotExist
		}
		return nil
	})
	before := m.Client.Stats().Transfers
	if n := m.Run(`find tree | wc -l`); n != "231" {
		t.Errorf("find found %s", n)
	}
	if n := m.Client.Stats().Transfers - before; n > 32 { // 20 directories have links
		t.Errorf("%d data connections", n)
	}
	// An outline has no inode numbers of files: readdir shows others than stat, but no two files the
	// same one, until somebody has looked.
	python(t, m, `
def numbers(d):
    return {e.name: e.inode() for e in os.scandir(d)}
dirs = ["tree/%d/%d" % (i, j) for i in range(10) for j in range(10)]
shown = [n for d in dirs for n in numbers(d).values()]
assert len(set(shown)) == len(shown) == 120
for d in "tree", "tree/3", "tree/3/4", "tree/3/9":
    seen = {name: os.lstat(d + "/" + name).st_ino for name in os.listdir(d)}
    assert seen == numbers(d), (d, seen, numbers(d))
`)
	local := filepath.Join(t.TempDir(), "list")
	const list = `find tree -printf "%p %y %s %Ts %l\n" | sed "s/ d [0-9]* / d /" | sort`
	show := exec.Command("bash", "-c", list+" > "+local)
	show.Dir = server.Root
	if err := show.Run(); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(local)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Run(list); got != strings.TrimSpace(string(want)) {
		t.Errorf("find shows\n%s\ninstead of\n%s", got, want)
	}
	m.Run(`echo more >> tree/3/4/file; mkdir tree/5/6/new; rm tree/7/7/file; mv tree/8 tree/new`)
	if got := m.Run(`ls tree/5/6 tree/7/7 tree/new/1; cat tree/3/4/file tree/new/1/file`); got != "tree/5/6:\nfile\nnew\n\ntree/7/7:\n\ntree/new/1:\nfile\ntree/3/4\nmore\ntree/8/1" {
		t.Errorf("after changes: %q", got)
	}
}
