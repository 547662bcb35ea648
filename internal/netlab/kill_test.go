package netlab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdLab makes a lab with a program on each side, prints where these are and waits to be killed.
func holdLab([]string) error {
	lab, err := NewRouted(Link{RTT: time.Second})
	if err != nil {
		return err
	}
	for _, side := range []*Side{lab.Server, lab.Router, lab.Client} {
		cmd := side.Command(context.Background(), "sh", "-c", "readlink /proc/self/ns/net; exec sleep 1000")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	select {}
}

// A lab whose program is killed leaves nothing: no process is in its namespaces, and none holds them or
// their devices.
func TestKilledProgramLeavesNothing(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=hold")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var namespaces []string
	for lines := bufio.NewScanner(out); len(namespaces) < 3 && lines.Scan(); {
		namespaces = append(namespaces, lines.Text())
	}
	if len(namespaces) != 3 {
		t.Fatalf("the lab has the namespaces %q", namespaces)
	}
	children := descendants(t, cmd.Process.Pid)
	if len(holders(t, namespaces)) < 4 || len(children) < 3 {
		t.Fatalf("before the kill there are the processes %v and in the namespaces %v", children, holders(t, namespaces))
	}
	cmd.Process.Kill()
	io.Copy(io.Discard, out)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		holding := holders(t, namespaces)
		alive := slices.DeleteFunc(slices.Clone(children), func(pid string) bool {
			_, err := os.Stat("/proc/" + pid + "/fd/0")
			return err != nil
		})
		if len(holding) == 0 && len(alive) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left are the processes %v, and in the namespaces %v", alive, holding)
		}
	}
}

// holders gives the processes that are in one of the network namespaces or have it open.
func holders(t *testing.T, namespaces []string) (pids []string) {
	t.Helper()
	for _, pattern := range []string{"/proc/[0-9]*/task/[0-9]*/ns/net", "/proc/[0-9]*/fd/[0-9]*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if to, err := os.Readlink(name); err == nil && slices.Contains(namespaces, to) {
				pids = append(pids, strings.Split(name, "/")[2])
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// descendants gives the children of a process.
func descendants(t *testing.T, pid int) (pids []string) {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		list, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(list))...)
	}
	return pids
}
