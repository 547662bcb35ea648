package ftptest

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// RealNames are the servers that Real can start.
var RealNames = []string{"vsftpd", "proftpd", "pure-ftpd", "pyftpdlib"}

// RealOptions says how a real server shall be; the zero value is a plain IPv4 server that
// allows everything it can.
type RealOptions struct {
	TLS         bool          // offer AUTH TLS (plain logins stay possible; vsftpd and proftpd demand session reuse)
	IPv6        bool          // listen on ::1 instead of 127.0.0.1
	Addr        netip.Addr    // listen on this address of the machine, or of the thread's network namespace; zero = loopback
	MaxClients  int           // most connections at a time; 0 = hundreds
	MaxPerAddr  int           // the same from one address
	IdleTimeout time.Duration // of the control connection; 0 = the server's own. Whole seconds; whole minutes on pure-ftpd, rounded up
	ReadOnly    bool          // no command that changes something is allowed
	NoOverwrite bool          // proftpd: no STOR, RNTO or APPE onto a file that exists
	NoRestart   bool          // proftpd: no REST before STOR
	NoMLSD      bool          // proftpd, pyftpdlib: MLSD and MLST are not there
	Quota       int64         // proftpd: most bytes that the user may have stored; 0 = any number
	Directives  []string      // proftpd, vsftpd: further lines of its configuration, such as LoadModule
	Promiscuous bool          // data connections may come from, and go to, hosts other than the client's
	ImplicitTLS bool          // vsftpd, proftpd: TLS from the first byte; implies TLS
	TimeZone    string        // name of the server's zone, by whose clock LIST shows times; "" = UTC. vsftpd's MDTM goes by it, too
}

// Server is a real FTP server. The exported fields do not change.
type Server struct {
	Name     string
	Addr     string // host:port
	User     string
	Password string
	Root     string            // local directory that is the login directory, seen by clients as /, except by those of an unchrooted server
	TLS      bool              // AUTH TLS is offered
	CA       *x509.Certificate // its certificate, self-signed; nil without TLS

	argv    []string
	output  string   // file with what the server printed
	zone    string   // of its clock
	cleanup []string // files outside of the temporary directory

	port *reservedPort

	mu      sync.Mutex
	process *process // nil while the server is down
}

// The account that acts for the FTP user. Not nobody: vsftpd wants a home directory that exists.
const (
	ftpAccount = "daemon"
	ftpUID     = 1
	ftpGID     = 1
)

const (
	realUser     = "user"
	realPassword = "secret"
	realHash     = "$1$ftptest0$5GeMyBbzC/zLAK.4v14ah." // MD5 crypt of realPassword: cheap, so logins are fast
)

// Real starts the named server (one of RealNames) and returns when it listens. It is stopped
// by t.Cleanup. When the server is not installed or cannot be started the test fails.
//
// Files that the test makes below Root belong to whoever runs the test; Own gives them to the
// FTP user.
func Real(t testing.TB, name string, opts RealOptions) *Server {
	t.Helper()
	s, err := NewReal(t.TempDir(), name, opts)
	if err != nil {
		t.Fatalf("ftptest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// NewReal is Real outside of tests. The server's files and its login directory are made in
// dir, which stays when the caller closes the server.
//
// The server lives in the network namespace of the calling thread, as does its address.
func NewReal(dir, name string, opts RealOptions) (_ *Server, err error) {
	if !slices.Contains(RealNames, name) {
		return nil, fmt.Errorf("no server is called %q", name)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%s must be started by root to change to its FTP user", name)
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if opts.IPv6 {
		ip = netip.IPv6Loopback()
	}
	if opts.Addr.IsValid() {
		ip = opts.Addr
		opts.IPv6 = ip.Is6()
	}
	port, err := reservePort(ip)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Name: name, Addr: port.addr.String(), User: realUser, Password: realPassword,
		Root: filepath.Join(dir, "root"), TLS: opts.TLS || opts.ImplicitTLS,
		output: filepath.Join(dir, "output"), zone: cmp.Or(opts.TimeZone, "UTC"), port: port,
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.makeRoot(dir); err != nil {
		return nil, err
	}
	setup := configuration{dir: dir, root: s.Root, host: ip.String(), port: port.addr.Port(), opts: opts}
	if s.TLS {
		var pem []byte
		pem, s.CA = certificate()
		setup.pem = filepath.Join(dir, "server.pem")
		if err := os.WriteFile(setup.pem, pem, 0o600); err != nil {
			return nil, err
		}
	}
	if s.argv, err = setup.write(name); err != nil {
		return nil, err
	}
	s.cleanup = setup.outside
	return s, s.Restart()
}

// makeRoot creates the login directory. testing's temporary directories are closed to others
// at their top, the FTP user must get through.
func (s *Server) makeRoot(dir string) error {
	if err := os.Mkdir(s.Root, 0o755); err != nil {
		return err
	}
	if err := os.Chown(s.Root, ftpUID, ftpGID); err != nil {
		return err
	}
	return letThrough(dir, filepath.Dir(dir))
}

// letThrough allows everybody to reach what is below the directories, if they know its name.
func letThrough(dirs ...string) error {
	for _, d := range dirs {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if err := os.Chmod(d, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	return nil
}

// Own gives everything below Root to the FTP user.
func (s *Server) Own() error {
	return filepath.WalkDir(s.Root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, ftpUID, ftpGID)
	})
}

// Pid returns the process id of the server's first process, 0 while it is down.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.pid()
}

// Sessions returns the number of sessions that the server has, also of clients that have gone: as
// long as there is one it may carry out a command. It is of use with servers that start a process
// for each, which pyftpdlib does not.
func (s *Server) Sessions() int {
	n := 0
	for _, server := range children(s.Pid()) {
		n += len(children(server))
	}
	return n
}

// Kill ends the server and all its sessions by SIGKILL and waits until they are gone.
// Connections are refused afterwards. Killing a dead server does nothing.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Restart starts the server again on the same port, after a Kill if it is up, and returns
// when it listens.
func (s *Server) Restart() error {
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := startProcess(s.argv, s.output, s.zone)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	if err := s.waitListening(p); err != nil {
		p.kill()
		return err
	}
	s.process = p
	return nil
}

func (s *Server) waitListening(p *process) error {
	const patience = 20 * time.Second
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		up, err := listening(s.port.addr)
		if up || err != nil {
			return err
		}
		select {
		case <-p.done:
			return fmt.Errorf("start %s: it ended at once; its output: %s", s.Name, s.Output())
		case <-deadline.C:
			return fmt.Errorf("start %s: not listening on %s after %s; its output: %s", s.Name, s.Addr, patience, s.Output())
		case <-time.After(5 * time.Millisecond): // there is nothing to wait on: the kernel tells nobody
		}
	}
}

// Output returns what the server has printed so far.
func (s *Server) Output() string {
	text, err := os.ReadFile(s.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Close ends the server and removes the files it had outside of its directory. Real does it
// by itself.
func (s *Server) Close() {
	s.Kill()
	for _, f := range s.cleanup {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "ftptest: %v\n", err)
		}
	}
	s.port.release()
}
