package ftpfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

var modes = []ftpclient.Mode{ftpclient.ModePASV, ftpclient.ModeEPSV, ftpclient.ModePORT, ftpclient.ModeEPRT}

// overReal runs f on each real server in each mode of data connections.
func overReal(t *testing.T, f func(t *testing.T, server *ftptest.Server, mode ftpclient.Mode)) {
	for _, name := range ftptest.RealNames {
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s/%v", name, mode), func(t *testing.T) {
				f(t, ftptest.Real(t, name, ftptest.RealOptions{}), mode)
			})
		}
	}
}

// overRealTLS runs f over TLS on each real server, on all but one in a single mode.
func overRealTLS(t *testing.T, proftpd []ftpclient.Mode, f func(t *testing.T, server *ftptest.Server, mode ftpclient.Mode)) {
	covered := map[string][]ftpclient.Mode{
		"vsftpd": {ftpclient.ModeEPSV}, "proftpd": proftpd, "pure-ftpd": {ftpclient.ModePORT}, "pyftpdlib": {ftpclient.ModePASV},
	}
	for _, name := range ftptest.RealNames {
		for _, mode := range covered[name] {
			t.Run(fmt.Sprintf("%s/%v", name, mode), func(t *testing.T) {
				f(t, ftptest.Real(t, name, ftptest.RealOptions{TLS: true}), mode)
			})
		}
	}
}

// mountReal mounts server, over TLS if it speaks that.
func mountReal(t *testing.T, server *ftptest.Server, mode ftpclient.Mode) *fusetest.Mount {
	t.Helper()
	cfg := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Mode: mode}
	if server.TLS {
		cfg.TLS, cfg.Pins = ftpclient.TLSExplicit, []ftpclient.Pin{ftpclient.PinOf(server.CA)}
	}
	return fusetest.Server(t, cfg, ftpfs.Options{ExactTimes: true})
}

// awkward are names that have broken file systems and FTP clients.
var awkward = []string{
	" leading", "trailing ", "  both  ", "in the  middle", "'single'", `"double"`, "`back`",
	"star*", "what?", "[a1]", "{a,b}", "-x", "--help", "~", "~root", "#%", "100%25", "a;b", "a&b", "a|b", "$HOME", "!", "ümläut", "日本語", "e\u0301",
	"a -> b", "semi;type=file; x", ".hidden", "..two", "...", "comma,", "tab\there", "a:b", "(x)", "<y>", "@", "=", "+", "^",
	strings.Repeat("n", 200), `back\slash`, "drwxr-xr-x 2 a b 3 Jan 1 1970 x", "226 done",
}

// refusedFiles and refusedDirs are names that a server does not serve.
var (
	refusedFiles = map[string][]string{"pure-ftpd": {"trailing ", "  both  ", "tab\there", `back\slash`}}
	refusedDirs  = map[string][]string{"pure-ftpd": {"tab\there", `back\slash`}, "proftpd": {"star*"}}
)

// makeTree makes so many files below dir, some with awkward names, of sizes from
// nothing to a few hundred KiB, with odd modes and times.
func makeTree(t *testing.T, dir, server string, files int) {
	t.Helper()
	write := func(path string, size int) {
		t.Helper()
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i*7 + len(path))
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, name := range awkward {
		if !slices.Contains(refusedFiles[server], name) {
			write(filepath.Join(dir, name), 10+n)
			n++
		}
		if !slices.Contains(refusedDirs[server], name) {
			sub := filepath.Join(dir, "dirs", name)
			if err := os.MkdirAll(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(sub, "file in "+name+"."), 100+n)
			n++
		}
	}
	for ; n < files; n++ {
		sub := filepath.Join(dir, fmt.Sprintf("plain%d", n%7))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(sub, fmt.Sprintf("file%d", n)), (n*n*n)%300_000)
	}
	write(filepath.Join(dir, "empty"), 0)
	for name, mode := range map[string]os.FileMode{"script": 0o755, "private": 0o600, "readonly": 0o444} {
		write(filepath.Join(dir, name), 5)
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("find", dir, "-type", "f", "-name", "*3*", "-exec", "touch", "-d", "2003-04-05 06:07:08 UTC", "{}", "+").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
}

func TestCopyingATree(t *testing.T)        { overReal(t, copyTree(200)) }
func TestCopyingATreeOverTLS(t *testing.T) { overRealTLS(t, modes, copyTree(120)) }

// copyTree copies a tree into a mount, compares it in another, and removes it.
func copyTree(files int) func(t *testing.T, server *ftptest.Server, mode ftpclient.Mode) {
	return func(t *testing.T, server *ftptest.Server, mode ftpclient.Mode) {
		source := t.TempDir()
		makeTree(t, source, server.Name, files)
		m := mountReal(t, server, mode)
		m.Run("cp -a '" + source + "' tree")
		m.Unmount()

		m = mountReal(t, server, mode)
		m.Run("diff -r '" + source + "' tree")
		// Times of directories cannot be set on all servers.
		m.Run(`out=$(rsync -a --omit-dir-times --checksum --itemize-changes '` + source + `/' tree/); test -z "$out" || { echo "$out"; exit 1; }`)
		m.Run("rm -r tree; test -z \"$(ls -A)\"")
		m.Unmount()
		if left, _ := filepath.Glob(filepath.Join(server.Root, "*")); len(left) != 0 {
			t.Errorf("left on the server: %q", left)
		}
	}
}

func TestNamesThatTheServerRefuses(t *testing.T) {
	server := ftptest.Real(t, "pure-ftpd", ftptest.RealOptions{})
	m := mountReal(t, server, ftpclient.ModeAuto)
	m.Run("echo fine > fine")
	refuse := func(name, command string) {
		t.Helper()
		out, err := m.Try(fmt.Sprintf("name='%s'; %s", name, command))
		if err == nil || !strings.Contains(out, "not supported") {
			t.Errorf("%s with %q: %v, %s", command, name, err, out)
		}
	}
	for _, name := range refusedFiles["pure-ftpd"] {
		for _, command := range []string{`echo x > "$name"`, `cp fine "$name"`, `mv fine "$name"`} {
			refuse(name, command)
		}
	}
	for _, name := range refusedDirs["pure-ftpd"] {
		refuse(name, `mkdir "$name"`)
	}
	m.Run(`test "$(cat fine)" = fine; echo more > more; test "$(ls -A | tr '\n' ' ')" = "fine more "`)
}

const tools = `
git -c init.defaultBranch=main init -q --bare origin.git
git clone -q origin.git work 2>/dev/null
cd work
git config user.name tester; git config user.email tester@example.com
for i in $(seq 20); do echo "line $i" > file$i; done
git add .; git commit -q -m first
sed -i 's/line/row/' file3
git commit -q -a -m second
git push -q origin HEAD
git fsck --full --strict
git status --porcelain
test "$(git log --oneline | wc -l)" = 2
cd ..

sqlite3 db 'create table t(a integer primary key, b text); begin; insert into t(b) values (hex(randomblob(500))),(2),(3); commit;'
sqlite3 db 'insert into t(b) select b from t; update t set b = 7 where a = 2; pragma integrity_check; select count(*) from t' > result
test "$(tr '\n' ' ' < result)" = "ok 6 "

printf 'one\ntwo\n' > text
vim -es -u NONE -c '%s/one/uno/' -c wq text
test "$(cat text)" = "$(printf 'uno\ntwo')"
echo three >> text
test "$(tail -n1 text)" = three
echo other > other; mv other text; test "$(cat text)" = other
chmod 755 text; sed -i s/other/another/ text; test "$(cat text)" = another; test -x text

tar cf tree.tar work; mkdir out; tar xf tree.tar -C out --no-same-owner; diff -r work out/work
truncate -s 100 text; test "$(stat -c %s text)" = 100
truncate -s 3 text; test "$(cat text)" = ano
dd if=/dev/zero of=sparse bs=1 count=1 seek=5000000 status=none; test "$(stat -c %s sparse)" = 5000001
touch -d '2001-02-03 04:05:06 UTC' text; test "$(stat -c %Y text)" = 981173106
`

func TestOrdinaryTools(t *testing.T)        { overReal(t, useTools) }
func TestOrdinaryToolsOverTLS(t *testing.T) { overRealTLS(t, modes[3:], useTools) }

func useTools(t *testing.T, server *ftptest.Server, mode ftpclient.Mode) {
	m := mountReal(t, server, mode)
	m.Run(tools)
	m.Run(`ls -la > /dev/null; find . > /dev/null; rm -r *; test -z "$(ls -A)"`)
}
