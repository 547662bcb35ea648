package ftptest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// handshake turns the session into a TLS one whose certificate is checked.
func (s *session) handshake(ca *x509.Certificate) {
	s.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	conn := tls.Client(s.conn, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err := conn.Handshake(); err != nil {
		s.t.Fatal(err)
	}
	s.conn, s.text = conn, textproto.NewConn(conn)
}

func TestRealTLS(t *testing.T) {
	forEachServer(t, RealOptions{TLS: true}, func(t *testing.T, s *Server) {
		c := connect(t, s.Addr)
		c.login(s.User, s.Password) // plain logins stay possible
		c = connect(t, s.Addr)
		c.reply(220)
		c.cmd(234, "AUTH TLS")
		c.handshake(s.CA)
		c.cmd(331, "USER %s", s.User)
		c.cmd(230, "PASS %s", s.Password)
		c.cmd(200, "PBSZ 0")
		c.cmd(200, "PROT P")
	})
}

func TestRealImplicitTLS(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Real(t, name, RealOptions{ImplicitTLS: true})
			c := connect(t, s.Addr)
			c.handshake(s.CA)
			c.login(s.User, s.Password)
		})
	}
}

func TestRealMaxClients(t *testing.T) {
	forEachServer(t, RealOptions{MaxClients: 1}, func(t *testing.T, s *Server) {
		first := connect(t, s.Addr)
		first.login(s.User, s.Password)
		c := connect(t, s.Addr)
		if s.Name != "proftpd" {
			c.reply(421)
			return
		}
		c.reply(220)
		c.cmd(331, "USER %s", s.User)
		c.cmd(530, "PASS %s", s.Password)
	})
}

func TestRealIdleTimeout(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd", "pyftpdlib"} { // pure-ftpd counts minutes
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Real(t, name, RealOptions{IdleTimeout: time.Second})
			c := connect(t, s.Addr)
			c.login(s.User, s.Password)
			c.reply(421)
		})
	}
}

func TestRealReadOnly(t *testing.T) {
	forEachServer(t, RealOptions{ReadOnly: true}, func(t *testing.T, s *Server) {
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		c.send("MKD /d")
		if code, text, _ := c.text.ReadResponse(0); code < 500 {
			t.Errorf("MKD: %d %s", code, text)
		}
		if _, err := os.Stat(filepath.Join(s.Root, "d")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory was made: %v", err)
		}
	})
}

func TestRealNoOverwriteAndNoMLSD(t *testing.T) {
	s := Real(t, "proftpd", RealOptions{NoOverwrite: true, NoMLSD: true})
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(s.Root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Own(); err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.Addr)
	c.login(s.User, s.Password)
	c.cmd(350, "RNFR /a")
	c.cmd(550, "RNTO /b")
	for _, name := range []string{"proftpd", "pyftpdlib"} {
		s := Real(t, name, RealOptions{NoMLSD: true})
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		c.passive()
		c.send("MLSD /")
		if code, text, _ := c.text.ReadResponse(0); code < 500 {
			t.Errorf("%s: MLSD: %d %s", name, code, text)
		}
		if text := c.cmd(211, "FEAT"); strings.Contains(text, "MLS") {
			t.Errorf("%s: FEAT: %q", name, text)
		}
	}
}

// Sessions that break off leave children behind which their parents have not waited for.
func TestRealOutlivesSessions(t *testing.T) {
	forEachServer(t, RealOptions{}, func(t *testing.T, s *Server) {
		for range 20 {
			c := connect(t, s.Addr)
			c.login(s.User, s.Password)
			c.send("EPSV")
			c.conn.(*net.TCPConn).SetLinger(0)
			c.conn.Close()
		}
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		c.cmd(200, "NOOP")
	})
}

func TestRealKillAndRestart(t *testing.T) {
	forEachServer(t, RealOptions{}, func(t *testing.T, s *Server) {
		c := connect(t, s.Addr)
		c.login(s.User, s.Password)
		ns := namespace(t, s.Pid())
		s.Kill()
		if s.Pid() != 0 {
			t.Error("a killed server has a process id")
		}
		if rest, err := io.ReadAll(c.conn); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the session ended with %q, %v", rest, err)
		}
		if left := members(t, ns); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
		if _, err := net.Dial("tcp", s.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("connecting to a killed server: %v", err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		connect(t, s.Addr).login(s.User, s.Password)
	})
}

// namespace returns the PID namespace of a process, which names it and all its descendants.
func namespace(t *testing.T, pid int) string {
	t.Helper()
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// members returns the directories in /proc of the processes in a namespace.
func members(t *testing.T, namespace string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		if ns, err := os.Readlink(link); err == nil && ns == namespace {
			found = append(found, strings.TrimSuffix(link, "/ns/pid"))
		}
	}
	return found
}

func TestRealUnknownName(t *testing.T) {
	if _, err := NewReal(t.TempDir(), "ftpd", RealOptions{}); err == nil {
		t.Error("an unknown server was started")
	}
}

// victimVariable makes a test process start vsftpd and proftpd and wait for its death.
const victimVariable = "FTPTEST_VICTIM"

func TestVictim(t *testing.T) {
	if os.Getenv(victimVariable) == "" {
		return // only TestServersDieWithTheTestProcess has a use for this
	}
	for _, name := range []string{"vsftpd", "proftpd"} {
		s := Real(t, name, RealOptions{})
		connect(t, s.Addr).login(s.User, s.Password)
		fmt.Printf("\nin %s\n", namespace(t, s.Pid()))
	}
	fmt.Println("ready")
	select {}
}

func TestServersDieWithTheTestProcess(t *testing.T) {
	dir := t.TempDir()
	if err := letThrough(dir, filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	victim.Env = append(os.Environ(), victimVariable+"=1", "TMPDIR="+dir)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var namespaces []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if ns, ok := strings.CutPrefix(lines.Text(), "in "); ok {
			namespaces = append(namespaces, ns)
		}
	}
	victim.Process.Kill()
	victim.Wait()
	if len(namespaces) != 2 {
		t.Fatalf("servers in %v, want 2", namespaces)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, ns := range namespaces {
		for len(members(t, ns)) > 0 {
			if time.Now().After(deadline) {
				t.Fatalf("processes left: %v", members(t, ns))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	// What the victim could not remove is removed by the next server.
	Real(t, "vsftpd", RealOptions{})
	left, err := filepath.Glob(fmt.Sprintf("%s/%s-%d-*", pamDir, pamPrefix, victim.Process.Pid))
	if err != nil || len(left) > 0 {
		t.Errorf("PAM files left: %v, %v", left, err)
	}
}
