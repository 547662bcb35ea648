package ftptest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// reservedPort is a port held by a socket that is bound but never listens. Nobody else gets
// the port, a server that sets SO_REUSEADDR may listen on it any number of times, and a
// connection is refused while none does.
type reservedPort struct {
	fd   int
	addr netip.AddrPort
}

// reservePort takes a free port of the address ip. The caller releases it.
func reservePort(ip netip.Addr) (*reservedPort, error) {
	family, sa := syscall.AF_INET, syscall.Sockaddr(nil)
	if ip.Is4() {
		sa = &syscall.SockaddrInet4{Addr: ip.As4()}
	} else {
		family, sa = syscall.AF_INET6, &syscall.SockaddrInet6{Addr: ip.As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, sa)
	}
	var got syscall.Sockaddr
	if err == nil {
		got, err = syscall.Getsockname(fd)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("reserve a port of %s: %w", ip, err)
	}
	port := 0
	switch got := got.(type) {
	case *syscall.SockaddrInet4:
		port = got.Port
	case *syscall.SockaddrInet6:
		port = got.Port
	}
	return &reservedPort{fd: fd, addr: netip.AddrPortFrom(ip, uint16(port))}, nil
}

func (p *reservedPort) release() { syscall.Close(p.fd) }

// listening reports whether a socket in the thread's network namespace listens at addr. It
// asks the kernel's table and not the server, whose limits on connections a probe would
// count against.
func listening(addr netip.AddrPort) (bool, error) {
	for _, table := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		found, err := tableHasListener(table, addr)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func tableHasListener(table string, addr netip.AddrPort) (bool, error) {
	f, err := os.Open(table)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	const listen = "0A"
	host, port := inTable(addr.Addr()), fmt.Sprintf("%04X", addr.Port())
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= 3 || fields[3] != listen {
			continue
		}
		at, on, _ := strings.Cut(fields[1], ":")
		if on == port && (strings.Trim(at, "0") == "" || strings.HasSuffix(at, host)) { // tcp6 has IPv4, too
			return true, nil
		}
	}
	return false, lines.Err()
}

// inTable is an address as the table writes it: words of 32 bits in this machine's order.
func inTable(ip netip.Addr) string {
	var text strings.Builder
	for raw := ip.AsSlice(); len(raw) > 0; raw = raw[4:] {
		fmt.Fprintf(&text, "%08X", binary.NativeEndian.Uint32(raw))
	}
	return text.String()
}
