package ftpfs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// A systemCall is made in a directory of its own, which has a "file", a directory "sub" and a
// link "link". What is set up before may need the server; "call" meets its silence.
type systemCall struct {
	setup, call string
	answered    bool // without the server
}

var systemCalls = map[string]systemCall{
	"stat":       {"", `os.stat("file")`, false},
	"readdir":    {"", `os.listdir(".")`, false},
	"open":       {`os.stat("file")`, `os.open("file", os.O_RDONLY)`, false},
	"create":     {`os.listdir(".")`, `os.open("new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)`, false},
	"read":       {`f = os.open("file", os.O_RDONLY)`, `os.read(f, 1)`, false},
	"mmap":       {`m = mmap.mmap(os.open("file", os.O_RDONLY), 0, prot=mmap.PROT_READ)`, `m[100000]`, false},
	"append":     {`f = os.open("file", os.O_WRONLY | os.O_APPEND)`, `os.write(f, b"data"); os.close(f)`, false},
	"close":      {`f = os.open("new", os.O_CREAT | os.O_WRONLY)`, `os.write(f, b"data"); os.close(f)`, false},
	"close part": {`f = os.open("file", os.O_RDWR)`, `os.pwrite(f, b"data", 100); os.close(f)`, false},
	"truncate":   {`os.stat("file")`, `os.truncate("file", 10)`, false},
	"chmod":      {`os.stat("file")`, `os.chmod("file", 0o600)`, false},
	"utimens":    {`os.stat("file")`, `os.utime("file", (1, 1))`, false},
	"unlink":     {`os.stat("file")`, `os.unlink("file")`, false},
	"rename":     {`os.stat("file")`, `os.rename("file", "moved")`, false},
	"mkdir":      {`os.listdir(".")`, `os.mkdir("new")`, false},
	"rmdir":      {`os.stat("sub")`, `os.rmdir("sub")`, false},
	"symlink":    {`os.listdir(".")`, `os.symlink("file", "new")`, false},
	"readlink":   {`os.lstat("link")`, `os.readlink("link")`, false},
	"getxattr":   {`os.stat("file")`, `os.getxattr("file", "user.ftp.facts")`, false},
	"statfs":     {"", `os.statvfs(".")`, true},
}

// caller is the program of a system call. It tells when it is ready, waits until its standard
// input ends, and has the default action of each signal, as cat does.
const caller = `
import mmap, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
%s
os.write(3, b".")
sys.stdin.read()
%s
print("answered")
`

// Whatever system call a program is in when the server falls silent, a signal that it does not
// handle ends it at once, and
// neither df, nor a look at the directory above, nor unmounting waits for the server.
func TestSignalFreesAnySystemCall(t *testing.T) {
	for name, c := range map[string]struct {
		signal      syscall.Signal
		connections int
		more        string
	}{
		"SIGINT":       {syscall.SIGINT, 2 * len(systemCalls), "works on"},
		"SIGINT, few":  {syscall.SIGINT, 2, "unmount"}, // most wait for a connection
		"SIGKILL":      {syscall.SIGKILL, 2 * len(systemCalls), "unmount"},
		"SIGKILL, few": {syscall.SIGKILL, 2, "works on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := patientReal(t, c.connections)
			m.FS.Grace(time.Hour)
			callers := startCallers(t, m)
			server.Fail("", ftptest.OnCommand, ftptest.Silence, ftptest.Always)
			server.Fail(ftptest.Greeting, ftptest.OnCommand, ftptest.Silence, ftptest.Always)
			callers.call()
			time.Sleep(700 * time.Millisecond) // nobody tells that it waits
			for name, call := range systemCalls {
				if ended := callers.ended(name); ended != call.answered {
					t.Errorf("%s: ended: %v, want %v: %s", name, ended, call.answered, callers.children[name].out.String())
				}
			}
			for _, command := range []string{"ls -lad", "df", "stat", "stat -f", "test -d"} { // as ls -l of the directory above does
				quick(t, command+" "+m.Dir)
			}
			for _, child := range callers.children {
				child.signal(c.signal)
			}
			late := time.After(freed)
			for name, child := range callers.children {
				select {
				case <-child.done:
					if child.err == nil != systemCalls[name].answered {
						t.Errorf("%s: %v", name, child.err)
					}
				case <-late:
					t.Fatalf("%s: not freed, after others were", name)
				}
			}
			if c.more == "unmount" {
				quick(t, "fusermount3 -u "+m.Dir)
			}
			server.ClearFaults()
			server.DropAll()
			if c.more == "works on" {
				eventually(t, 10*time.Second, "using the mount again", func() error {
					_, err := m.Try("test $(cat getxattr/file | wc -c) = 200000; echo x > again; test $(cat again) = x; rm again")
					return err
				})
			}
		})
	}
}

// patientReal mounts proftpd, behind a proxy that can be silent, with a directory for each
// system call. Its silence is borne longer than any test lasts.
func patientReal(t *testing.T, connections int) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	real := ftptest.Real(t, "proftpd", ftptest.RealOptions{})
	files := make(map[string][]byte)
	for name := range systemCalls {
		files[name+"/file"] = random(200_000)
		files[name+"/sub/.keep"] = nil
	}
	put(t, real, files)
	for name := range systemCalls {
		dir := filepath.Join(real.Root, name)
		if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "sub/.keep")); err != nil {
			t.Fatal(err)
		}
	}
	if err := real.Own(); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Upstream: real.Addr, User: real.User, Password: real.Password})
	config := embeddedConfig(server, time.Minute)
	config.User, config.Password, config.Connections = real.User, real.Password, connections
	return server, fusetest.Server(t, config, ftpfs.Options{Xattr: true})
}

// callers are the programs that make the system calls.
type callers struct {
	children map[string]*child
	begin    *os.File // closed: they call
}

func startCallers(t *testing.T, m *fusetest.Mount) *callers {
	t.Helper()
	waits, begin := pipe(t)
	ready, theirs := pipe(t)
	cs := &callers{children: make(map[string]*child), begin: begin}
	scripts := t.TempDir()
	for name, c := range systemCalls {
		script := filepath.Join(scripts, name)
		if err := os.WriteFile(script, fmt.Appendf(nil, caller, c.setup, c.call), 0o644); err != nil {
			t.Fatal(err)
		}
		cs.children[name] = start(t, m, "cd '"+name+"'; exec /usr/bin/python3 '"+script+"' <&4", theirs, waits)
	}
	theirs.Close()
	if n, err := io.ReadFull(ready, make([]byte, len(systemCalls))); err != nil {
		for name, child := range cs.children {
			if cs.ended(name) {
				t.Errorf("%s: %s", name, child.out.String())
			}
		}
		t.Fatalf("%d programs are ready: %v", n, err)
	}
	time.Sleep(2100 * time.Millisecond) // what was listed is too old to decide
	return cs
}

// call lets all of them make their calls.
func (cs *callers) call() { cs.begin.Close() }

func (cs *callers) ended(name string) bool {
	select {
	case <-cs.children[name].done:
		return true
	default:
		return false
	}
}

// quick runs a command outside of the mount, which may not wait for the server.
func quick(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	args := strings.Fields(command)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}
