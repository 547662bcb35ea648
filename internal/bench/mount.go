package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mountTime   = 30 * time.Second
	unmountTime = 30 * time.Second
	glance      = time.Millisecond // between two looks at something that tells nobody
)

// mounted is a mount program at work.
type mounted struct {
	dir    string
	output string // file with what the program printed
	cmd    *exec.Cmd
	done   chan struct{} // closed when the program has ended
}

// startMount starts the program and returns when the mount is there.
func startMount(ctx context.Context, s *site, program, output string, j mountJob, by mountBy) (*mounted, error) {
	out, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	m := &mounted{dir: j.dir, output: output, cmd: exec.Command(program, by.args...), done: make(chan struct{})}
	m.cmd.Env = append(environment(), by.env...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.start(m.cmd); err != nil {
		return nil, err
	}
	go func() {
		m.cmd.Wait() // what it says is in its output
		close(m.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, mountTime)
	defer cancel()
	if err := m.waitMounted(ctx); err != nil {
		m.kill()
		return nil, err
	}
	return m, nil
}

func (m *mounted) waitMounted(ctx context.Context) error {
	for {
		there, err := isMounted(m.dir)
		if there || err != nil {
			return err
		}
		select {
		case <-m.done:
			return fmt.Errorf("no mount: %s", m.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("no mount within %v: %s", mountTime, m.lastWords())
		case <-time.After(glance):
		}
	}
}

// isMounted asks the kernel's table: the mount itself might hang.
func isMounted(dir string) (bool, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(table), " "+dir+" "), err
}

// lastWords is the last line that the program printed.
func (m *mounted) lastWords() string {
	text, err := os.ReadFile(m.output)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// unmount ends the mount and waits for its program, which may still have to upload.
func (m *mounted) unmount() error {
	deadline := time.Now().Add(unmountTime)
	for {
		err := unix.Unmount(m.dir, 0)
		if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it has gone by itself
			break
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			m.kill()
			return fmt.Errorf("unmount: %w", err)
		}
		time.Sleep(10 * glance)
	}
	select {
	case <-m.done:
		return nil
	case <-time.After(time.Until(deadline)):
		m.kill()
		return fmt.Errorf("the program did not end within %v after the unmount", unmountTime)
	}
}

// kill ends the program and the mount whatever they do. Who waits for the mount gets an error.
func (m *mounted) kill() {
	syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
	unix.Unmount(m.dir, unix.MNT_DETACH)
	<-m.done
}

// usage is what the program has used so far.
type usage struct {
	cpu  time.Duration
	peak int64 // bytes, of its memory
}

// used asks the kernel. Programs that have ended have used nothing.
func (m *mounted) used() usage {
	var u usage
	proc := fmt.Sprintf("/proc/%d/", m.cmd.Process.Pid)
	if stat, err := os.ReadFile(proc + "stat"); err == nil {
		u.cpu = parseCPU(string(stat))
	}
	if status, err := os.ReadFile(proc + "status"); err == nil {
		u.peak = parsePeak(string(status))
	}
	return u
}

// parseCPU reads user and system time from /proc/PID/stat, see proc(5).
func parseCPU(stat string) time.Duration {
	const tick = time.Second / 100                                      // USER_HZ is the same on all machines that Go knows
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // the name before may hold anything
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * tick
}

// parsePeak reads VmHWM from /proc/PID/status.
func parsePeak(status string) int64 {
	for line := range strings.Lines(status) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
