// Package fusetest mounts servers for tests and runs ordinary programs in the
// mount.
//
// The process that serves a mount must not touch it itself: what a test does
// in the mount it does through Run. Every mount is gone when its test has
// ended, also when the test failed.
package fusetest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
)

const (
	unmountTime = 20 * time.Second
	scriptTime  = 3 * time.Minute
)

// connectionsEnv is the number of connections of all mounts whose tests do not
// choose one: with a single one, everything has to take turns.
const connectionsEnv = "FTPFS_TEST_CONNECTIONS"

// A Mount is a mounted server.
type Mount struct {
	Dir    string // the mount point
	FS     *ftpfs.FS
	Client *ftpclient.Client

	t testing.TB
}

// Server makes a client of config and mounts its server on a fresh directory,
// until the test ends. Zero fields of opts are those of a test: a cache of its
// own and what is logged in the test's output.
func Server(t testing.TB, config ftpclient.Config, opts ftpfs.Options) *Mount {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	if config.Logger == nil {
		config.Logger = opts.Logger
	}
	if opts.CacheDir == "" {
		opts.CacheDir = t.TempDir()
	}
	if opts.CacheName == "" {
		opts.CacheName = config.Addr + opts.Root
	}
	if n := os.Getenv(connectionsEnv); n != "" && config.Connections == 0 {
		var err error
		if config.Connections, err = strconv.Atoi(n); err != nil {
			t.Fatalf("%s: %v", connectionsEnv, err)
		}
	}
	opts.UID, opts.GID = uint32(os.Getuid()), uint32(os.Getgid())
	client, err := ftpclient.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ftpfs-mount-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	fs, err := ftpfs.Mount(client, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	m := &Mount{Dir: dir, FS: fs, Client: client, t: t}
	watch(t, dir)
	t.Cleanup(m.Unmount)
	return m
}

// watch starts a process that takes the mount away when this one dies without
// its cleanups, as it does when the time for all tests is over.
func watch(t testing.TB, dir string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `read -r _ || fusermount3 -uz -- "$0" && rmdir -- "$0"`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us
	alive, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		alive.Close()
	})
}

// Unmount unmounts and waits until all is put away. It may be called before
// the test's end, and again by it.
func (m *Mount) Unmount() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), unmountTime)
	defer cancel()
	if err := m.FS.Unmount(ctx); err != nil {
		m.t.Errorf("unmount: %v", err)
	}
}

// Run runs a shell script in the mount and returns what it prints. The test
// ends when the script fails.
func (m *Mount) Run(script string) string {
	m.t.Helper()
	out, err := m.Try(script)
	if err != nil {
		m.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return out
}

// Try is Run for scripts that may fail. A script that hangs is killed.
func (m *Mount) Try(script string) (string, error) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", "cd \"$0\"\n"+script, m.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimRight(out.String(), "\n"), err
}
