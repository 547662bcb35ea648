package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netlink"
)

// All cells together make far more connections than a machine has ports for until the closed
// ones are forgotten. So they are tried in a network of their own, where that is at once.

const apartEnv = "FTPFS_FAULTS_APART"

// apart runs this program again in a network of its own and returns its exit code.
func apart() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), apartEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		fmt.Fprintln(os.Stderr, "a network of its own needs root:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// quickPorts makes the own network ready.
func quickPorts() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/tcp_max_tw_buckets", []byte("16"), 0)
}
