//go:build packages

package packaging

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A bare Debian is unpacked once, and kept beside what is built. What happens in it happens in
// this program started again, as the first process of namespaces of its own: with no network
// but its loopback, and a tree of mounts in which the rest of this machine is not.

// cleanRoot tells the program which directory to make its root; the action is its argument.
const cleanRoot = "PACKAGES_CLEAN_ROOT"

// actions are what can be done in the tree.
var actions = map[string]func() error{"finish": finish, "fstab": fstab, "boot": boot, "autofs": autofs, "units": units, "remove": remove, "image": image}

// What the tree has besides what each Debian has: fuse3, on which the package depends, mount,
// and what the package works with without needing it.
const extras = "fuse3,mount,man-db,autofs,systemd"

// inside runs an action in the tree at dir, and fails the test if the action fails.
func inside(t *testing.T, dir, action string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", action)
	cmd.Env = []string{cleanRoot + "=" + dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", action, err, out)
	}
	t.Logf("%s", out)
}

func TestMain(m *testing.M) {
	if os.Getenv(cleanRoot) != "" {
		os.Exit(insideMain())
	}
	os.Exit(m.Run())
}

// insideMain is the main function of the first process in the clean root.
func insideMain() int {
	err := enter(os.Getenv(cleanRoot))
	if err == nil {
		err = actions[os.Args[1]]()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// enter makes dir the root, with the few devices that there have to be, and lets go of all
// other mounts at once: as long as we hold them, they cannot end elsewhere.
func enter(dir string) error {
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount(dir, dir, "", unix.MS_BIND, "") },
		func() error { return os.Chdir(dir) },
		func() error { return unix.PivotRoot(".", ".") }, // the old root is then above the new one
		func() error { return unix.Unmount(".", unix.MNT_DETACH) },
		func() error { return os.Chdir("/") },
		func() error { return fresh("/proc", "proc", "") },
		func() error { return fresh("/dev", "tmpfs", "mode=0755") },
		func() error { return fresh("/tmp", "tmpfs", "mode=1777") },
		func() error { return fresh("/run", "tmpfs", "mode=0755") },
		func() error { return loopback(netlink.LinkSetUp) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("entering %s: %w", dir, err)
		}
	}
	if err := os.Symlink("/proc/self/fd", "/dev/fd"); err != nil {
		return err
	}
	for name, number := range map[string]uint64{"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5),
		"random": unix.Mkdev(1, 8), "urandom": unix.Mkdev(1, 9), "fuse": unix.Mkdev(10, 229), "autofs": unix.Mkdev(10, 235)} {
		if err := unix.Mknod("/dev/"+name, unix.S_IFCHR|0o666, int(number)); err != nil {
			return err
		}
		if err := os.Chmod("/dev/"+name, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// fresh mounts a new file system on a directory, which it makes.
func fresh(dir, kind, options string) error {
	os.Remove(dir) // debootstrap makes /proc a link where it takes this machine for a container
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// loopback sets the only network up or down.
func loopback(set func(netlink.Link) error) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return set(lo)
}

// shell runs a command, prints it with what it prints, and returns that.
func shell(line string) (string, error) {
	out, err := exec.Command("/bin/sh", "-euc", line).CombinedOutput()
	fmt.Printf("# %s\n%s", line, out)
	if err != nil {
		return string(out), fmt.Errorf("%s: %w", line, err)
	}
	return string(out), nil
}

// finish does what debootstrap does in the tree that it has unpacked.
func finish() error {
	_, err := shell("/debootstrap/debootstrap --second-stage")
	return err
}

// bare returns a fresh bare Debian.
func bare(t *testing.T) string {
	t.Helper()
	suite := codename(t)
	kept, err := filepath.Abs(filepath.Join(root, "bin", "debian-"+suite+"-"+strings.ReplaceAll(extras, ",", "-")+".tar"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := os.Stat(kept); err == nil {
		command(t, "", nil, "tar", "-xf", kept, "-C", dir)
		return dir
	}
	command(t, "", nil, "debootstrap", "--foreign", "--variant=minbase", "--include="+extras, suite, dir)
	inside(t, dir, "finish")
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "", nil, "tar", "-cf", kept+".part", "-C", dir, ".")
	if err := os.Rename(kept+".part", kept); err != nil {
		t.Fatal(err)
	}
	return dir
}

// codename is that of this machine's Debian.
func codename(t *testing.T) string {
	t.Helper()
	file, err := os.Open("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "VERSION_CODENAME="); ok {
			return name
		}
	}
	t.Fatal("/etc/os-release has no VERSION_CODENAME: is this a Debian?")
	return ""
}

// step is a command and what it prints.
type step struct{ line, want string }

// whatever is output that nobody looks at.
const whatever = "whatever"

func steps(list []step) error {
	for _, s := range list {
		out, err := shell(s.line)
		if err != nil {
			return err
		}
		if s.want != whatever && out != s.want {
			return fmt.Errorf("%s: %q, want %q", s.line, out, s.want)
		}
	}
	return nil
}
