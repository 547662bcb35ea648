package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ftpfs/ftpfs"
)

// host is what a mount needs of this machine.
type host struct {
	uid       int
	lookPath  func(string) (string, error)
	device    string // /dev/fuse
	mountInfo string // /proc/self/mountinfo
	fuseConf  string // /etc/fuse.conf
	stat      func(string) (fs.FileInfo, error)
	access    func(path string, mode uint32) error // access(2)
	detach    func(dir string) error               // takes a mount out of the tree
}

func thisHost() host {
	return host{
		uid:       os.Getuid(),
		lookPath:  exec.LookPath,
		device:    "/dev/fuse",
		mountInfo: "/proc/self/mountinfo",
		fuseConf:  "/etc/fuse.conf",
		stat:      os.Stat,
		access:    unix.Access,
		detach:    ftpfs.UnmountLazy,
	}
}

// checkFuse makes sure that FUSE is there.
func (h host) checkFuse(allowOther bool) error {
	if _, err := h.lookPath("fusermount3"); err != nil {
		return fail(exitMountPoint, "The program fusermount3 is missing: install the package fuse3 (apt install fuse3, dnf install fuse3 or apk add fuse3).")
	}
	if _, err := h.stat(h.device); err != nil {
		return fail(exitMountPoint, "There is no %s: load the module by modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN.", h.device)
	}
	if h.uid != 0 && h.access(h.device, unix.R_OK|unix.W_OK) != nil {
		return fail(exitMountPoint, "You may not open %s: let root run chmod 666 %s.", h.device, h.device)
	}
	if allowOther && h.uid != 0 && !h.userAllowOther() {
		return fail(exitMountPoint, "Only root may use --allow-other here: add the line user_allow_other to %s, or leave the flag out.", h.fuseConf)
	}
	return nil
}

func (h host) userAllowOther() bool {
	data, err := os.ReadFile(h.fuseConf)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}

// checkMountPoint returns the real path of dir if it can be mounted on. A mount whose
// process has died is detached first.
func (h host) checkMountPoint(dir string) (string, error) {
	if dir == "" {
		return "", fail(exitMountPoint, "The mount point is empty: name a directory, or write . for the current one.")
	}
	name, err := h.resolve(dir)
	if err != nil {
		return "", fail(exitMountPoint, "The mount point %s cannot be found: %w.", dir, err)
	}
	info, err := h.stat(name)
	if errors.Is(err, unix.ENOTCONN) {
		if err := h.detach(name); err != nil {
			return "", fail(exitMountPoint, "A mount whose process has died is still on %s and cannot be removed: %w. Try: fusermount3 -uz %s", dir, err, dir)
		}
		info, err = h.stat(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fail(exitMountPoint, "The mount point %s does not exist: create it by mkdir %s.", dir, dir)
	case err != nil:
		return "", fail(exitMountPoint, "The mount point %s cannot be used: %w.", dir, err)
	case !info.IsDir():
		return "", fail(exitMountPoint, "The mount point %s is not a directory: name one.", dir)
	}
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return "", fail(exitMountPoint, "The mount point %s cannot be used: %w.", dir, err)
	}
	switch name {
	case "/", "/proc", "/sys", "/dev":
		return "", fail(exitMountPoint, "The system needs what is in %s: choose another directory, as in mkdir ~/mnt.", name)
	}
	switch m := h.mounted(name); {
	case m.ours():
		return "", fail(exitMountPoint, "%s is already mounted on %s: unmount it by ftpfs umount %s, or choose another directory.", m.source, dir, dir)
	case m.fuse():
		return "", fail(exitMountPoint, "%s is already mounted on %s: choose another directory.", m.source, dir)
	}
	if h.uid != 0 && h.access(name, unix.W_OK) != nil {
		return "", fail(exitMountPoint, "You may not mount on %s, since you may not write there: choose a directory of your own.", dir)
	}
	return name, nil
}

// absolute resolves all but the last element, which may be a dead mount.
func absolute(dir string) (string, error) {
	name, err := filepath.Abs(dir)
	if err != nil || name == "/" {
		return name, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return name, nil // stat tells more about it
	}
	return filepath.Join(parent, filepath.Base(name)), nil
}

// resolve is absolute, and follows the last element as well when it is a symbolic link.
// What is mounted is never asked, since it may be dead.
func (h host) resolve(dir string) (string, error) {
	const links = 40 // as many as the kernel follows
	name, err := absolute(dir)
	for i := 0; err == nil && i < links && h.mounted(name) == (mountEntry{}); i++ {
		next, linkErr := os.Readlink(name)
		if linkErr != nil {
			break
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(name), next)
		}
		name, err = absolute(next)
	}
	return name, err
}
