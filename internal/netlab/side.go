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

// end gives the device by which the side is on the link.
func (s *Side) end() end {
	return end{s.namespace, "lab0", []netip.Prefix{netip.PrefixFrom(s.Addr, 24), netip.PrefixFrom(s.Addr6, 64)}}
}

// Do calls f on a thread that is in the namespace, and gives its error. Sockets that f opens and
// processes that it starts belong to the namespace for ever. What f does in other goroutines
// does not happen in the namespace: so resolve no names, listen and dial by address.
func (s *Side) Do(f func() error) error { return within(s.namespace, f) }

// Command is like exec.CommandContext for a program that runs in the namespace, beside the
// caller in all else. It is started by nsenter of util-linux, which becomes the program. It is killed when
// the caller dies, unless it has changed its user since or is a daemon.
//
// A Credential in SysProcAttr would be nsenter's, which needs root: start such a program by
// Do(cmd.Start).
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

// Dial is like net.Dialer.DialContext from within the namespace. The address must not need to be
// resolved.
func (s *Side) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := s.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen is like net.Listen within the namespace.
func (s *Side) Listen(network, address string) (net.Listener, error) {
	var l net.Listener
	err := s.Do(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}
