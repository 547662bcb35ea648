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

	"github.com/spf13/afero"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ftpfs/internal/ftptest"
)

// A bare Debian is unpacked once, and kept beside what is built. What happens in it happens in
// this program started again, as the first process of namespaces of its own: with no network
// but its loopback, and a tree of mounts in which the rest of this machine is not.

// cleanRoot tells the program which directory to make its root; the action is its argument.
const cleanRoot = "PACKAGES_CLEAN_ROOT"

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
	actions := map[string]func() error{"finish": finish, "fstab": fstab}
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
		"random": unix.Mkdev(1, 8), "urandom": unix.Mkdev(1, 9), "fuse": unix.Mkdev(10, 229)} {
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
	kept, err := filepath.Abs(filepath.Join(root, "bin", "debian-"+suite+".tar"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := os.Stat(kept); err == nil {
		command(t, "", nil, "tar", "-xf", kept, "-C", dir)
		return dir
	}
	command(t, "", nil, "debootstrap", "--foreign", "--variant=minbase", "--include=fuse3,mount", suite, dir)
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

// Who has only the package mounts by a line in fstab, upgrades under a mount, and gets rid of it.
func TestCleanRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("be root: packages are installed in a bare Debian")
	}
	dir := bare(t)
	for _, version := range []string{"1.0", "1.1"} {
		deb := only(t, dist(t, root, version), ".deb")
		command(t, "", nil, "cp", deb, filepath.Join(dir, "root", version+".deb"))
	}
	inside(t, dir, "fstab")
}

func fstab() error {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/pub/hello", []byte("from the server\n"), 0o644); err != nil {
		return err
	}
	server, err := ftptest.New(ftptest.Options{Fs: files})
	if err != nil {
		return err
	}
	defer server.Close()
	url := "ftp://user@" + server.Addr() + "/pub "
	lines := url + "/srv/ftp fuse.ftpfs _netdev,nofail,allow_other,password_file=/etc/ftpfs/password 0 0\n" +
		url + "/srv/late ftpfs noauto,delay_connect,password_file=/etc/ftpfs/password 0 0\n"
	if err := os.WriteFile("/etc/fstab", []byte(lines), 0o644); err != nil {
		return err
	}
	if err := steps([]step{
		{"dpkg -i /root/1.0.deb", whatever},
		{"ftpfs --version", "ftpfs version 1.0\n"},
		{"ls /sbin/mount.ftpfs /sbin/mount.fuse.ftpfs", "/sbin/mount.ftpfs\n/sbin/mount.fuse.ftpfs\n"},
		{"mkdir /srv/ftp /srv/late; umask 077; echo secret >/etc/ftpfs/password", ""},
		{"mount /srv/ftp", ""},
		{"findmnt -no FSTYPE /srv/ftp", "fuse.ftpfs\n"},
		{"cat /srv/ftp/hello", "from the server\n"},
		{"echo from here >/srv/ftp/new; cat /srv/ftp/new", "from here\n"},
		{"dpkg -i /root/1.1.deb", whatever},
		{"ftpfs --version", "ftpfs version 1.1\n"},
		{"cat /srv/ftp/hello", "from the server\n"}, // by the mount that 1.0 made
		{"ftpfs umount /srv/ftp", ""},
		{"mount -a; cat /srv/ftp/new", "from here\n"},
		{"umount /srv/ftp; ls /srv/ftp", ""},
	}); err != nil {
		return err
	}
	// Mounted at boot, before there is a network.
	if err := loopback(netlink.LinkSetDown); err != nil {
		return err
	}
	if err := steps([]step{{"mount /srv/late; findmnt -no FSTYPE /srv/late", "fuse.ftpfs\n"}}); err != nil {
		return err
	}
	if err := loopback(netlink.LinkSetUp); err != nil {
		return err
	}
	if err := steps([]step{
		{"cat /srv/late/hello; umount /srv/late", "from the server\n"},
		{"dpkg -r ftpfs", whatever},
		{"cat /etc/ftpfs/password", "secret\n"}, // the administrator's own stays
		{"! command -v ftpfs; ls /sbin/mount.ftpfs /usr/share/doc/ftpfs 2>/dev/null || :", ""},
	}); err != nil {
		return err
	}
	if data, err := afero.ReadFile(files, "/pub/new"); err != nil || string(data) != "from here\n" {
		return fmt.Errorf("the server has %q, %w", data, err)
	}
	return nil
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
