package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpfs/internal/ftptest"
)

// terminal is a pseudo terminal on which a command of ours runs.
type terminal struct {
	t    *testing.T
	keys *os.File // what is typed, and from where the screen is read
	cmd  *exec.Cmd
	read chan struct{} // closed when nothing more comes to the screen

	mu     sync.Mutex
	screen strings.Builder // all that was written to it
}

// onTerminalOf runs this program with args on a terminal of 100 columns and 30 lines.
func onTerminalOf(t *testing.T, args ...string) *terminal {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ptmx.Close() })
	raw, err := ptmx.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	if controlErr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
		}
	}); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	x := &terminal{t: t, keys: ptmx, cmd: exec.CommandContext(ctx, "/proc/self/exe", args...), read: make(chan struct{})}
	x.cmd.Env = append(os.Environ(), programMark+"=1", "TERM=xterm-256color")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = tty, tty, tty
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(x.read)
		buffer := make([]byte, 4096)
		for {
			n, err := ptmx.Read(buffer)
			x.mu.Lock()
			x.screen.Write(buffer[:n])
			x.mu.Unlock()
			if err != nil { // EIO, when the last program has closed the terminal
				return
			}
		}
	}()
	return x
}

func (x *terminal) seen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

func (x *terminal) shows(parts ...string) {
	x.t.Helper()
	defer func() {
		if x.t.Failed() {
			x.t.Logf("%q", ftptest.Tail(x.seen()))
		}
	}()
	for _, part := range parts {
		eventually(x.t, part+" is shown", func() bool { return strings.Contains(x.seen(), part) })
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.keys, keys); err != nil {
		x.t.Fatal(err)
	}
}

// wait returns how the command has ended, and all that it has written.
func (x *terminal) wait() (string, error) {
	err := x.cmd.Wait()
	<-x.read
	return x.seen(), err
}
