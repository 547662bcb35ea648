package main

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/netlab"
)

// A mount that slept, and whose sessions have ended meanwhile, goes on as if nothing had been.
func TestSuspended(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := server.Fs().MkdirAll("/sub/d", 0o755); err != nil {
		t.Fatal(err)
	}
	dir := testMount(t, server, "--dir-cache-ttl", "1ms")
	daemon := daemonOf(t, dir)
	for i := range 3 {
		shell(t, dir, "ls d")
		if err := syscall.Kill(daemon, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		server.Say("421 Timeout.")
		server.DropAll()
		server.Log().Reset()
		work := exec.CommandContext(t.Context(), "/bin/sh", "-ec", fmt.Sprintf(`cd "$0"; ls d; mkdir d/n%[1]d; echo new >d/n%[1]d/f; mv d/n%[1]d/f d/f%[1]d; cat d/f%[1]d; rmdir d/n%[1]d`, i), dir)
		var out strings.Builder
		work.Stdout, work.Stderr = &out, &out
		err := work.Start()
		if err == nil {
			syscall.Kill(daemon, syscall.SIGCONT)
			err = work.Wait()
		}
		if err != nil {
			t.Errorf("%v: %s", err, out.String())
		}
		if commands := strings.Join(server.Log().Commands(), "\n"); strings.Count(commands, "MKD ") != 1 || strings.Count(commands, "RMD ") != 1 {
			t.Errorf("%s", commands)
		}
	}
	if got := shell(t, dir, "ls d"); got != "f0\nf1\nf2\n" {
		t.Errorf("%q", got)
	}
}

// A client that gets another address hears no more on the connections that it has: what asks is
// asked again over new ones.
func TestClientGetsAnotherAddress(t *testing.T) {
	lab, err := netlab.New(netlab.Link{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	var s *ftptest.Server
	lab.Server.Do(func() error {
		s = ftptest.Real(t, "proftpd", ftptest.RealOptions{Addr: lab.Server.Addr})
		return nil
	})
	dir := t.TempDir()
	if out, errs, code := inLab(t, lab, "--cache-dir", t.TempDir(), "--timeout", "2s", "--dir-cache-ttl", "1ms", "ftp://user@"+s.Addr+"/", dir); code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	t.Cleanup(func() { endMount(t, dir) })
	shell(t, dir, "mkdir d; echo old >d/old; cat d/old")
	err = lab.Client.Do(func() error {
		device, err := netlink.LinkByName("lab0")
		if err != nil {
			return err
		}
		old := net.IPNet{IP: lab.Client.Addr.AsSlice(), Mask: net.CIDRMask(24, 32)}
		if err := netlink.AddrDel(device, &netlink.Addr{IPNet: &old}); err != nil {
			return err
		}
		other := net.IPNet{IP: lab.Client.Addr.Next().AsSlice(), Mask: old.Mask}
		return netlink.AddrAdd(device, &netlink.Addr{IPNet: &other})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := shell(t, dir, "ls d; mkdir e; echo new >e/new; cat e/new"); got != "old\nnew\n" {
		t.Errorf("%q", got)
	}
}
