package ftptest

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// What is announced of a data connection on the control connection is rewritten, so that the
// connection comes to a relay of ours.

var (
	pasvReply = regexp.MustCompile(`\(\d+,\d+,\d+,\d+,(\d+),(\d+)\)`)
	epsvReply = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)
)

// passive puts a relay in front of the port in a 227 or 229.
func (c *control) passive(verb string, code int, lines []string) []string {
	var port uint64
	if code == 227 {
		if m := pasvReply.FindStringSubmatch(lines[0]); m != nil {
			high, _ := strconv.ParseUint(m[1], 10, 8)
			low, _ := strconv.ParseUint(m[2], 10, 8)
			port = high<<8 | low
		}
	} else if m := epsvReply.FindStringSubmatch(lines[0]); m != nil {
		port, _ = strconv.ParseUint(m[1], 10, 16)
	}
	if port == 0 {
		return []string{"425 Strange reply to " + verb + "."}
	}
	r, err := newRelay(c.e, c.localIP().String(), fmt.Sprintf("127.0.0.1:%d", port), false, c.isPrivate())
	if err != nil || !c.announce(r) {
		return []string{"425 No listener."}
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), r.port())
	if c.localIP().Is4() {
		at = netip.AddrPortFrom(c.localIP(), r.port())
	}
	lie := c.e.faults.lying()
	if lie.Addr().Is4() {
		at = netip.AddrPortFrom(lie.Addr(), at.Port())
	}
	if lie.Port() != 0 {
		at = netip.AddrPortFrom(at.Addr(), lie.Port())
	}
	if code == 229 {
		return []string{fmt.Sprintf("229 Entering Extended Passive Mode (|||%d|)", at.Port())}
	}
	return []string{fmt.Sprintf("227 Entering Passive Mode (%s,%d,%d)",
		strings.ReplaceAll(at.Addr().String(), ".", ","), at.Port()>>8, at.Port()&0xff)}
}

// active puts a relay in front of the address in a PORT or EPRT and returns the line for the
// server. A line that cannot be understood, or that tells an address other than the client's
// own, is passed on as it is, to be refused.
func (c *control) active(verb, arg, line string) string {
	client, err := parsePort(verb, arg)
	if err != nil || client.Addr() != c.client.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() {
		return line
	}
	r, err := newRelay(c.e, "127.0.0.1", client.String(), true, c.isPrivate())
	if err != nil || !c.announce(r) {
		return line
	}
	if verb == "EPRT" {
		return fmt.Sprintf("EPRT |1|127.0.0.1|%d|\r\n", r.port())
	}
	return fmt.Sprintf("PORT 127,0,0,1,%d,%d\r\n", r.port()>>8, r.port()&0xff)
}

// parsePort parses the argument of PORT (RFC 959) or EPRT (RFC 2428).
func parsePort(verb, arg string) (netip.AddrPort, error) {
	if verb == "EPRT" {
		parts := strings.Split(arg, "|")
		if len(parts) != 5 {
			return netip.AddrPort{}, fmt.Errorf("bad EPRT argument %q", arg)
		}
		return netip.ParseAddrPort(net.JoinHostPort(parts[2], parts[3]))
	}
	var a [4]byte
	var high, low byte
	if _, err := fmt.Sscanf(arg, "%d,%d,%d,%d,%d,%d", &a[0], &a[1], &a[2], &a[3], &high, &low); err != nil {
		return netip.AddrPort{}, fmt.Errorf("bad PORT argument %q: %w", arg, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(high)<<8|uint16(low)), nil
}

// localIP returns the address that the client has connected to.
func (c *control) localIP() netip.Addr {
	return c.client.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}

// announce makes r the relay of the next transfer. The one before is no longer reachable, if
// nobody has connected to it; false: the control connection has ended.
func (c *control) announce(r *relay) bool {
	c.mu.Lock()
	old, closed := c.data, c.closed
	if !closed {
		c.data = r
	}
	c.mu.Unlock()
	if closed {
		r.abort()
		return false
	}
	if old != nil {
		old.listener.Close()
	}
	return true
}

// arm makes the announced relay ready for verb and returns it if it is an active one.
func (c *control) arm(verb string) *relay {
	c.mu.Lock()
	r := c.data
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	r.arm(verb)
	if r.toClient {
		return r
	}
	return nil
}
