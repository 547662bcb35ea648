package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A turn is one run of a workload by one contestant. Its methods end the turn when something
// goes wrong, as those of testing.T end a test.
type turn struct {
	ctx     context.Context
	site    *site
	who     *contestant
	program string // file of the contestant
	scratch string // directory for the turn's files on this side
	name    string // of the turn's directory on the server
	local   string // that directory on the server's disk
	trace   string // file for the log of commands; "" = not wanted

	mount *mounted
	dir   string // the turn's directory in the mount

	sample
	commands tally
	last     []func()  // what has to be done at the end
	stopped  time.Time // when arrive saw what timed waits for; zero = it was not called
	err      error
}

// sample is what one turn has measured.
type sample struct {
	took time.Duration
	cpu  time.Duration // of the mount program, while the clock ran
	peak int64         // bytes of memory of the mount program until the clock stopped
}

// play runs the workload's function and returns its error.
func (t *turn) play(f func(*turn)) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.end()
		f(t)
		t.unmount()
	}()
	<-done
	if t.err != nil && errors.Is(t.ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("not done in time: %w", t.err)
	}
	return t.err
}

// fail ends the turn.
func (t *turn) fail(format string, args ...any) {
	t.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}

func (t *turn) must(err error) {
	if err != nil {
		t.fail("%w", err)
	}
}

// mountNow mounts the server afresh, with an empty cache.
func (t *turn) mountNow() {
	j := mountJob{server: t.site.server, local: t.local, dir: filepath.Join(t.scratch, "mnt"), cache: filepath.Join(t.scratch, "cache"), trace: t.trace}
	t.must(os.Mkdir(j.dir, 0o755))
	t.must(os.Mkdir(j.cache, 0o700))
	m, err := startMount(t.ctx, t.site, t.program, filepath.Join(t.scratch, "output"), j, t.who.mount(j))
	t.must(err)
	t.mount, t.dir = m, filepath.Join(j.dir, t.name)
	if t.who.name == ceiling { // it serves nothing but the turn's directory, and is its own server
		t.dir, t.local = j.dir, j.dir
	}
	stop := context.AfterFunc(t.ctx, m.kill) // frees whoever hangs in it
	t.atEnd(func() { stop() })
}

// warm mounts and makes the mount's first use, so that connections stand.
func (t *turn) warm() {
	t.mountNow()
	t.shell("ls .. >/dev/null")
	t.settle()
}

// settle waits until what a contestant does behind its programs' backs is over.
func (t *turn) settle() { t.sleep(6 * t.site.rtt) }

func (t *turn) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
		t.fail("%w", t.ctx.Err())
	}
}

func (t *turn) unmount() {
	if t.mount == nil {
		return
	}
	m := t.mount
	t.mount = nil
	t.must(m.unmount())
}

// atEnd makes the turn call f when it ends, however it does.
func (t *turn) atEnd(f func()) { t.last = append(t.last, f) }

// end takes away what the turn has left.
func (t *turn) end() {
	if t.mount != nil {
		if words := t.mount.lastWords(); t.err != nil && words != "" {
			t.err = fmt.Errorf("%w; it said: %s", t.err, words)
		}
		t.mount.kill()
	}
	for _, f := range t.last {
		f()
	}
}

// timed lets the clock run while f does.
func (t *turn) timed(f func()) {
	if t.site.lab == nil {
		t.must(takeMemory(t.scratch))
	}
	var before usage
	if t.mount != nil {
		before = t.mount.used()
	}
	logged := logSize(t.trace)
	t.stopped = time.Time{}
	start := time.Now()
	f()
	if t.stopped.IsZero() {
		t.stopped = time.Now()
	}
	t.took += t.stopped.Sub(start)
	if t.mount != nil {
		after := t.mount.used()
		t.cpu += after.cpu - before.cpu
		t.peak = after.peak
	}
	if t.trace != "" {
		t.must(t.commands.count(t.trace, logged))
	}
}

// shell runs a script in the turn's directory, or in the scratch directory of a bare client,
// and returns what it prints.
func (t *turn) shell(script string) string {
	cmd := exec.CommandContext(t.ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", script)
	cmd.Dir = t.scratch
	if t.dir != "" {
		cmd.Dir = t.dir
	}
	return t.output(cmd, cmd.Start)
}

// output runs a command and returns what it prints.
func (t *turn) output(cmd *exec.Cmd, start func() error) string {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Env = append(environment(), cmd.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	t.must(start())
	if err := cmd.Wait(); err != nil {
		t.fail("%s: %w: %s", filepath.Base(cmd.Path), err, firstLine(said.String()))
	}
	return out.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// environment is that of all programs: their words and settings are the same everywhere.
func environment() []string {
	return append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
}

// behind starts a script in the turn's directory and returns a function that waits for it.
func (t *turn) behind(script string) (wait func()) {
	cmd := exec.CommandContext(t.ctx, "bash", "-u", "-c", script)
	cmd.Dir = t.dir
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	t.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.atEnd(func() { kill() })
	return func() { t.must(<-ended) }
}
