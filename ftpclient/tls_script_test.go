package ftpclient

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// testCertificate is self-signed, valid from a day before to a day after the given time.
func testCertificate(t *testing.T, at time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: at.Add(-24 * time.Hour), NotAfter: at.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// testTLS is a server's configuration and that of a client who trusts it.
func testTLS(t *testing.T) (server, client *tls.Config) {
	cert := testCertificate(t, time.Now(), "127.0.0.1")
	return &tls.Config{Certificates: []tls.Certificate{cert}}, trustOnly(cert)
}

func trustOnly(cert tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	return &tls.Config{RootCAs: roots}
}

// clear reads whatever the client sends in clear, to its end.
func (p *peer) clear() string {
	var all bytes.Buffer
	all.ReadFrom(p.br)
	return all.String()
}

// startTLS does the server's part of the handshake.
func (p *peer) startTLS(cfg *tls.Config) bool {
	tc := tls.Server(p.nc, cfg)
	if err := tc.Handshake(); err != nil {
		p.t.Errorf("handshake: %v", err)
		return false
	}
	p.nc, p.br = tc, bufio.NewReader(tc)
	return true
}

// auth answers AUTH TLS, which comes alone and before the greeting.
func (p *peer) auth() {
	p.expectOne("AUTH TLS")
	p.send("220 ready", "234 go on")
}

var (
	tlsLoginLines      = slices.Insert(slices.Clone(loginLines), 2, "PBSZ 0", "PROT P")
	tlsFirstLoginLines = slices.Insert(slices.Clone(firstLoginLines), 2, "PBSZ 0", "PROT P")
)

// tlsLogin is the first login, in one write.
func (p *peer) tlsLogin() {
	p.expectOne(tlsFirstLoginLines...)
	p.send("331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type", `257 "/home"`)
	p.passive()
	p.send("211-Features", " MLST type*;size*;modify*;", "211 End")
}

// tlsLoginAgain is the login of a later connection.
func (p *peer) tlsLoginAgain() {
	p.expectOne(tlsLoginLines...)
	p.send("331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type")
}

// tlsBegin is login and the opening of a data connection, over which nothing has been said.
func (p *peer) tlsBegin(cfg *tls.Config) net.Conn {
	p.auth()
	if !p.startTLS(cfg) {
		p.t.FailNow()
	}
	p.tlsLogin()
	return p.accept()
}

// tlsListed is tlsBegin with a listing that proves EPSV, and the spare data connection after it.
func (p *peer) tlsListed(cfg *tls.Config) (spare net.Conn) {
	data := p.tlsBegin(cfg)
	p.expectOne("MLSD /")
	p.send("150 here")
	p.endData(data, cfg)
	p.expect("EPSV")
	p.send("226 done")
	p.passive()
	return p.accept()
}

// endData sends nothing over a data connection under TLS and ends it.
func (p *peer) endData(data net.Conn, cfg *tls.Config) *tls.Conn {
	tc := tls.Server(data, cfg)
	if err := tc.Handshake(); err != nil {
		p.t.Errorf("data handshake: %v", err)
	}
	tc.Close()
	return tc
}
