package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

func TestHelperNames(t *testing.T) {
	for name, want := range map[string]bool{
		"/sbin/mount.ftpfs": true, "mount.fuse.ftpfs": true, "mount.fuse3.ftpfs": true,
		"ftpfs": false, "/usr/bin/ftpfs": false, "mount.fuse": false, "mount.sshfs": false, "": false,
	} {
		if isHelper(name) != want {
			t.Errorf("%q", name)
		}
	}
}

// What mount(8) passes on, and what it gets back.
func TestHelperExitCodes(t *testing.T) {
	p := program{mount: mountServer}
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		text string
	}{
		{nil, helperUsage, "It is mount that calls it"},
		{[]string{"ftp://127.0.0.1:1/", dir, "-x"}, helperUsage, "unknown shorthand flag"},
		{[]string{"ftp://127.0.0.1:1/", dir, "-o", "rw,cache_timout=5"}, helperUsage, `Did you mean "cache-timeout"?`},
		{[]string{"ftp://127.0.0.1:1/", dir, "-N", "1"}, helperUsage, "name space"},
		{[]string{"ftp://127.0.0.1:1/", "/nonexistent/mnt", "-n", "-o", "rw"}, helperFailed, "does not exist"},
		{[]string{"ftp://127.0.0.1:1/", dir, "-sn", "-o", "rw,nonsense=1,timeout=5s"}, helperFailed, "accepts no connection"},
		{[]string{"ftp://127.0.0.1:1/", dir, "-f", "-o", "rw,_netdev"}, 0, ""},
		{[]string{"host", dir, "-f", "-o", "rw"}, helperUsage, "has to be a URL"},
	} {
		var stderr bytes.Buffer
		if code := p.helper(tt.args, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.text) || (code == 0) != (stderr.Len() == 0) {
			t.Errorf("%q: %d %s", tt.args, code, stderr.String())
		}
	}
}

// testBinary makes a program of the given name that is this one.
func testBinary(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), name)
	// mount(8) clears the environment.
	script := "#!/bin/bash\n" + programMark + "=1 exec -a " + name + " " + self + " \"$@\"\n"
	// A child that another test forks now would keep it open for writing, and it could not be run.
	syscall.ForkLock.RLock()
	err = os.WriteFile(name, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// command runs a program and returns what it prints.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// mountPoint is a directory from which whatever is mounted goes when the test ends.
func mountPoint(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { endMount(t, dir) })
	return dir
}

// A line of fstab that somebody has for curlftpfs or sshfs mounts by mount(8), and so do
// lines of our own.
func TestFstab(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	sub := filepath.Join(server.Root, "sub")
	if err := errors.Join(os.Mkdir(sub, 0o755), os.WriteFile(filepath.Join(sub, "file"), []byte("from the server"), 0o755), server.Own()); err != nil {
		t.Fatal(err)
	}
	program := testBinary(t, "ftpfs")
	secret := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(secret, []byte("username=user\npassword=secret\ndomain=none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	common := "_netdev,nofail,noauto,x-systemd.automount,allow_other,uid=33,gid=33,umask=022,cache_dir=" + t.TempDir()
	for _, tt := range []struct{ source, kind, options string }{
		{program + "#user:secret@" + server.Addr + "/sub", "fuse", common + ",rw,user,disable_epsv,utf8,connect_timeout=10"},
		{"ftp://user@" + server.Addr + "/sub", "fuse." + program, common + ",ro,credentials=" + secret + ",dcache_timeout=5,reconnect"},
		{server.Addr + "/sub", "fuse." + program, common + ",noexec,credentials=" + secret + ",vfs_cache_mode=full,dir_cache_time=1m"},
	} {
		dir := mountPoint(t)
		fstab := filepath.Join(t.TempDir(), "fstab")
		line := tt.source + " " + dir + " " + tt.kind + " " + tt.options + " 0 0\n"
		if err := os.WriteFile(fstab, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := command("mount", "--fstab", fstab, dir); err != nil || out != "" {
			t.Errorf("%s: %v %s", line, err, out)
			continue
		}
		m := thisHost().mounted(dir)
		if !m.ours() || strings.Contains(m.source, "secret") {
			t.Errorf("%s: %+v", line, m)
		}
		got := shell(t, dir, "cat file; stat -c ' %U %A' file; touch new 2>/dev/null && rm new && echo writable; true")
		want := "from the server www-data -rwxr-xr-x\n"
		if strings.Contains(tt.options, "noexec") || strings.Contains(tt.options, ",user,") { // which implies it

			want = "from the server www-data -rw-r--r--\n"
		}
		if !strings.Contains(tt.options, ",ro,") {
			want += "writable\n"
		}
		if got != want {
			t.Errorf("%s: %q", line, got)
		}
		if out, err := command("umount", dir); err != nil {
			t.Errorf("%s: umount: %v %s", line, err, out)
		}
	}
}

// As the helper of mount(8), started by systemd: without HOME and PATH, before the network.
func TestDelayConnect(t *testing.T) {
	t.Parallel()
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/sub/file", []byte("from the server"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	server.Down()
	dir := mountPoint(t)
	cmd := exec.CommandContext(t.Context(), testBinary(t, "mount.ftpfs"), "ftp://user:secret@"+server.Addr()+"/sub", dir,
		"-n", "-o", "rw,delay_connect,_netdev,timeout=5s,cache_dir="+t.TempDir())
	cmd.Env = []string{"LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
		t.Fatalf("%v %s", err, out)
	}
	if got := shell(t, dir, "stat -c %F .; df . >/dev/null && ls 2>&1 || true"); !strings.HasPrefix(got, "directory\nls: ") || strings.Contains(got, "file") {
		t.Errorf("without the server: %q", got)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	var got string
	for range 50 { // the client waits between two tries
		if got = shell(t, dir, "cat file 2>/dev/null; true"); got != "" {
			break
		}
		shell(t, "/", "sleep 0.1")
	}
	if got != "from the server" {
		t.Errorf("with the server: %q", got)
	}
	if out, err := command("umount", dir); err != nil {
		t.Errorf("umount: %v %s", err, out)
	}
}

func TestCredentialsFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "credentials")
	for text, want := range map[string][2]string{
		"username=ann\npassword=a=b, c\ndomain=d\n":  {"ann", "a=b, c"},
		"# mine\r\nuser = ann\r\npass=\r\n":          {"ann", ""},
		"password=x\nusername=ann":                   {"ann", "x"},
		"ann:x:y\n":                                  {"ann", "x:y"},
		"username=ann\npassword=eve:x\nnote=bob:y\n": {"ann", "eve:x"},
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if user, password, err := readCredentials(name); err != nil || user != want[0] || password != want[1] {
			t.Errorf("%q: %q, %q, %v", text, user, password, err)
		}
	}
	f := flags{credentials: name}
	if err := os.WriteFile(name, []byte("ann:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if user, password, err := (sources{}).credentials(target{Host: "h", User: "ann"}, &f); err != nil || user != "ann" || password != "secret" {
		t.Error(user, password, err)
	}
	_, _, err := (sources{}).credentials(target{Host: "h", User: "eve"}, &f)
	expect(t, "another user", err, exitUsage, "The file of credentials "+name+" is for ann, and not for eve.")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600), os.Chmod(name, 0o640)); err != nil {
		t.Fatal(err)
	}
	_, _, err = readCredentials(name)
	expect(t, "readable", err, exitUsage, "Others may read or write the file of credentials "+name+": run chmod 600 "+name+".")
	_, _, err = readCredentials(filepath.Join(dir, "empty"))
	expect(t, "empty", err, exitUsage, "The file of credentials "+dir+"/empty names no user: write the lines username=NAME and password=PASSWORD.")
}
