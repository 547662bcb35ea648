package ftptest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"
)

// After AUTH everything that the client says and hears is under TLS, and the data, too.
func TestEmbeddedTLS(t *testing.T) {
	e := Start(t, Options{TLS: true})
	write(t, e, "/f", "0123456789")
	c := connect(t, e.Addr())
	c.reply(220)
	c.cmd(234, "AUTH TLS")
	c.handshake(e.CA())
	c.cmd(331, "USER user")
	c.cmd(230, "PASS secret")
	c.cmd(200, "PBSZ 0")
	c.cmd(200, "PROT P")
	pool := x509.NewCertPool()
	pool.AddCert(e.CA())
	data := tls.Client(c.passive(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	c.cmd(150, "RETR /f")
	if got, err := io.ReadAll(data); err != nil || string(got) != "0123456789" {
		t.Errorf("%q, %v", got, err)
	}
	c.reply(226)
	data = tls.Client(c.passive(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	c.cmd(150, "STOR /g")
	if _, err := io.WriteString(data, "new"); err != nil {
		t.Error(err)
	}
	data.Close()
	c.reply(226)
	c.cmd(200, "TYPE I")
	c.cmd(213, "SIZE /g")
}

// A server that does not agree stays in clear.
func TestEmbeddedWithoutTLS(t *testing.T) {
	e := Start(t, Options{TLS: true})
	e.Refuse("AUTH", "534 No.", 1)
	c := connect(t, e.Addr())
	c.reply(220)
	c.cmd(534, "AUTH TLS")
	c.cmd(331, "USER user")
	c.cmd(230, "PASS secret")
}
