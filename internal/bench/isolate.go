package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// isolated is in the environment of the program once it has name spaces of its own.
const isolated = "FTPFS_BENCH_ISOLATED"

// isolate starts the program again as the first process of a PID name space, with a mount
// name space of its own. Users other than root get a user name space, in which they are root,
// and a network name space besides. All mounts and processes end with it, also when it is
// killed.
//
// It returns when the program is there.
func isolate() error {
	if os.Getenv(isolated) != "" {
		return errors.Join(privatePAM(), loopbackUp())
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return errors.New("unshare is missing, which is in Debian's package util-linux: please install it")
	}
	args := []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		if err := mayIsolate(); err != nil {
			return err
		}
		args = append(args, "--user", "--map-root-user", "--map-auto", "--net")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append(append(args, "--", self), os.Args[1:]...)
	return unix.Exec(unshare, args, append(os.Environ(), isolated+"=1"))
}

// mayIsolate says what keeps a user other than root from running the benchmarks.
func mayIsolate() error {
	var lacks []string
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		lacks = append(lacks, fmt.Sprintf("/dev/fuse cannot be opened (%v)", err))
	}
	if _, err := exec.LookPath("newuidmap"); err != nil {
		lacks = append(lacks, "newuidmap is missing (package uidmap); the servers need user ids besides yours")
	}
	if lacks != nil {
		return fmt.Errorf("you are not root, and %s; run it as root", strings.Join(lacks, ", and "))
	}
	return nil
}

// privatePAM hides the machine's PAM services, among which vsftpd's is registered.
func privatePAM() error {
	if err := unix.Mount("bench", "/etc/pam.d", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount on /etc/pam.d in a mount name space of one's own: %w", err)
	}
	return nil
}

// loopbackUp makes loopback work, which it does not yet in a new network name space.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo); err != nil || lo.Uint16()&unix.IFF_UP != 0 {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
