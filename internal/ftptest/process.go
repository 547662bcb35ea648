package ftptest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// process is a server program with all the sessions it has forked, in a PID namespace of its
// own: the kernel kills and reaps them all when its first process dies, whatever sessions and
// groups they have made for themselves.
type process struct {
	cmd      *exec.Cmd
	done     chan struct{} // closed when cmd has been waited for
	watchdog *exec.Cmd
	lifeline io.Closer // the watchdog acts when this end of its pipe closes
}

// startProcess starts argv with its output going to the file output and its
// clock in the zone. A watchdog kills it when
// the test process dies: Pdeathsig is forgotten by a server that changes its user.
func startProcess(argv []string, output, zone string) (*process, error) {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// The first process inherits orphans, and vsftpd crashes on children that it does not know.
	argv = append([]string{"/bin/sh", "-c", `"$@"; exit`, "ftptest-init"}, argv...)
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=" + zone}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWPID}
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
	w := exec.Command("/bin/sh", "-c", `read -r _; kill -KILL "$1"`, "ftptest-watchdog", strconv.Itoa(p.pid()))
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

// children returns the processes that pid has started and that have not been waited for.
func children(pid int) (all []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid)) // who is gone has none
	for _, field := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			all = append(all, child)
		}
	}
	return all
}

// kill sends SIGKILL to the server and waits until it and its sessions are gone.
func (p *process) kill() {
	if p.watchdog != nil {
		p.watchdog.Process.Kill()
		p.watchdog.Wait()
		p.lifeline.Close()
		p.watchdog = nil
	}
	p.cmd.Process.Kill()
	<-p.done
}
