package ftptest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
)

// socket is a connection with the client or the server, perhaps under TLS.
type socket struct {
	*net.TCPConn
	tls *tls.Conn // over it; nil in clear
}

// secured puts TLS over a connection with the client.
func (e *Embedded) secured(conn *net.TCPConn) socket { return socket{conn, tls.Server(conn, e.tls)} }

func (s socket) Read(p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.Read(p)
	}
	return s.TCPConn.Read(p)
}

func (s socket) Write(p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.Write(p)
	}
	return s.TCPConn.Write(p)
}

// end tells the other side that nothing more comes, also by TLS.
func (s socket) end() {
	if s.tls != nil && s.tls.Handshake() == nil {
		s.tls.CloseWrite()
	}
	s.TCPConn.CloseWrite()
}

// tlsConfig is that of an embedded server; its certificate is that of the real ones.
func tlsConfig() (*tls.Config, error) {
	both, _ := certificate()
	cert, err := tls.X509KeyPair(both, both)
	return &tls.Config{Certificates: []tls.Certificate{cert}}, err
}

// CA returns the certificate, self-signed, of a server with Options.TLS.
func (e *Embedded) CA() *x509.Certificate {
	_, cert := certificate()
	return cert
}

// secures answers AUTH, PBSZ and PROT (RFC 4217) in the place of the server, which speaks in
// clear. It returns false for other commands, and where TLS is not offered.
func (c *control) secures(p *pending, arg string) bool {
	if c.e.tls == nil {
		return false
	}
	switch p.verb {
	case "AUTH":
		p.local, p.auth = "234 Go on.", true
	case "PBSZ":
		p.local = "200 PBSZ=0"
	case "PROT":
		p.local = "200 Protected as you say."
		c.mu.Lock()
		c.private = arg == "P"
		c.mu.Unlock()
	}
	return p.local != ""
}

func (c *control) isPrivate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.private
}

// upgrade waits until AUTH is answered, and goes on under TLS if it was agreed to. It returns
// false when the connection has ended.
func (c *control) upgrade() bool {
	select {
	case agreed := <-c.agreed:
		if agreed {
			c.from = c.to
		}
		return true
	case <-c.done:
		return false
	}
}
