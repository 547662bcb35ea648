package ftpclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config says how to reach a server. Only Addr is required; the zero value of every
// other field is a sensible default.
type Config struct {
	Addr          string        // "host:port"; port 21, or 990 with TLSImplicit, when absent
	User          string        // "" = anonymous
	Password      string        // "" = none; "anonymous@" without a user
	Account       string        // answer to 332, "" = none
	VirtualHost   string        // which of the server's hosts is meant (HOST, RFC 7151); "" = HOST is not sent. TLS certificates have to be for it, unless TLSConfig names another
	ClientName    string        // told to the server (CLNT), whatever it answers; "" = none
	Mode          Mode          // how data connections are opened
	ActivePorts   PortRange     // ports to listen on in active mode, waited for while all are in use; zero = any
	ActiveAddress netip.Addr    // address told in PORT and EPRT; zero = the control connection's local address
	PasvAddress   PasvAddress   // where to connect to in passive mode; zero = the control connection's peer
	Connections   int           // most control connections; 0 = 8. One never serves bulk transfers if there is more than one
	Reserve       int           // as many control connections are kept ready while others are in use, as far as Connections allows; 0 = none
	Timeout       time.Duration // longest silence: connect, reply, data progress; 0 = 30 s
	IdleTimeout   time.Duration // idle control connections are closed after it; 0 = 60 s

	TLS       TLSMode     // whether connections are encrypted
	TLSConfig *tls.Config // trust, client certificate, versions; nil = the system's authorities, TLS 1.2 or later. ServerName "" = VirtualHost, else the host of Addr. The session cache is the client's own
	Pins      []Pin       // the server's certificate or its key has to be one of them, and need not be trusted otherwise
	ClearData bool        // under TLS, data connections stay in clear (PROT C)

	// ListBy says how directories are listed.
	ListBy ListBy

	// Brief makes the lines of MLSD and MLST as short as the server lets them be, so that large
	// listings are here sooner: they lack owners and groups, and what an Entry has no field for.
	Brief bool

	// Charset is that of the names on a server that does not use UTF-8, by IANA's or the
	// WHATWG's name for it; it has to contain ASCII. Names then are valid UTF-8 for callers.
	// Bytes that are UTF-8 stay what they are; what does not convert is shown as U+201B and
	// two hexadecimal digits for each byte. "" = names are the server's bytes.
	Charset string

	// Zone is that of the server's clock, which the times of LIST are told by; those of
	// vsftpd's MDTM, too, which is by its option use_localtime. nil = found out by comparing
	// LIST and MDTM, else UTC; UTC on vsftpd.
	Zone *time.Location

	// Verify makes Commit compare what the server has stored with what was sent, before
	// it gives the file its name: by a checksum of the server's (see Checksums), which
	// costs a round trip, or if it has none by reading the file back.
	Verify bool

	// Logger is told at Info which mode of data connections works and why others did
	// not, at Warn what its user should know, as that the server refuses TLS. nil = discard.
	Logger *slog.Logger

	// Trace is called with every line of the control connections, from the goroutine
	// that sends or reads it, so from several at once. nil = none.
	Trace func(TraceLine)

	// Dial opens control and passive data connections. nil = net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Listen opens the sockets of active mode, on the control connection's local address. nil
	// = net.ListenConfig.
	Listen func(ctx context.Context, network, addr string) (*net.TCPListener, error)
}

// PortRange is an inclusive range of TCP ports; the zero value is any port.
type PortRange struct{ Lo, Hi uint16 }

// PasvAddress says which host is connected to for data in passive mode.
type PasvAddress struct {
	asTold bool
	fixed  netip.Addr
}

// PasvReply is the address in the server's 227 reply, if it can be one: an inner, zero or
// group address told by a server outside counts as none. EPSV tells none. Without an
// address the control connection's peer is used.
var PasvReply = PasvAddress{asTold: true}

// PasvFixed is always addr.
func PasvFixed(addr netip.Addr) PasvAddress { return PasvAddress{fixed: addr.Unmap()} }

// ParsePasvAddress reads "control" (the peer of the control connection), "reply" or
// an IP address.
func ParsePasvAddress(s string) (PasvAddress, error) {
	switch s {
	case "", "control":
		return PasvAddress{}, nil
	case "reply":
		return PasvReply, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return PasvAddress{}, fmt.Errorf("passive address %q is not control, reply or an IP address", s)
	}
	return PasvFixed(addr), nil
}

// String is the form that ParsePasvAddress reads.
func (p PasvAddress) String() string {
	switch {
	case p.fixed.IsValid():
		return p.fixed.String()
	case p.asTold:
		return "reply"
	}
	return "control"
}

const (
	defaultConnections = 8
	defaultTimeout     = 30 * time.Second
	defaultIdleTimeout = 60 * time.Second
)

// complete checks the configuration and fills in defaults.
func (cfg *Config) complete() error {
	if cfg.TLS > TLSImplicit {
		return fmt.Errorf("ftp: unknown TLS mode %d", cfg.TLS)
	}
	addr, err := completeAddr(cfg.Addr, cfg.TLS.port())
	if err != nil {
		return err
	}
	cfg.Addr = addr
	if cfg.User == "" {
		cfg.User = "anonymous"
		if cfg.Password == "" {
			cfg.Password = "anonymous@"
		}
	}
	for _, s := range []struct{ name, value string }{
		{"user", cfg.User}, {"password", cfg.Password}, {"account", cfg.Account},
		{"virtual host", cfg.VirtualHost}, {"client name", cfg.ClientName},
	} {
		if strings.ContainsAny(s.value, "\r\n\x00") || len(s.value) > 512 {
			return fmt.Errorf("ftp: the %s is too long or has a line break or NUL", s.name)
		}
	}
	if cfg.Mode > ModePORT {
		return fmt.Errorf("ftp: unknown mode %d", cfg.Mode)
	}
	if cfg.ListBy > ListSTAT {
		return fmt.Errorf("ftp: unknown way to list %d", cfg.ListBy)
	}
	if cfg.ActivePorts.Lo > cfg.ActivePorts.Hi || cfg.ActivePorts.Lo == 0 && cfg.ActivePorts.Hi != 0 {
		return fmt.Errorf("ftp: bad port range %d-%d", cfg.ActivePorts.Lo, cfg.ActivePorts.Hi)
	}
	if cfg.Connections < 0 || cfg.Timeout < 0 || cfg.IdleTimeout < 0 {
		return fmt.Errorf("ftp: connections and timeouts cannot be negative")
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdleTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Listen == nil {
		cfg.Listen = listen
	}
	return nil
}

func listen(ctx context.Context, network, addr string) (*net.TCPListener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// completeAddr adds the usual port to a host without one.
func completeAddr(addr, usual string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]"), usual
		if strings.Contains(host, ":") {
			if _, err := netip.ParseAddr(host); err != nil {
				return "", fmt.Errorf("ftp: bad address %q", addr)
			}
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", fmt.Errorf("ftp: bad address %q", addr)
	}
	return net.JoinHostPort(host, port), nil
}
