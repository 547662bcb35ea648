package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// testHost is a machine where everything is as it should be, seen by a user.
func testHost(t *testing.T) host {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	return host{
		uid:       1000,
		lookPath:  func(name string) (string, error) { return "/usr/bin/" + name, nil },
		device:    write("fuse", ""),
		mountInfo: write("mountinfo", ""),
		fuseConf:  write("fuse.conf", "# user_allow_other\n"),
		stat:      os.Stat,
		access:    func(string, uint32) error { return nil },
		detach:    func(string) error { return errors.New("detached what is no mount") },
	}
}

func TestCheckFuse(t *testing.T) {
	tests := []struct {
		title string
		spoil func(*host)
		other bool
		want  string
	}{
		{"all well", func(*host) {}, false, ""},
		{"no fusermount3", func(h *host) { h.lookPath = func(string) (string, error) { return "", errors.New("not found") } }, false,
			"The program fusermount3 is missing: install the package fuse3 (apt install fuse3, dnf install fuse3 or apk add fuse3)."},
		{"no device", func(h *host) { h.device = "/nonexistent/fuse" }, false,
			"There is no /nonexistent/fuse: load the module by modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN."},
		{"closed device", func(h *host) { h.access = func(string, uint32) error { return unix.EACCES }; h.device = "/" }, false,
			"You may not open /: let root run chmod 666 /."},
		{"closed device, root", func(h *host) { h.access = func(string, uint32) error { return unix.EACCES }; h.uid = 0 }, false, ""},
		{"allow other", func(h *host) { h.fuseConf = "/nonexistent" }, true,
			"Only root may use --allow-other here: add the line user_allow_other to /nonexistent, or leave the flag out."},
		{"allow other, root", func(h *host) { h.uid = 0 }, true, ""},
	}
	for _, tt := range tests {
		h := testHost(t)
		tt.spoil(&h)
		expect(t, tt.title, h.checkFuse(tt.other), exitMountPoint, tt.want)
	}
	h := testHost(t)
	if err := h.checkFuse(true); err == nil {
		t.Error("a comment allows other users")
	}
	if err := os.WriteFile(h.fuseConf, []byte("x\n user_allow_other \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, "allowed", h.checkFuse(true), 0, "")
}

// expect compares an error with the exit code and text it should have; "" is none.
func expect(t *testing.T, title string, err error, code int, want string) {
	t.Helper()
	switch {
	case want == "" && err == nil:
	case want == "" || err == nil || err.Error() != want || exitCode(err) != code:
		t.Errorf("%s\ngot  %d %v\nwant %d %s", title, exitCode(err), err, code, want)
	}
}

func TestCheckMountPoint(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"good", "with space"} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("good", "link"), os.Symlink("/dev", "to dev"), os.Symlink("loop", "loop"), os.WriteFile("file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	taken := "36 35 0:50 / " + dir + "/with\\040space rw - fuse.ftpfs ftp://host/ rw\n" +
		"37 35 0:51 / " + dir + "/good rw shared:1 - ext4 /dev/sda1 rw\n"
	tests := []struct {
		dir    string
		change func(*host)
		want   string
	}{
		{"good", func(*host) {}, ""},
		{"link", func(*host) {}, ""},
		{"good/../good/", func(*host) {}, ""},
		{"", func(*host) {}, "The mount point is empty: name a directory, or write . for the current one."},
		{"/", func(*host) {}, "The system needs what is in /: choose another directory, as in mkdir ~/mnt."},
		{"/proc/", func(*host) {}, "The system needs what is in /proc: choose another directory, as in mkdir ~/mnt."},
		{"to dev", func(*host) {}, "The system needs what is in /dev: choose another directory, as in mkdir ~/mnt."},
		{"loop", func(*host) {}, "The mount point loop cannot be used: stat " + dir + "/loop: too many levels of symbolic links."},
		{"missing", func(*host) {}, "The mount point missing does not exist: create it by mkdir missing."},
		{"missing/below", func(*host) {}, "The mount point missing/below does not exist: create it by mkdir missing/below."},
		{"file", func(*host) {}, "The mount point file is not a directory: name one."},
		{"good", func(h *host) { h.access = func(string, uint32) error { return unix.EACCES } },
			"You may not mount on good, since you may not write there: choose a directory of your own."},
		{"good", func(h *host) { h.stat = func(string) (fs.FileInfo, error) { return nil, unix.EIO } },
			"The mount point good cannot be used: input/output error."},
		{"with space", func(h *host) { os.WriteFile(h.mountInfo, []byte(taken), 0o600) },
			"ftp://host/ is already mounted on with space: unmount it by ftpfs umount with space, or choose another directory."},
		{"with space", func(h *host) {
			os.WriteFile(h.mountInfo, []byte(strings.ReplaceAll(taken, "fuse.ftpfs ftp://host/", "fuse.sshfs host:")), 0o600)
		}, "host: is already mounted on with space: choose another directory."},
		{"good", func(h *host) { os.WriteFile(h.mountInfo, []byte(taken), 0o600) }, ""}, // a disk is no obstacle
		{"good", func(h *host) { h.stat = func(string) (fs.FileInfo, error) { return nil, unix.ENOTCONN } },
			"A mount whose process has died is still on good and cannot be removed: detached what is no mount. Try: fusermount3 -uz good"},
	}
	for _, tt := range tests {
		h := testHost(t)
		tt.change(&h)
		name, err := h.checkMountPoint(tt.dir)
		expect(t, tt.dir, err, exitMountPoint, tt.want)
		if err == nil && name != filepath.Join(dir, "good") {
			t.Errorf("%s is %s", tt.dir, name)
		}
	}
}

func TestDeadMountIsDetached(t *testing.T) {
	dir := t.TempDir()
	h := testHost(t)
	dead := true
	h.stat = func(name string) (fs.FileInfo, error) {
		if dead {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: unix.ENOTCONN}
		}
		return os.Stat(name)
	}
	h.detach = func(name string) error {
		if name != dir {
			t.Errorf("detached %s", name)
		}
		dead = false
		return nil
	}
	if name, err := h.checkMountPoint(dir); err != nil || name != dir || dead {
		t.Errorf("%s, %v, dead %v", name, err, dead)
	}
}

func TestUnmount(t *testing.T) {
	dir := t.TempDir()
	busy := func(string) error { return errors.New("Device or resource busy") }
	works := func(string) error { return nil }
	tests := []struct {
		title          string
		mounted, force bool
		unmount        func(string) error
		detach         func(string) error
		want           string
	}{
		{"mounted", true, false, works, nil, ""},
		{"not mounted", false, true, works, nil, "Nothing is mounted by ftpfs on " + dir + ": ftpfs list tells what is mounted."},
		{"busy", true, false, busy, nil, dir + " cannot be unmounted: Device or resource busy. End the programs that use it (fuser -vm " + dir + " lists them), or use --force."},
		{"busy, by force", true, true, busy, works, ""},
		{"stuck", true, true, busy, busy, dir + " cannot be unmounted: Device or resource busy."},
	}
	for _, tt := range tests {
		h := testHost(t)
		h.detach = tt.detach
		if tt.mounted {
			if err := os.WriteFile(h.mountInfo, []byte("36 35 0:50 / "+dir+" rw - fuse.ftpfs ftp://host/ rw\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, tt.title, h.unmount(dir, tt.force, tt.unmount, io.Discard), exitUnmount, tt.want)
	}
}

func TestUnmountOnlyWhatIsOurs(t *testing.T) {
	dir := t.TempDir()
	fails := func(string) error { t.Error("unmounted"); return nil }
	ours := "36 35 0:50 / " + dir + " rw - fuse.ftpfs ftp://host/ rw\n"
	for _, kind := range []string{"fusectl", "fuse.sshfs", "fuse", "ext4"} {
		h := testHost(t)
		// On top of a mount of ours, which is out of reach.
		if err := os.WriteFile(h.mountInfo, []byte(ours+"37 36 0:51 / "+dir+" rw - "+kind+" source rw\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, kind, h.unmount(dir, true, fails, io.Discard), exitUnmount,
			"What is mounted on "+dir+" is of the type "+kind+" and not of ftpfs: unmount it by umount "+dir+".")
	}
	expect(t, "empty", testHost(t).unmount("", true, fails, io.Discard), exitUnmount,
		"The mount point is empty: name a directory, or write . for the current one.")
}

// A link to a mount stands for it; the mount itself is not touched.
func TestUnmountByLink(t *testing.T) {
	dir := t.TempDir()
	h := testHost(t)
	mount := filepath.Join(dir, "mount")
	if err := errors.Join(os.Symlink("second", filepath.Join(dir, "first")), os.Symlink(mount, filepath.Join(dir, "second")),
		os.WriteFile(h.mountInfo, []byte("36 35 0:50 / "+mount+" rw - fuse.ftpfs ftp://host/ rw\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	got := ""
	if err := h.unmount(filepath.Join(dir, "first"), false, func(name string) error { got = name; return nil }, io.Discard); err != nil || got != mount {
		t.Errorf("unmounted %q, %v", got, err)
	}
}
