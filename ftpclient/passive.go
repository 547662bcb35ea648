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

// firstDataPort is the lowest port that is connected to for data. Those below belong to
// services, which a server may not have us talk to (RFC 2577 section 3).
const firstDataPort = 1024

// passivePort is where to connect to for data.
type passivePort struct {
	addr string
	told netip.Addr // the host in the reply, where it is another one; zero none
}

// explain adds to an error of connecting there that the reply names another host.
func (p passivePort) explain(err error) error {
	if !p.told.IsValid() {
		return err
	}
	return fmt.Errorf("%w (the server named the host %s in its reply)", err, p.told)
}

// askPassive asks the server to listen and returns where.
func (c *conn) askPassive(m Mode) (passivePort, error) {
	if m == ModePASV && !c.peer.Is4() && c.peer.IsValid() {
		return passivePort{}, &dataError{m, fmt.Errorf("PASV cannot tell an IPv6 address")}
	}
	if err := c.check(); err != nil {
		return passivePort{}, err
	}
	replies, err := c.exchange(passiveCommand(m))
	if err != nil {
		return passivePort{}, unchanged(err)
	}
	return c.passiveAddr(m, replies[0])
}

// passiveAddr reads the reply to EPSV or PASV.
func (c *conn) passiveAddr(m Mode, r reply) (passivePort, error) {
	var told netip.Addr
	var port uint16
	switch {
	case r.refused():
		return passivePort{}, &dataError{m, refusal(passiveCommand(m).verb, "", r)}
	case m == ModeEPSV && r.code != 229, m == ModePASV && r.code != 227:
		return passivePort{}, c.surprised(r)
	case m == ModeEPSV:
		port = parseEPSV(r.text())
	default:
		told, port = parsePASV(r.text())
	}
	if port == 0 {
		return passivePort{}, &dataError{m, fmt.Errorf("%s: no address in %d %.80q", passiveCommand(m).verb, r.code, r.shown())}
	}
	if port < firstDataPort {
		return passivePort{}, &dataError{m, fmt.Errorf("%s: the server names port %d, which belongs to another service", passiveCommand(m).verb, port)}
	}
	host := c.passiveHost(told)
	p := passivePort{addr: net.JoinHostPort(host, strconv.Itoa(int(port)))}
	if told.IsValid() && told.String() != host {
		p.told = told
	}
	return p, nil
}

func (c *conn) passiveHost(told netip.Addr) string {
	p := c.client.cfg.PasvAddress
	switch {
	case p.fixed.IsValid():
		return p.fixed.String()
	case p.asTold && believable(told, c.peer):
		return told.String()
	case c.peer.IsValid():
		return c.peer.String()
	}
	host, _, _ := net.SplitHostPort(c.client.cfg.Addr)
	return host
}

// believable tells whether the address in a PASV reply may be reached by who reaches peer:
// zero, a group or an address of an inner network told from outside of it is a mistake.
func believable(told, peer netip.Addr) bool {
	switch {
	case !told.IsValid(), told.IsUnspecified(), told.IsMulticast(), told == limitedBroadcast:
		return false
	case !peer.IsValid(): // behind a proxy
		return !told.IsLoopback() && !told.IsLinkLocalUnicast()
	case told.IsLoopback():
		return peer.IsLoopback()
	case told.IsLinkLocalUnicast():
		return peer.IsLinkLocalUnicast()
	case told.IsPrivate():
		return peer.IsPrivate() || peer.IsLoopback()
	}
	return true
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// parseEPSV finds the port in "Entering Extended Passive Mode (|||6446|)" (RFC 2428
// section 3), 0 if there is none. Any character may be the delimiter; without parentheses
// only the usual one. A network address between the delimiters does not count.
func parseEPSV(text string) (port uint16) {
	_, inner, ok := strings.Cut(text, "(")
	if ok {
		inner, _, ok = strings.Cut(inner, ")")
	} else if i := strings.IndexByte(text, '|'); i >= 0 {
		inner, ok = text[i:], true
	}
	inner = strings.ReplaceAll(inner, " ", "")
	if !ok || inner == "" {
		return 0
	}
	fields := strings.Split(inner, inner[:1])
	if len(fields) < 5 || !isDigits(fields[3]) {
		return 0
	}
	n, err := strconv.ParseUint(fields[3], 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// parsePASV finds six numbers divided by commas, with or without parentheses and blanks
// (RFC 1123 section 4.1.2.6); port 0 if there are none.
func parsePASV(text string) (host netip.Addr, port uint16) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, ", ", ","), " ,", ",")
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r != ',' && (r < '0' || r > '9') }) {
		parts := strings.Split(strings.Trim(word, ","), ",")
		if len(parts) != 6 {
			continue
		}
		var b [6]byte
		for i, part := range parts {
			n, err := strconv.ParseUint(part, 10, 8)
			if err != nil {
				return netip.Addr{}, 0
			}
			b[i] = byte(n)
		}
		return netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8 | uint16(b[5])
	}
	return netip.Addr{}, 0
}
