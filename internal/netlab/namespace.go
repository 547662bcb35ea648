package netlab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ownNamespace is the network namespace of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

// newNamespace makes a network namespace that has no name and no process: it lives as long as
// the file is open or something runs in it.
func newNamespace() (*os.File, error) {
	var made *os.File
	err := elsewhere(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			if errors.Is(err, unix.EPERM) {
				return errors.New("make a network namespace: only root may, or who has called Reexec")
			}
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		made, err = os.Open(ownNamespace)
		return err
	})
	return made, err
}

// within calls f on a thread that is in the namespace.
func within(namespace *os.File, f func() error) error {
	return elsewhere(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// elsewhere calls f, which may change the network namespace of its thread, and changes it back.
func elsewhere(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(ownNamespace)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		// The thread must not go back to the scheduler, nor the caller go on, in a wrong namespace.
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("netlab: leave the network namespace: %v", err))
		}
		home.Close()
		runtime.UnlockOSThread()
	}()
	return f()
}
