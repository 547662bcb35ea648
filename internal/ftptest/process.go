package ftptest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server program with all the children it has, in a session of its own.
type process struct {
	cmd      *exec.Cmd
	done     chan struct{} // closed when cmd has been waited for
	watchdog *exec.Cmd
	lifeline io.Closer // the watchdog acts when this end of its pipe closes
}

// startProcess starts argv with its output going to the file output. A watchdog kills the
// whole session if this process dies first: Pdeathsig would not do, as it is forgotten when
// a server changes its user and never reaches the server's children.
func startProcess(argv []string, output string) (*process, error) {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait() // how a server ends that is killed says nothing
		close(p.done)
	}()
	if err := p.startWatchdog(); err != nil {
		p.kill()
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	return p, nil
}

func (p *process) startWatchdog() error {
	const script = `read -r _; for p in $(ps -o pid= -s "$1"); do kill -KILL "$p"; done 2>/dev/null`
	w := exec.Command("/bin/sh", "-c", script, "ftptest-watchdog", strconv.Itoa(p.cmd.Process.Pid))
	w.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	lifeline, err := w.StdinPipe()
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	p.watchdog, p.lifeline = w, lifeline
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill sends SIGKILL to the server and its children and waits until all are gone.
func (p *process) kill() {
	if p.watchdog != nil {
		p.watchdog.Process.Kill()
		p.watchdog.Wait()
		p.lifeline.Close()
		p.watchdog = nil
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		left := p.signalSession(syscall.SIGKILL)
		<-p.done
		if left == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// signalSession signals every live process of the server's session and returns their number.
// The session and not the process group: proftpd gives itself a group of its own.
func (p *process) signalSession(sig syscall.Signal) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !inSession(pid, p.pid()) {
			continue
		}
		if err := syscall.Kill(pid, sig); !errors.Is(err, syscall.ESRCH) {
			n++
		}
	}
	return n
}

// inSession reports whether pid is alive (no zombie) and belongs to the session.
func inSession(pid, session int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// pid (comm) state ppid pgrp session …; comm may hold anything, so count from its end.
	_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	return ok && len(fields) > 3 && fields[0] != "Z" && fields[0] != "X" && fields[3] == strconv.Itoa(session)
}
