package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"

	"ftpfs/internal/ftptest"
)

const (
	secretWord  = "Zy9.tr0ub4dor"
	proxySecret = "Qx7.pr0xyw0rd"
)

// A mount tells its password nowhere: not in the list of processes, nor to those whom it starts,
// nor in log, mount table, status, errors or memory that others can read.
func TestNobodyLearnsThePassword(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{Password: secretWord})
	if err := afero.WriteFile(server.Fs(), "/sub/file", []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, foreground := range []bool{false, true} {
		t.Run(fmt.Sprint("foreground=", foreground), func(t *testing.T) {
			dir, tmp := mountPoint(t), t.TempDir()
			log, children := filepath.Join(tmp, "log"), filepath.Join(tmp, "children")
			spyOnChildren(t, filepath.Join(tmp, "bin"), children)
			args := []string{"--log-file", log, "--cache-dir", filepath.Join(tmp, "cache"), "ftp://user@" + server.Addr() + "/sub", dir}
			if foreground {
				args = append([]string{"--debug"}, args...)
			}
			cmd := exec.Command(testBinary(t, "ftpfs"), args...)
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(tmp, "bin")+":"+os.Getenv("PATH"),
				"FTPFS_PASSWORD="+secretWord, "all_proxy=http://ann:"+proxySecret+"@127.0.0.1:1", "no_proxy=127.0.0.1")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid := cmd.Process.Pid
			if !foreground {
				if err := cmd.Wait(); err != nil {
					t.Fatalf("%v: %s", err, said.String())
				}
				pid = 0
			}
			eventually(t, "the mount", func() bool {
				if pid == 0 {
					pid = findDaemon(t, dir)
				}
				said, _ := os.ReadFile(log)
				return pid != 0 && strings.Contains(string(said), "mounted") // it can be asked
			})
			server.Refuse("STOR", "451 No.", ftptest.Always)
			defer server.ClearFaults()
			shell(t, dir, "cat file; ls -la; ! echo x > refused; ! cat missing; true")
			proc := fmt.Sprintf("/proc/%d/", pid)
			tell := map[string]string{"children": read(t, children), "log": read(t, log), "arguments": read(t, proc+"cmdline"), "mount table": read(t, "/proc/self/mountinfo")}
			if !foreground { // its environment is what it was given
				tell["environment"] = read(t, proc+"environ")
			}
			for _, command := range [][]string{{"status", dir}, {"status", "--json", dir}, {"list", "--json"}, {"cache", dir}} {
				var p program
				_, stdout, stderr := run(&p, command...)
				tell[strings.Join(command, " ")] = stdout + stderr
			}
			if out, err := exec.Command("setpriv", "--clear-groups", "--reuid=65534", "cat", proc+"environ", proc+"maps").CombinedOutput(); err == nil || bytes.Contains(out, []byte(secretWord)) {
				t.Errorf("nobody reads %s", out)
			}
			endMount(t, dir)
			if foreground {
				cmd.Wait()
			}
			tell["last words"] = said.String() + read(t, log)
			if tell["children"] == "" || foreground && !strings.Contains(tell["log"], "PASS ") || !strings.Contains(tell["mount table"], dir) {
				t.Errorf("too little was seen: %q", tell)
			}
			for where, text := range tell {
				if strings.Contains(text, secretWord) || strings.Contains(text, proxySecret) {
					t.Errorf("the %s tells a password: %s", where, text)
				}
			}
			files, err := filepath.Glob(filepath.Join(tmp, "cache", "*", "*"))
			if err != nil || len(files) == 0 {
				t.Errorf("no files in the cache directory: %v", err)
			}
			for _, name := range files {
				if strings.Contains(read(t, name), secretWord) {
					t.Errorf("%s has the password", name)
				}
			}
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// spyOnChildren puts a fusermount3 into dir that writes its environment and arguments to the
// file named, and then does what is asked of it.
func spyOnChildren(t *testing.T, dir, to string) {
	t.Helper()
	real, err := exec.LookPath("fusermount3")
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n{ env; echo \"$@\"; } >> " + to + "\nexec " + real + " \"$@\"\n"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fusermount3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Who is somebody else gets in by --allow-other alone, and then as far as the modes say; what
// the server calls setuid, or a device, is neither here.
func TestOtherUsers(t *testing.T) {
	server := ftptest.StartLiar(t, ftptest.Lies{
		Features: []string{" MLST type*;size*;UNIX.mode*;"},
		Data: dataOf(map[string]string{
			"/": "type=file;size=4;UNIX.mode=7755; public\r\ntype=file;size=4;UNIX.mode=4600; private\r\n" +
				"type=OS.unix=chr-1/3;size=4;UNIX.mode=0666; null\r\ntype=OS.unix=blk;UNIX.mode=0666; disk\r\ntype=dir;UNIX.mode=0700; closed\r\n",
			"/closed": "type=file;size=4; inner\r\n",
		}, "data"),
	})
	nobody := func(dir, command string) (string, error) {
		cmd := exec.Command("setpriv", "--clear-groups", "--reuid=65534", "--regid=65534", "sh", "-c", command, dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint("allowed=", allowed), func(t *testing.T) {
			var flags []string
			if allowed {
				flags = []string{"--allow-other"}
			}
			f := startForeground(t, server.Addr(), flags...)
			letIn(t, f.dir)
			options := thisMountOptions(t, f.dir)
			if !strings.Contains(options, "nosuid") || !strings.Contains(options, "nodev") {
				t.Errorf("mounted with %s", options)
			}
			if got := f.in("stat -c '%n %A' *"); got != "closed drwx------\ndisk -rw-rw-rw-\nnull -rw-rw-rw-\nprivate -rw-------\npublic -rwxr-xr-x\n" {
				t.Errorf("modes: %s", got)
			}
			for command, works := range map[string]bool{
				`ls "$0"`: true, `cat "$0/public"`: true, `cat "$0/private"`: false, `ls "$0/closed"`: false,
				`echo x >> "$0/public"`: false, `rm "$0/public"`: false, `touch "$0/new"`: false, `chmod 777 "$0/public"`: false, `cat "$0/closed/inner"`: false,
			} {
				if out, err := nobody(f.dir, command); (err == nil) != (works && allowed) || !works && !strings.Contains(out, "denied") && !strings.Contains(out, "not permitted") {
					t.Errorf("%s: %v %s", command, err, out)
				}
			}
			m := thisHost().mounted(f.dir)
			ask := `import socket; s = socket.socket(socket.AF_UNIX); s.connect(chr(0) + "ftpfs/` + m.device + `"); s.settimeout(5); print(len(s.recv(100)))`
			if out, err := nobody(f.dir, "/usr/bin/python3 -c '"+ask+"'"); err != nil || out != "0\n" {
				t.Errorf("nobody is told: %s, %v", out, err)
			}
			if p := processOf(m); p == nil {
				t.Error("and neither are we")
			} else {
				p.conn.Close()
			}
		})
	}
}

// letIn lets everybody reach dir, if they know its name.
func letIn(t *testing.T, dir string) {
	t.Helper()
	for up := filepath.Dir(dir); up != "/" && up != os.TempDir(); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o711); err != nil {
			t.Fatal(err)
		}
	}
}

// thisMountOptions are the options of the mount on dir in the mount table.
func thisMountOptions(t *testing.T, dir string) string {
	t.Helper()
	for line := range strings.Lines(read(t, "/proc/self/mountinfo")) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == dir {
			return fields[5]
		}
	}
	t.Fatalf("nothing is mounted on %s", dir)
	return ""
}

// dataOf has a Liar list some directories, and give each file the same content.
func dataOf(dirs map[string]string, content string) func(verb, path string) io.Reader {
	return func(verb, path string) io.Reader {
		if verb == "RETR" {
			return strings.NewReader(content)
		}
		return strings.NewReader(dirs[path])
	}
}

// A URL in the place of something else is told without its password, and only that is left out.
func TestPasswordInTheWrongPlace(t *testing.T) {
	t.Parallel()
	var p program
	url := "ftp://ann:" + secretWord + "@host/"
	for url, want := range map[string]string{
		url:                                    "ftp://ann:…@host/",
		"ftp://a@b.c:" + secretWord + "@host/": "ftp://a@b.c:…@host/",
		"ftp://ann:\"\\\u200b" + secretWord + "@host/": "ftp://ann:…@host/",
		"ftp://ann:x/ @2/" + secretWord + "@host/":     "ftp://ann:…@host/",
	} {
		for _, args := range [][]string{
			{"-p", url, "/mnt"}, {"--charset", url, "/mnt"}, {"--timeout=" + url, "/mnt"}, {"--" + url, "/mnt"},
			{"-o", "httpproxy=" + url, "ftp://host/", "/mnt"}, {"umount", url}, {"doctor", "--mode", url},
		} {
			code, _, stderr := run(&p, args...)
			if code == 0 || strings.Contains(stderr, secretWord) || !strings.Contains(stderr, want) {
				t.Errorf("%s: %d %s", args, code, stderr)
			}
		}
	}
	for _, url := range []string{"ftp://host:21/a@b", "ftp://ann@host:21/a@b", "ftp://[::1]:21/a@b"} {
		if _, _, stderr := run(&p, "-p", url, "/mnt"); !strings.Contains(stderr, url) {
			t.Error(stderr)
		}
	}
	var stderr bytes.Buffer
	if code := p.helper([]string{"ftp://host/", "/mnt", "-o", "port=" + url}, &stderr); code != helperUsage ||
		strings.Contains(stderr.String(), secretWord) || !strings.Contains(stderr.String(), "port=ftp://ann:…@host/") {
		t.Errorf("%d %s", code, stderr.String())
	}
	if _, _, stderr := run(&p, "--proxy", "http://u:"+secretWord+"@h:port", "ftp://host/", "/mnt"); !strings.Contains(stderr, "http://user:password@host:3128") {
		t.Error(stderr)
	}
}

// While a mount is served, there is no core of the process, nobody but root reads its memory, and
// what it starts inherits no password.
func TestServingConceals(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", secretWord)
	t.Setenv("ALL_PROXY", "http://ann:"+proxySecret+"@127.0.0.1:1")
	t.Setenv("NO_PROXY", "host")
	defer unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	served := false
	p := program{mount: func(_ context.Context, j job, _ *slog.Logger) (mounted, error) {
		served = true
		if dumps, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); dumps != 0 || err != nil {
			t.Errorf("dumpable: %d, %v", dumps, err)
		}
		if left := strings.Join(os.Environ(), " "); strings.Contains(left, secretWord) || strings.Contains(left, proxySecret) {
			t.Errorf("children inherit %s", left)
		}
		if j.Password != secretWord {
			t.Errorf("the password is %q", j.Password)
		}
		return nil, fail(exitServer, "That was all.")
	}}
	if code, _, stderr := run(&p, "-f", "--cache-dir", t.TempDir(), "ftp://ann@host/", t.TempDir()); code != exitServer || !served {
		t.Errorf("%d %s", code, stderr)
	}
}
