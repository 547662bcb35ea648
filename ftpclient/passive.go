package ftpclient

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// passiveCommand is the command of a passive mode.
func passiveCommand(m Mode) command {
	if m == ModeEPSV {
		return command{verb: "EPSV"}
	}
	return command{verb: "PASV"}
}

// askPassive asks the server to listen and returns where.
func (c *conn) askPassive(m Mode) (addr string, err error) {
	if m == ModePASV && !c.peer.Is4() && c.peer.IsValid() {
		return "", &dataError{m, fmt.Errorf("PASV cannot tell an IPv6 address")}
	}
	if err := c.check(); err != nil {
		return "", err
	}
	replies, err := c.exchange(passiveCommand(m))
	if err != nil {
		return "", unchanged(err)
	}
	return c.passiveAddr(m, replies[0])
}

// passiveAddr reads the reply to EPSV or PASV.
func (c *conn) passiveAddr(m Mode, r reply) (string, error) {
	var told netip.AddrPort
	var ok bool
	switch {
	case r.refused():
		return "", &dataError{m, refusal(passiveCommand(m).verb, "", r)}
	case m == ModeEPSV && r.code != 229, m == ModePASV && r.code != 227:
		return "", c.surprised(r)
	case m == ModeEPSV:
		var port uint16
		port, ok = parseEPSV(r.text())
		told = netip.AddrPortFrom(netip.Addr{}, port)
	default:
		told, ok = parsePASV(r.text())
	}
	if !ok {
		return "", &dataError{m, fmt.Errorf("%s: no address in %d %.80q", passiveCommand(m).verb, r.code, r.shown())}
	}
	return net.JoinHostPort(c.passiveHost(told.Addr()), strconv.Itoa(int(told.Port()))), nil
}

func (c *conn) passiveHost(told netip.Addr) string {
	p := c.client.cfg.PasvAddress
	switch {
	case p.fixed.IsValid():
		return p.fixed.String()
	case p.asTold && told.IsValid() && !told.IsUnspecified():
		return told.String()
	case c.peer.IsValid():
		return c.peer.String()
	}
	host, _, _ := net.SplitHostPort(c.client.cfg.Addr)
	return host
}

// parseEPSV finds the port in "Entering Extended Passive Mode (|||6446|)" (RFC 2428
// section 3). Any character may be the delimiter.
func parseEPSV(text string) (port uint16, ok bool) {
	_, rest, found := strings.Cut(text, "(")
	inner, _, closed := strings.Cut(rest, ")")
	if !found || !closed || len(inner) < 5 {
		return 0, false
	}
	fields := strings.Split(inner, inner[:1])
	if len(fields) != 5 || fields[4] != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[3], 10, 16)
	return uint16(n), err == nil && n != 0
}

// parsePASV finds six numbers divided by commas, with or without parentheses (RFC 1123
// section 4.1.2.6).
func parsePASV(text string) (netip.AddrPort, bool) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r != ',' && (r < '0' || r > '9') }) {
		parts := strings.Split(strings.Trim(word, ","), ",")
		if len(parts) != 6 {
			continue
		}
		var b [6]byte
		for i, part := range parts {
			n, err := strconv.ParseUint(part, 10, 8)
			if err != nil {
				return netip.AddrPort{}, false
			}
			b[i] = byte(n)
		}
		port := uint16(b[4])<<8 | uint16(b[5])
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), port != 0
	}
	return netip.AddrPort{}, false
}
