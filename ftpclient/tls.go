package ftpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// TLSMode says whether the control connection is encrypted, and with it the login (RFC 4217).
type TLSMode uint8

const (
	TLSOff      TLSMode = iota // in clear
	TLSTry                     // AUTH TLS, but in clear if the server refuses it for good
	TLSExplicit                // AUTH TLS
	TLSImplicit                // from the first byte on, by custom on port 990
)

var tlsModeNames = [...]string{"off", "try", "explicit", "implicit"}

// ParseTLSMode reads off, try, explicit or implicit, in any case.
func ParseTLSMode(s string) (TLSMode, error) {
	for m, name := range tlsModeNames {
		if strings.EqualFold(s, name) {
			return TLSMode(m), nil
		}
	}
	return 0, fmt.Errorf("TLS %q is none of %s", s, strings.Join(tlsModeNames[:], ", "))
}

// String is the form that ParseTLSMode reads.
func (m TLSMode) String() string {
	if int(m) >= len(tlsModeNames) {
		return fmt.Sprintf("TLS mode %d", uint8(m))
	}
	return tlsModeNames[m]
}

// port is where servers listen by custom.
func (m TLSMode) port() string {
	if m == TLSImplicit {
		return "990"
	}
	return "21"
}

// tlsConfig is what all control connections have in common.
func (cfg *Config) tlsConfig() *tls.Config {
	base := cfg.TLSConfig
	if base == nil {
		base = new(tls.Config)
	}
	base = base.Clone()
	if base.ServerName == "" {
		base.ServerName, _, _ = net.SplitHostPort(cfg.Addr)
		if cfg.VirtualHost != "" {
			base.ServerName = cfg.VirtualHost
		}
		if addr, err := netip.ParseAddr(base.ServerName); err == nil {
			base.ServerName = addr.WithZone("").String() // as certificates have it
		}
	}
	if len(cfg.Pins) > 0 {
		verifyPins(base, cfg.Pins)
	}
	return base
}

// secure makes the control connection one under TLS, or leaves it in clear, as configured.
func (c *conn) secure(stepwise bool) error {
	mode := c.client.cfg.TLS
	if mode == TLSOff {
		return nil
	}
	if mode == TLSImplicit {
		return c.encrypt()
	}
	auth := command{"AUTH", "TLS"}
	if !stepwise {
		if err := c.send(auth); err != nil {
			return choked(err)
		}
	}
	if _, err := c.greeting(); err != nil {
		return err
	}
	if stepwise {
		if err := c.send(auth); err != nil {
			return failed(auth.verb, "", err)
		}
	}
	r, rerr := c.receiveWithin(min(c.client.cfg.Timeout, userTimeout))
	switch {
	case rerr != nil:
		err := failed(auth.verb, "", rerr)
		if _, told := errors.AsType[*Error](err); !told {
			err = errChoked{err}
		}
		return err
	case r.code == 234:
		c.client.login.setConsented()
		return c.encrypt()
	case !r.refused():
		return c.surprised(r)
	case mode == TLSTry && r.code >= 500 && c.client.login.mayBeClear():
		if c.client.login.firstInClear() {
			c.client.cfg.Logger.Warn("the server refuses TLS: password and data cross the network in clear", "reply", refusal(auth.verb, "", r).Error())
		}
		return nil
	}
	return refusal(auth.verb, "", r)
}

// errInjected: what came in clear would be taken for an answer to what is sent under TLS.
var errInjected = errors.New("the server sent something in clear after its consent to TLS")

// encrypt does the handshake. Each control connection has a session cache of its own:
// servers want its data connections to resume its own session and no other.
func (c *conn) encrypt() error {
	if c.br.Buffered() > 0 {
		return c.fail(errInjected)
	}
	c.tls = c.client.tlsConfig.Clone()
	c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	tc := tls.Client(c.tcp, c.tls)
	c.extend(c.tcp)
	if err := tc.Handshake(); err != nil {
		return c.fail(handshakeError(err))
	}
	state := tc.ConnectionState()
	if state.Version >= tls.VersionTLS13 {
		// The server's choice, so that it does not have to ask again for each data
		// connection.
		c.tls = c.tls.Clone()
		c.tls.CurvePreferences = []tls.CurveID{state.CurveID}
	}
	c.nc = tc
	c.br.Reset(tc)
	c.client.server.setTLS(tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite))
	return nil
}

// HandshakeError says that the server and we could not agree on TLS. A certificate that is
// not trusted is a CertificateError.
type HandshakeError struct{ Err error }

func (e *HandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }
func (e *HandshakeError) Unwrap() error { return e.Err }

func handshakeError(err error) error {
	var untrusted *tls.CertificateVerificationError
	var pin *CertificateError
	switch {
	case errors.As(err, &pin):
		return err
	case errors.As(err, &untrusted):
		return &CertificateError{Certificate: untrusted.UnverifiedCertificates[0], Err: untrusted.Err}
	case errors.Is(err, io.EOF):
		err = errHungUp{}
	}
	return &HandshakeError{err}
}

// isAlert tells whether the server itself has ended TLS, as it does where it misses a
// client certificate: in TLS 1.3 after the handshake.
func isAlert(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "remote error"
}

// protection are the commands that say whether data connections are encrypted, too.
func (c *conn) protection() []command {
	if c.tls == nil {
		return nil
	}
	level := "P"
	if c.client.cfg.ClearData {
		level = "C"
	}
	return []command{{"PBSZ", "0"}, {"PROT", level}}
}

// encryptsData tells whether data connections are under TLS.
func (c *conn) encryptsData() bool { return c.tls != nil && !c.client.cfg.ClearData }

// readProtection reads the replies to protection. That to PBSZ does not matter.
func (d *dialogue) readProtection() error {
	for _, k := range d.c.protection() {
		r, err := d.next(d.c.client.cfg.Timeout)
		if err != nil {
			return err
		}
		if k.verb == "PROT" && !r.ok() {
			return refusal(k.verb, "", r)
		}
	}
	return nil
}
