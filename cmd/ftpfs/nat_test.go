package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/netlab"
)

// programMark makes the test binary the program itself, in another network namespace.
const programMark = "FTPFS_TEST_PROGRAM"

// routed starts a real server behind a router, which follows the rules for nft, and returns
// the server's port.
func routed(t *testing.T, name, rules string) (*netlab.Lab, *ftptest.Server, string) {
	t.Helper()
	lab, err := netlab.NewRouted(netlab.Link{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	nft := lab.Router.Command(t.Context(), "nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	var s *ftptest.Server
	lab.Server.Do(func() error {
		s = ftptest.Real(t, name, ftptest.RealOptions{Addr: lab.Server.Addr})
		return nil
	})
	_, port, _ := net.SplitHostPort(s.Addr)
	return lab, s, port
}

// inLab runs ftpfs on the client's side of lab.
func inLab(t *testing.T, lab *netlab.Lab, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := lab.Client.Command(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), programMark+"=1", "FTPFS_PASSWORD=secret")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// mountInLab mounts on the client's side, copies a tree in and out, and unmounts.
func mountInLab(t *testing.T, lab *netlab.Lab, s *ftptest.Server, args ...string) {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if thisHost().mounted(dir).ours() {
			if err := thisHost().detach(dir); err != nil {
				t.Error(err)
			}
		}
	})
	args = append(args, "--cache-dir", t.TempDir(), "--timeout", "5s")
	if out, errs, code := inLab(t, lab, append(args, dir)...); code != 0 {
		t.Fatalf("%v: %d %s%s", args, code, out, errs)
	}
	from, back := t.TempDir(), t.TempDir()
	for i := range 10 {
		if err := os.WriteFile(filepath.Join(from, fmt.Sprintf("file %d", i)), bytes.Repeat([]byte{byte(i)}, i*20_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"cp -r " + from + " tree", "ls tree", "cp -r tree/. " + back, "diff -r " + from + " " + back, "rm -r tree"} {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s: %v\n%s%s", args, line, err, out, s.Output())
		}
	}
	if out, errs, code := inLab(t, lab, "umount", dir); code != 0 {
		t.Errorf("umount: %d %s%s", code, out, errs)
	}
}

func examineInLab(t *testing.T, lab *netlab.Lab, args ...string) findings {
	t.Helper()
	out, errs, _ := inLab(t, lab, append([]string{"doctor", "--json", "--timeout", "2s"}, args...)...)
	var f findings
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return f
}

// The server is behind a router, which shows it under its own address: what PASV tells leads
// nowhere. The router lets in what it forwards to the server, and out what the server connects
// to.
const serverBehindNAT = `
table ip t {
	chain pre { type nat hook prerouting priority dstnat; iifname lab0 meta l4proto tcp dnat to 10.78.0.2; }
	chain post { type nat hook postrouting priority srcnat; oifname lab0 masquerade; }
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname lab0 ct original ip daddr 10.77.0.1 accept
		iifname lan0 accept
	}
}`

func TestServerBehindNAT(t *testing.T) {
	for _, name := range []string{"vsftpd", "pure-ftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab, s, port := routed(t, name, serverBehindNAT)
			url := "ftp://user@10.77.0.1:" + port + "/"
			mountInLab(t, lab, s, "--mode", "pasv", url)
			mountInLab(t, lab, s, "--mode", "active", "--active-ports", "50000-50031", url)

			f := examineInLab(t, lab, url)
			if got, want := results(f), "epsv works, pasv works, eprt works, port works"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if m := f.Paths[0].Modes[1]; m.Told != "10.78.0.2" {
				t.Errorf("%+v", m)
			}
		})
	}
}

// The client is behind a router, which forwards the ports of active mode to it.
const clientBehindNAT = `
table ip t {
	chain pre { type nat hook prerouting priority dstnat; iifname lan0 tcp dport 50000-50031 dnat to 10.77.0.2; }
	chain post { type nat hook postrouting priority srcnat; oifname lan0 masquerade; }
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname lan0 ct status dnat accept
		iifname lab0 accept
	}
}`

func TestClientBehindNAT(t *testing.T) {
	t.Parallel()
	lab, s, port := routed(t, "vsftpd", clientBehindNAT)
	url := "ftp://user@10.78.0.2:" + port + "/"
	active := []string{"--active-ports", "50000-50031", "--active-address", "10.78.0.1"}
	mountInLab(t, lab, s, append(active, "--mode", "active", url)...)
	mountInLab(t, lab, s, "--bind", "lab0", url)

	f := examineInLab(t, lab, append(active, url)...)
	if got, want := results(f), "epsv works, pasv works, eprt works, port works"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Without the outer address the server hears an inner one, and refuses.
	f = examineInLab(t, lab, url)
	if got, want := results(f), "epsv works, pasv works, eprt refused, port refused"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The doctor names the direction in which packets are dropped.
func TestDoctorBehindFirewalls(t *testing.T) {
	filter := func(rules string) string {
		return "table inet t {\nchain forward {\ntype filter hook forward priority filter\n" + rules + "\n}\n}"
	}
	t.Run("passive ports", func(t *testing.T) {
		t.Parallel()
		lab, _, port := routed(t, "proftpd", filter("iifname lab0 tcp dport 20000-32000 drop"))
		f := examineInLab(t, lab, "ftp://user@10.78.0.2:"+port+"/")
		if got, want := results(f), "epsv blocked, pasv blocked, eprt works, port works"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, m := range f.Paths[0].Modes[:2] {
			if want := "from this machine to " + m.Data.To + ": never connected, no answer to the packets"; m.Detail != want {
				t.Errorf("%+v, want %s", m, want)
			}
		}
		if !strings.Contains(f.Command, " --mode eprt ") {
			t.Error(f.Command)
		}
	})
	t.Run("rejected passive ports", func(t *testing.T) {
		t.Parallel()
		lab, _, port := routed(t, "proftpd", filter("iifname lab0 tcp dport 20000-32000 reject with tcp reset"))
		f := examineInLab(t, lab, "ftp://user@10.78.0.2:"+port+"/")
		for _, m := range f.Paths[0].Modes[:2] {
			if want := "from this machine to " + m.Data.To + ": never connected, nothing accepts connections there"; m.Result != blocked || m.Detail != want {
				t.Errorf("%+v, want %s", m, want)
			}
		}
	})
	t.Run("active ports", func(t *testing.T) {
		t.Parallel()
		lab, _, port := routed(t, "vsftpd", filter("iifname lan0 ct state new drop"))
		f := examineInLab(t, lab, "ftp://user@10.78.0.2:"+port+"/")
		if got, want := results(f), "epsv works, pasv works, eprt blocked, port blocked"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, m := range f.Paths[0].Modes[2:] {
			if want := "from the server to " + m.Data.To + ": no connection came"; m.Detail != want || !strings.HasPrefix(m.Data.To, "10.77.0.2:") {
				t.Errorf("%+v, want %s", m, want)
			}
		}
	})
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		lab, _, port := routed(t, "pure-ftpd", filter("iifname lab0 tcp dport 20000-32000 drop\niifname lan0 ct state new drop"))
		f := examineInLab(t, lab, "ftp://user@10.78.0.2:"+port+"/")
		if got, want := results(f), "epsv blocked, pasv blocked, eprt blocked, port blocked"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if !strings.Contains(f.Problem, "lets you in, but no data connection works") {
			t.Error(f.Problem)
		}
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		// Only packets without data pass to the passive ports and back.
		lab, s, port := routed(t, "proftpd", filter("tcp sport 20000-32000 meta length > 100 drop"))
		for i := range 3 {
			if err := os.Mkdir(filepath.Join(s.Root, fmt.Sprint("directory", i)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		f := examineInLab(t, lab, "ftp://user@10.78.0.2:"+port+"/")
		for _, m := range f.Paths[0].Modes[:2] {
			if want := "connected but silent: " + m.Data.To + " accepts the connection, and no data comes over it"; m.Result != blocked || m.Detail != want {
				t.Errorf("%+v, want %s", m, want)
			}
		}
	})
}
