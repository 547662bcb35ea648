package netlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
)

// Side is one end of the link: a network namespace with its own loopback, ports, routes and
// firewall. The exported fields do not change.
type Side struct {
	Addr  netip.Addr // on the link, IPv4
	Addr6 netip.Addr // on the link, IPv6

	namespace *os.File
}

// newSide makes a namespace that is on the link by the given addresses.
func newSide(addr, addr6 string) (*Side, error) {
	s := &Side{Addr: netip.MustParseAddr(addr), Addr6: netip.MustParseAddr(addr6)}
	var err error
	if s.namespace, err = newNamespace(); err != nil {
		return nil, err
	}
	if err := s.Do(prepare); err != nil {
		s.namespace.Close()
		return nil, err
	}
	return s, nil
}

// Names of devices: the one on the link, and that of a router and a server towards each other.
const (
	linkDevice   = "lab0"
	serverDevice = "lan0"
)

func (s *Side) end(device string) end { return newEnd(s.namespace, device, s.Addr, s.Addr6) }

// Do calls f on a thread that is in the namespace, and gives its error. Sockets that f opens and
// processes that it starts stay in the namespace. What f does in other goroutines does not happen
// there; resolving a name is such a thing, so dial and listen by address.
func (s *Side) Do(f func() error) error { return within(s.namespace, f) }

// Command is like exec.CommandContext for a program that runs in the namespace, and shares all else
// with the caller. What is started is nsenter, which becomes the program. The kernel kills it when
// the caller dies, unless it has changed its user.
//
// A Credential in SysProcAttr would be nsenter's, which needs root; use Do with the Start of an
// ordinary exec.Cmd for that.
func (s *Side) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	plain := exec.CommandContext(ctx, name, args...)
	if plain.Err != nil {
		return plain
	}
	namespace := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), s.namespace.Fd())
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{namespace, "--", plain.Path}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Dial is like net.Dialer.DialContext in the namespace. The address is an IP address with a port.
func (s *Side) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := s.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen is like net.Listen in the namespace. The address is an IP address with a port; port 0 is
// any free one.
func (s *Side) Listen(network, address string) (net.Listener, error) {
	var l net.Listener
	err := s.Do(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}
