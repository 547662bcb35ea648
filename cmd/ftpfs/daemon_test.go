package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// seen is what a daemon with a fake mount tells about itself.
type seen struct {
	Pid, Session int
	Args, Env    []string
	Dir          string
	Stdio        [3]string
	Job          job
}

// daemonMount is the mountFunc of the daemon when tests start it. The host says what
// becomes of the mount.
func daemonMount(ctx context.Context, j job, log *slog.Logger) (mounted, error) {
	switch j.Target.Host {
	case "refused":
		return nil, fail(exitLogin, "%s refused the login of %s.", j.Target.Host, j.User)
	case "crash":
		os.Exit(42)
	case "ok":
		return daemonFake(j)
	}
	return mountServer(ctx, j, log)
}

// daemonFake writes what it sees to the fifo in its mount point, which stays open as
// long as the process lives.
func daemonFake(j job) (mounted, error) {
	fifo, err := os.OpenFile(filepath.Join(j.MountPoint, "fifo"), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	s := seen{Pid: os.Getpid(), Env: os.Environ(), Job: j}
	s.Session, _ = unix.Getsid(0)
	s.Dir, _ = os.Getwd()
	for i := range s.Stdio {
		s.Stdio[i], _ = os.Readlink(fmt.Sprint("/proc/self/fd/", i))
	}
	args, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		return nil, err
	}
	s.Args = strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
	if err := gob.NewEncoder(fifo).Encode(s); err != nil {
		return nil, err
	}
	m := newFakeMount()
	m.unmount = func(context.Context) error {
		fifo.WriteString("unmounted")
		close(m.end)
		return nil
	}
	return m, nil
}

func TestDaemon(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", "hunter2")
	dir := t.TempDir()
	name := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for both, so that neither side waits for the other; the own writing
	// end is closed once the daemon has its own.
	fifo, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	j := job{
		Target:     target{User: "ann", Host: "ok", Port: 2121, Dir: "a\xff"},
		User:       "ann",
		Password:   "hunter2",
		MountPoint: dir,
		Settings:   []setting{{"mode", "port"}},
	}
	if err := spawn(j, io.Discard); err != nil {
		t.Fatal(err)
	}
	fifo.Close()

	var all bytes.Buffer
	var s seen
	decoder := gob.NewDecoder(reader)
	if err := decoder.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.Args), fmt.Sprint([]string{"ftpfs", "ftp://ann@ok:2121/a%FF", dir}); got != want {
		t.Errorf("args %s, want %s", got, want)
	}
	for _, e := range s.Env {
		if strings.Contains(e, "hunter2") || strings.HasPrefix(e, daemonMark) {
			t.Errorf("environment has %s", e)
		}
	}
	if s.Session != s.Pid || s.Dir != "/" || s.Stdio != [3]string{"/dev/null", "/dev/null", "/dev/null"} {
		t.Errorf("session %d of process %d in %s, %q", s.Session, s.Pid, s.Dir, s.Stdio)
	}
	if fmt.Sprint(s.Job) != fmt.Sprint(j) {
		t.Errorf("job %+v, want %+v", s.Job, j)
	}
	if err := syscall.Kill(s.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// To the end of the file: the process is gone.
	if _, err := all.ReadFrom(reader); err != nil || all.String() != "unmounted" {
		t.Errorf("%q, %v", all.String(), err)
	}
}

func TestDaemonReportsItsError(t *testing.T) {
	tests := []struct {
		host string
		code int
		text string
	}{
		{"refused", exitLogin, "refused refused the login of ann."},
		{"crash", exitUnmount, "The background process ended without a word (exit status 42): try again with -f."},
	}
	for _, tt := range tests {
		err := spawn(job{Target: target{Host: tt.host, Port: 21}, User: "ann", MountPoint: t.TempDir()}, io.Discard)
		if exitCode(err) != tt.code || err.Error() != tt.text {
			t.Errorf("%s: %d %v", tt.host, exitCode(err), err)
		}
	}
}
