package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const scratchName = "ftpfs-benchmark-"

// scratch makes a directory for the files of this run, and removes those of runs that were
// killed. The lock on the directory tells them apart; the caller keeps it open.
func scratch() (dir string, lock *os.File, err error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), scratchName+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range old {
		if lock, err := lockDir(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
	if dir, err = os.MkdirTemp("", scratchName); err != nil {
		return "", nil, err
	}
	if lock, err = lockDir(dir); err != nil {
		return "", nil, err
	}
	return dir, lock, os.Chmod(dir, 0o711) // the server's user goes through
}

// lockDir fails when another process has the lock.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
