// Package dialer opens connections the way they shall leave this machine: from one of its
// addresses or interfaces, over one version of IP, through a SOCKS5 or HTTP proxy.
//
// A Dialer's methods have the form of Dial and Listen in ftpclient.Config. Behind a proxy names
// are resolved by the proxy, and the connections have no addresses of this machine's network:
// nobody can be told where to connect back to.
//
// Limits: Linux only, as to interfaces. No proxies over TLS, no SOCKS4, no BIND of SOCKS5.
package dialer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Dialer says how connections leave this machine. The zero value is what the system does by
// itself.
type Dialer struct {
	Local     netip.Addr // address to connect from; zero = any
	Interface string     // interface that everything goes over, whatever the routes say; "" = any
	Version   Version    // of IP; of the connection to the proxy, if there is one
	Proxy     *Proxy     // nil = none
}

// Version is a version of IP; the zero value is any.
type Version uint8

const (
	Any  Version = 0
	IPv4 Version = 4
	IPv6 Version = 6
)

// network adds the version to "tcp".
func (v Version) network(network string) string {
	if v == Any {
		return network
	}
	return fmt.Sprintf("%s%d", network, v)
}

// ParseBind reads an address or the name of an interface of this machine.
func ParseBind(s string) (local netip.Addr, device string, err error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap(), "", nil
	}
	if _, err := net.InterfaceByName(s); err != nil {
		return netip.Addr{}, "", fmt.Errorf("%q is neither an IP address nor a network interface of this machine", s)
	}
	return netip.Addr{}, s, nil
}

// Dial connects to addr, "host:port", until ctx ends.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.Proxy != nil {
		return d.Proxy.dial(ctx, d.direct, network, addr)
	}
	return d.direct(ctx, network, addr)
}

func (d *Dialer) direct(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := net.Dialer{Control: d.control()}
	if d.Local.IsValid() {
		plain.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.Local, 0))
	}
	return plain.DialContext(ctx, d.Version.network(network), addr)
}

// Listen listens on addr, an IP address of this machine with a port.
func (d *Dialer) Listen(ctx context.Context, network, addr string) (*net.TCPListener, error) {
	plain := net.ListenConfig{Control: d.control()}
	l, err := plain.Listen(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// control ties a socket to the interface; nil if it is free.
func (d *Dialer) control() func(network, addr string, socket syscall.RawConn) error {
	if d.Interface == "" {
		return nil
	}
	return func(_, _ string, socket syscall.RawConn) error {
		var err error
		if cerr := socket.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), d.Interface) }); cerr != nil {
			return cerr
		}
		if err != nil {
			return fmt.Errorf("use the network interface %s: %w", d.Interface, err)
		}
		return nil
	}
}
