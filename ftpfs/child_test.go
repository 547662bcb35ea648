package ftpfs_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// silence is the longest silence that the mounts of these tests bear.
const silence = 3 * time.Second

// several connections are what tests need that keep one busy and use others.
const several = 6

// mountEmbedded mounts an embedded server that has the files given.
func mountEmbedded(t *testing.T, opts ftpfs.Options, files map[string]string) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	return mountConnected(t, 0, opts, files)
}

// mountConnected is mountEmbedded with a number of connections.
func mountConnected(t *testing.T, connections int, opts ftpfs.Options, files map[string]string) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	server := ftptest.Start(t, ftptest.Options{})
	for path, data := range files {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := embeddedConfig(server, silence)
	config.Connections = connections
	return server, fusetest.Server(t, config, opts)
}

func embeddedConfig(server *ftptest.Embedded, timeout time.Duration) ftpclient.Config {
	return ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret", Timeout: timeout}
}

// A child is a shell that runs in the mount beside the test.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
	err  error // of the process, once done is closed
}

// start runs a script in the mount and returns at once. Its last command is
// best given by exec, so that signals reach it. It has the files from
// descriptor 3 onward.
func start(t *testing.T, m *fusetest.Mount, script string, files ...*os.File) *child {
	t.Helper()
	c := &child{t: t, done: make(chan struct{})}
	c.cmd = exec.Command("bash", "-e", "-u", "-c", "cd \"$0\"\n"+script, m.Dir)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Env = append(c.cmd.Environ(), "LC_ALL=C.UTF-8")
	c.cmd.ExtraFiles = files
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		c.signal(syscall.SIGKILL)
		<-c.done
	})
	return c
}

// signal sends a signal to all processes of the script, if any is left.
func (c *child) signal(sig syscall.Signal) {
	select {
	case <-c.done:
	default:
		syscall.Kill(-c.cmd.Process.Pid, sig)
	}
}

// wait returns what the script printed and how it ended. The test fails when
// that takes longer than limit.
func (c *child) wait(limit time.Duration) (string, error) {
	c.t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		stack := exec.Command("sh", "-c", "for p in $(pgrep -g $0); do echo $p $(cat /proc/$p/comm /proc/$p/wchan); done", strconv.Itoa(c.cmd.Process.Pid))
		where, _ := stack.CombinedOutput()
		c.t.Fatalf("still running after %v: %s", limit, where)
	}
	return strings.TrimRight(c.out.String(), "\n"), c.err
}

// outage are the words of EIO, ETIMEDOUT and EHOSTUNREACH.
var outage = regexp.MustCompile(`Input/output error|Connection timed out|No route to host|Errno (5|110|113)\]`)

// otherwise are words that no outage may be told in.
var otherwise = regexp.MustCompile(`No such file|not permitted|denied|Stale|not empty|File exists|Interrupted|Errno (2|1|13|116|39|17|4)\]`)

// wantOutage says that a program must have failed for the outage's sake.
func wantOutage(t *testing.T, out string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("succeeded without a server: %s", out)
	} else if !outage.MatchString(out) || otherwise.MatchString(out) {
		t.Errorf("an outage is told as %q (%v)", out, err)
	}
}

// eventually waits until f returns nil, for at most limit.
func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: after %v: %v", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond) // another process changes it and tells nobody
	}
}

// reached waits until a server has stopped where it was told to.
func reached(t *testing.T, h *ftptest.Hold) {
	t.Helper()
	select {
	case <-h.Reached():
	case <-time.After(20 * time.Second):
		t.Fatal("the server never came to the point where it was to stop")
	}
}
