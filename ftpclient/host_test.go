package ftpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

func TestRealVirtualHost(t *testing.T) {
	s := ftptest.Real(t, "proftpd", ftptest.RealOptions{})
	config := Config{Addr: s.Addr, User: s.User, Password: s.Password, VirtualHost: "unknown.example.org"}
	var e *Error
	if err := testClient(t, config).Connect(context.Background()); !errors.As(err, &e) || e.Command != "HOST" || e.Code != 504 {
		t.Errorf("%v", err)
	}
	config.VirtualHost, _, _ = strings.Cut(s.Addr, ":")
	cl := testClient(t, config)
	connect(t, cl)
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"vsftpd", "pure-ftpd", "pyftpdlib"} { // do not know HOST
		_, cl := real(t, name, ftptest.RealOptions{}, Config{VirtualHost: "h.example.org"})
		if err := cl.Connect(context.Background()); !errors.As(err, &e) || e.Command != "HOST" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// HOST comes before AUTH, or under implicit TLS after the handshake, which names the host,
// too, and wants its certificate.
func TestVirtualHostUnderTLS(t *testing.T) {
	cert := testCertificate(t, time.Now(), "h.example.org")
	serverTLS := &tls.Config{Certificates: []tls.Certificate{cert}}
	asked := func(p *peer) {
		if name := p.nc.(*tls.Conn).ConnectionState().ServerName; name != "h.example.org" {
			p.t.Errorf("TLS for the host %q", name)
		}
	}
	for mode, script := range map[TLSMode]func(p *peer){
		TLSExplicit: func(p *peer) {
			p.send("220 ready")
			p.expectOne("HOST h.example.org")
			p.send("220 this is h")
			p.expectOne("AUTH TLS")
			p.send("234 go on")
			if p.startTLS(serverTLS) {
				asked(p)
				p.tlsLogin()
				p.end()
			}
		},
		TLSImplicit: func(p *peer) {
			if p.startTLS(serverTLS) {
				asked(p)
				p.send("220 ready")
				p.expectOne("HOST h.example.org")
				p.send("220 this is h")
				p.tlsLogin()
				p.end()
			}
		},
	} {
		s := startScript(t, script)
		connect(t, s.client(Config{TLS: mode, TLSConfig: trustOnly(cert), VirtualHost: "h.example.org"}))
	}
}

func TestRealVirtualHostUnderTLS(t *testing.T) {
	s := ftptest.Real(t, "proftpd", ftptest.RealOptions{TLS: true})
	host, _, _ := strings.Cut(s.Addr, ":")
	cl := testClient(t, Config{Addr: s.Addr, User: s.User, Password: s.Password, VirtualHost: host, TLS: TLSExplicit, TLSConfig: trusting(s)})
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Error(err)
	}
}

// Nothing is sent before the server has taken the host.
func TestLogOfHost(t *testing.T) {
	e, cl := embedded(t, Config{VirtualHost: "h.example.org", ClientName: "test"})
	e.Refuse("HOST", "220 Welcome to h.", 1)
	connect(t, cl)
	expectWrites(t, e, "HOST", "USER+PASS+CLNT+OPTS+TYPE+PWD+EPSV+FEAT")
	commands := e.Log().Commands()
	for _, want := range []string{"HOST h.example.org", "CLNT test"} {
		if !slices.Contains(commands, want) {
			t.Errorf("%q lacks %s", commands, want)
		}
	}
	e, cl = embedded(t, Config{VirtualHost: "h.example.org"})
	if err := cl.Connect(context.Background()); err == nil {
		t.Error("logged in to another host")
	}
	expectWrites(t, e, "HOST")
}

func TestClientNameRefused(t *testing.T) {
	e, cl := embedded(t, Config{ClientName: "test"})
	e.Refuse("CLNT", "500 What?", 1)
	connect(t, cl)
}

func TestBadHosts(t *testing.T) {
	for _, name := range []string{"a\r\nDELE x", "a\x00", strings.Repeat("a", 1000)} {
		for _, cfg := range []Config{{Addr: "h", VirtualHost: name}, {Addr: "h", ClientName: name}} {
			if cl, err := New(cfg); err == nil {
				cl.Close()
				t.Errorf("%.20q is taken", name)
			}
		}
	}
}
