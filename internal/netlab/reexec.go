package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// reexecuted tells the program that Reexec has made its namespaces.
const reexecuted = "NETLAB_REEXECUTED"

// Reexec lets a program of an ordinary user make labs. It replaces the program by itself as root of
// new user, mount and network namespaces, made by unshare; call it first in main or TestMain. It
// returns nil when the program may go on, at once when it is root's.
//
// Such a root may mount FUSE file systems and translate addresses. But there are no other users, so
// servers that change theirs do not work; the loopback is not the machine's; and where the kernel
// has no netem, the user must be allowed to open /dev/net/tun, and has no realtime threads, so that
// packets are late when the machine is busy.
func Reexec() error {
	if os.Getenv(reexecuted) != "" {
		os.Unsetenv(reexecuted)
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("netlab: %w", err)
		}
		return nil
	}
	if os.Geteuid() == 0 {
		return nil
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return errors.New("netlab: be root, or install util-linux: unshare is not there")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	argv := append([]string{"unshare", "--user", "--map-root-user", "--mount", "--net", "--", self}, os.Args[1:]...)
	if err := syscall.Exec(unshare, argv, append(os.Environ(), reexecuted+"=1")); err != nil {
		return fmt.Errorf("netlab: start unshare: %w", err)
	}
	return nil // not reached
}
