package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// testMount mounts server in the background, as the program does, and unmounts at
// the end of the test.
func testMount(t *testing.T, server *ftptest.Embedded, flags ...string) (dir string) {
	t.Helper()
	t.Setenv("FTPFS_PASSWORD", "secret")
	dir = t.TempDir()
	t.Cleanup(func() { endMount(t, dir) })
	p := program{mount: mountServer}
	args := append(flags, "--cache-dir", t.TempDir(), "ftp://user@"+server.Addr()+"/sub", dir)
	if code, stdout, stderr := run(&p, args...); code != 0 || stdout+stderr != "" {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	return dir
}

// shell runs a command in another process: this one may not use a mount.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `cd "$0" && eval "$1"`, dir, command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func TestMountAndUnmount(t *testing.T) {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/sub/a b", []byte("from the server"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	dir := testMount(t, server)
	m := thisHost().mounted(dir)
	if want := "ftp://user@" + server.Addr() + "/sub"; !m.ours() || m.source != want || m.owner != strconv.Itoa(os.Getuid()) {
		t.Errorf("%+v, want source %q", m, want)
	}
	if got := shell(t, dir, "cat 'a b'; echo to the server > new; ls"); got != "from the servera b\nnew\n" {
		t.Errorf("%q", got)
	}
	if data, err := afero.ReadFile(files, "/sub/new"); err != nil || string(data) != "to the server\n" {
		t.Errorf("%q, %v", data, err)
	}
	var p program
	if code, _, stderr := run(&p, "ftp://host/", dir); code != exitMountPoint || !strings.Contains(stderr, "is already mounted on "+dir) {
		t.Errorf("%d %s", code, stderr)
	}
	pid := daemonOf(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := run(&p, "umount", link); code != 0 || stdout+stderr != "" {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	if thisHost().mounted(dir).ours() {
		t.Error("still mounted")
	}
	waitProcess(t, pid)
}

// A mount whose process was killed is in the way of nobody, even if programs are in it.
func TestRemountAfterKill(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := server.Fs().MkdirAll("/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	dir := testMount(t, server)
	user := exec.Command("sh", "-c", "exec 3> open; echo x >&3; exec sleep 100")
	user.Dir = dir
	if err := user.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { user.Process.Kill(); user.Wait() }()
	eventually(t, "a program in the mount", func() bool { return shell(t, dir, "cat open 2> /dev/null || true") == "x\n" })
	pid := daemonOf(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitProcess(t, pid)
	p := program{mount: mountServer}
	if code, _, stderr := run(&p, "--cache-dir", t.TempDir(), "ftp://user@"+server.Addr()+"/sub", dir); code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	shell(t, dir, "ls")
	pid = daemonOf(t, dir)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitProcess(t, pid)
	if thisHost().mounted(dir).ours() {
		t.Error("SIGTERM leaves the mount")
	}
}

// waitProcess waits for the end of a daemon, which is a child of the test.
func waitProcess(t *testing.T, pid int) {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
}

// daemonOf finds the process that was started for the mount on dir.
func daemonOf(t *testing.T, dir string) int {
	t.Helper()
	pid := findDaemon(t, dir)
	if pid == 0 {
		t.Fatal("no process serves " + dir)
	}
	return pid
}

// findDaemon is daemonOf; 0 if there is none.
func findDaemon(t *testing.T, dir string) int {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		args, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(args, []byte("ftpfs\x00")) || !bytes.HasSuffix(args, []byte("\x00"+dir+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	return 0
}

// endMount takes away what is mounted on dir, if anything is, and waits until its process
// has put away what it keeps.
func endMount(t *testing.T, dir string) {
	t.Helper()
	if !thisHost().mounted(dir).ours() {
		return
	}
	pid := findDaemon(t, dir)
	if err := thisHost().detach(dir); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); pid != 0; time.Sleep(10 * time.Millisecond) {
		// It is a child of the test, or of nobody here.
		if ended, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); ended == pid || err != nil && syscall.Kill(pid, 0) != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("process %d does not end", pid)
			return
		}
	}
}

func TestErrorsOfRealMounts(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	dir := t.TempDir()
	p := program{mount: mountServer}
	tests := []struct {
		url  string
		code int
		text string
	}{
		{"ftp://user:wrong@" + server.Addr() + "/", exitLogin, "refused the login of user"},
		{"ftp://" + server.Addr() + "/", exitLogin, "lets nobody in anonymously"},
		{"ftp://user:secret@" + server.Addr() + "/missing", exitRemoteDir, "The directory /missing on "},
		{"ftp://127.0.0.1:1/", exitServer, "accepts no connection on port 1"},
	}
	for _, tt := range tests {
		for _, flags := range [][]string{{"-f"}, nil} {
			args := append(flags, "--timeout=5s", "--cache-dir", t.TempDir(), tt.url, dir)
			code, _, stderr := run(&p, args...)
			if code != tt.code || !strings.Contains(stderr, tt.text) || strings.Contains(stderr, "wrong@") || strings.Contains(stderr, "secret") {
				t.Errorf("%v\ngot  %d %s\nwant %d %s", args, code, stderr, tt.code, tt.text)
			}
		}
	}
}

func TestCacheDirectoryOpenToOthers(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	cache, dir := t.TempDir(), t.TempDir()
	if err := os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	p := program{mount: mountServer}
	code, _, stderr := run(&p, "--cache-dir", cache, "ftp://user:secret@"+server.Addr()+"/", dir)
	if want := "ftpfs: The cache directory " + cache + ": others may write to it (mode -rwxrwxrwx): permission denied. Choose another one by --cache-dir.\n"; code != exitMountPoint || stderr != want {
		t.Errorf("%d %s", code, stderr)
	}
}

// What goes wrong with the first listing is the server's matter, and is told in one line.
func TestErrorsOfTheFirstListing(t *testing.T) {
	tests := []struct {
		title string
		spoil func(*ftptest.Embedded)
		code  int
		text  string
	}{
		{"421 to MLSD", func(e *ftptest.Embedded) { e.Refuse("MLSD", "421 Bye\x1b[2J.", -1) }, exitServer, `421 Bye\x1b[2J. Try again later.`},
		{"421 to EPSV", func(e *ftptest.Embedded) { e.Refuse("EPSV", "421 Bye.", -1) }, exitServer, "421 Bye"},
		{"no port", func(e *ftptest.Embedded) {
			e.Replace("EPSV", "229 Guess.", -1)
			e.Replace("PASV", "227 Guess.", -1)
			e.Refuse("EPRT", "500 No.", -1)
			e.Refuse("PORT", "500 No.", -1)
		}, exitServer, "no address in 229"},
		{"nonsense", func(e *ftptest.Embedded) { e.Replace("MLSD", "What?", -1) }, exitServer, ""},
		{"lost", func(e *ftptest.Embedded) { e.DropCommand("MLSD", -1) }, exitServer, ""},
		{"silent", func(e *ftptest.Embedded) { e.StallData("MLSD", 0) }, exitServer, ""},
	}
	for _, tt := range tests {
		server := ftptest.Start(t, ftptest.Options{})
		if err := afero.WriteFile(server.Fs(), "/sub/file", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		tt.spoil(server)
		p := program{mount: mountServer}
		dir := t.TempDir()
		code, _, stderr := run(&p, "--timeout=1s", "--cache-dir", t.TempDir(), "ftp://user:secret@"+server.Addr()+"/sub", dir)
		if code != tt.code || !strings.HasPrefix(stderr, "ftpfs: "+server.Addr()+" ") || !strings.Contains(stderr, tt.text) || strings.Contains(stderr, dir) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %d %s", tt.title, code, stderr)
		}
		if thisHost().mounted(dir).ours() {
			thisHost().detach(dir)
		}
	}
}

func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out bytes.Buffer
	if err := demo(&out, false); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, part := range []string{"readme.txt", "These bytes come from an FTP server.", "written through the mount", "naïve café.md", "opened by EPSV", "> RETR /readme.txt"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the tour lacks %q:\n%s", part, out.String())
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
