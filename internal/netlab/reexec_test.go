package netlab

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// labOfUser calls Reexec and tries what it should allow: to mount on a directory too.
func labOfUser(args []string) error {
	if err := Reexec(); err != nil {
		return err
	}
	namespace, err := newNamespace()
	if err != nil {
		return err
	}
	defer namespace.Close()
	if err := within(namespace, prepare); err != nil {
		return err
	}
	if err := syscall.Mount("none", args[0], "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	lab, err := New(Link{})
	switch {
	case err != nil && strings.Contains(err.Error(), "chmod 666 /dev/net/tun"):
		fmt.Println("all but a TUN device")
	case err != nil:
		return err
	default:
		defer lab.Close()
		l, err := lab.Server.Listen("tcp", netip.AddrPortFrom(lab.Server.Addr, 0).String())
		if err != nil {
			return err
		}
		defer l.Close()
		conn, err := lab.Client.Dial(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Println("all")
	}
	return nil
}

// An ordinary user gets namespaces, settings, mounts and, if allowed to open /dev/net/tun, a lab.
func TestReexecForOrdinaryUser(t *testing.T) {
	if ofUser {
		t.Skip("an ordinary user runs all these tests, by Reexec, and cannot become another")
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "netlab.test")
	copyProgram(t, program)
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), roleEnv+"=user "+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "all") {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("as an ordinary user: %s", out)
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
