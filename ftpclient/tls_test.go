package ftpclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The login takes one write after the handshake, and nothing but AUTH before it.
func TestTLSLogin(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	for _, mode := range []TLSMode{TLSTry, TLSExplicit} {
		s := startScript(t, func(p *peer) {
			p.auth()
			if p.startTLS(serverTLS) {
				p.tlsLogin()
				p.end()
			}
		})
		cl := s.client(Config{TLS: mode, TLSConfig: clientTLS})
		connect(t, cl)
		if got := cl.Server().TLS; got != "TLS 1.3, TLS_AES_128_GCM_SHA256" {
			t.Errorf("%v: %q", mode, got)
		}
		if n := cl.Stats().RoundTrips; n != 2 {
			t.Errorf("%v: %d writes", mode, n)
		}
	}
	s := startScript(t, func(p *peer) {
		if p.startTLS(serverTLS) {
			p.expectOne(tlsFirstLoginLines...)
			p.send("220 ready")
			p.send("331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type", `257 "/home"`, "500 what?", "211 none")
			p.end()
		}
	})
	connect(t, s.client(Config{TLS: TLSImplicit, TLSConfig: clientTLS}))
}

// A server that does not bear AUTH before its greeting gets it after.
func TestTLSStepwise(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	s := startScript(t, func(p *peer) {
		p.expect("AUTH TLS") // and hangs up
	}, func(p *peer) {
		p.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := p.br.Peek(1); !isTimeout(err) {
			p.t.Errorf("the client speaks before the greeting: %v", err)
		}
		p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		p.send("220 ready")
		p.expectOne("AUTH TLS")
		p.send("234 go on")
		if !p.startTLS(serverTLS) {
			return
		}
		for i, line := range tlsFirstLoginLines {
			p.expectOne(line)
			p.send([]string{"331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type", `257 "/home"`, "500 what?", "211 none"}[i])
		}
		p.end()
	})
	connect(t, s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}))
}

// What comes in clear after the consent to TLS must not count as said under TLS.
func TestTLSInjection(t *testing.T) {
	_, clientTLS := testTLS(t)
	for name, inject := range map[string]func(p *peer){
		"with the consent": func(p *peer) { p.send("220 ready", "234 go on", "230 come in") },
		"after it":         func(p *peer) { p.send("220 ready", "234 go on"); p.br.Peek(1); p.send("230 come in") },
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.expect("AUTH TLS")
				inject(p)
				if got := p.clear(); strings.Contains(got, "USER") {
					p.t.Errorf("the client goes on: %q", got)
				}
			})
			err := s.client(Config{TLS: TLSTry, TLSConfig: clientTLS}).Connect(context.Background())
			if err == nil || name == "with the consent" && !errors.Is(err, errInjected) {
				t.Errorf("%v", err)
			}
		})
	}
}

// logged is a logger and what it was told at Warn.
func logged() (*slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	return slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn})), &text
}

// TLSTry logs in in clear only where the server refuses TLS for good, and says so once.
func TestTLSTryInClear(t *testing.T) {
	inClear := func(login func(p *peer)) func(p *peer) {
		return func(p *peer) {
			p.expectOne("AUTH TLS")
			p.send("220 ready", "502 no TLS here")
			login(p)
			p.end()
		}
	}
	s := startScript(t, inClear(func(p *peer) {
		p.expectOne(firstLoginLines...)
		p.send("331 password", "230 in", "200 utf8", "200 type", `257 "/home"`, "500 what?", "211 none")
	}), inClear(func(p *peer) {
		p.expectOne(loginLines...)
		p.send("331 password", "230 in", "200 utf8", "200 type")
	}))
	log, text := logged()
	cl := s.client(Config{TLS: TLSTry, Logger: log})
	_, release := take(t, cl)
	connect(t, cl)
	release()
	if got := text.String(); strings.Count(got, "in clear") != 1 || !strings.Contains(got, "502 no TLS here") {
		t.Errorf("warned %q", got)
	}
	if got := cl.Server().TLS; got != "" {
		t.Errorf("%q", got)
	}
}

// take keeps a connection busy.
func take(t *testing.T, cl *Client) (c *conn, release func()) {
	t.Helper()
	c, err := cl.pool.get(context.Background(), useShort)
	if err != nil {
		t.Fatal(err)
	}
	return c, func() { cl.pool.put(c) }
}

// In all other cases no password is sent, neither on this connection nor on another.
func TestTLSNoDowngrade(t *testing.T) {
	other, _ := testTLS(t)
	_, clientTLS := testTLS(t)
	for name, play := range map[string]func(p *peer){
		"refused for now": func(p *peer) { p.send("220 ready", "431 not now") },
		"no answer to it": func(p *peer) { p.send("220 ready", "120 soon") },
		"hung up":         func(p *peer) { p.send("220 ready", "234 go on"); p.br.Peek(1); p.nc.Close() },
		"bad certificate": func(p *peer) {
			p.send("220 ready", "234 go on")
			tls.Server(p.nc, other).Handshake()
		},
		"no TLS": func(p *peer) { p.send("220 ready", "234 go on"); p.br.Peek(1); p.send("500 what?") },
	} {
		t.Run(name, func(t *testing.T) {
			conns := 0
			s := startScript(t, func(p *peer) {
				conns++
				p.expect("AUTH TLS")
				play(p)
				if got := p.clear(); strings.Contains(got, "PASS") {
					p.t.Errorf("password in clear: %q", got)
				}
			}, func(p *peer) { p.t.Error("the client tries again") })
			log, text := logged()
			err := s.client(Config{TLS: TLSTry, TLSConfig: clientTLS, Logger: log}).Connect(context.Background())
			if err == nil || text.Len() > 0 {
				t.Errorf("%v, %s", err, text)
			}
			s.l.Close()
			s.group.Wait()
			if conns != 1 {
				t.Errorf("%d connections", conns)
			}
		})
	}
}

// A server that has agreed to TLS cannot refuse it later, as somebody in its place would.
func TestTLSRefusedLater(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	for name, first := range map[string]func(p *peer){
		"after a login": func(p *peer) {
			p.auth()
			if p.startTLS(serverTLS) {
				p.tlsLogin()
				p.end()
			}
		},
		"after a failed handshake": func(p *peer) {
			p.auth()
			p.br.Peek(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, first, func(p *peer) {
				p.expect("AUTH TLS")
				p.send("220 ready", "502 no TLS here")
				if got := p.clear(); strings.Contains(got, "PASS") {
					p.t.Errorf("password in clear: %q", got)
				}
			})
			cl := s.client(Config{TLS: TLSTry, TLSConfig: clientTLS})
			if c, err := cl.pool.get(context.Background(), useShort); err == nil {
				c.fail(errors.New("lost"))
				cl.pool.put(c)
			}
			err := cl.Connect(context.Background())
			if e, ok := errors.AsType[*Error](err); !ok || e.Command != "AUTH" || e.Code != 502 {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTLSTrust(t *testing.T) {
	now := time.Now()
	good := testCertificate(t, now, "127.0.0.1", "other.example")
	named, expired := testCertificate(t, now, "other.example"), testCertificate(t, now.Add(-48*time.Hour), "127.0.0.1")
	pin := func(cert tls.Certificate) []Pin { return []Pin{{1, 2, 3}, PinOf(cert.Leaf)} }
	whole := []Pin{sha256.Sum256(good.Certificate[0])}
	for name, tt := range map[string]struct {
		cert   tls.Certificate
		client *tls.Config
		pins   []Pin
		want   any // nil, or the type of the error
	}{
		"trusted":               {good, trustOnly(good), nil, nil},
		"named":                 {named, &tls.Config{RootCAs: trustOnly(named).RootCAs, ServerName: "other.example"}, nil, nil},
		"unknown":               {good, nil, nil, new(x509.UnknownAuthorityError)},
		"of another":            {named, trustOnly(named), nil, new(x509.HostnameError)},
		"expired":               {expired, trustOnly(expired), nil, new(x509.CertificateInvalidError)},
		"insecure":              {expired, &tls.Config{InsecureSkipVerify: true}, nil, nil},
		"pinned key":            {good, nil, pin(good), nil},
		"pinned certificate":    {good, nil, whole, nil},
		"pinned, expired":       {expired, nil, pin(expired), nil},
		"pinned, of another":    {named, nil, pin(named), nil},
		"another pin":           {good, trustOnly(good), pin(named), new(error)},
		"another pin, insecure": {good, &tls.Config{InsecureSkipVerify: true}, pin(named), new(error)},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.auth()
				tc := tls.Server(p.nc, &tls.Config{Certificates: []tls.Certificate{tt.cert}})
				p.nc, p.br = tc, bufio.NewReader(tc)
				if tt.want != nil {
					if got := p.clear(); got != "" {
						p.t.Errorf("sent to an untrusted server: %q", got)
					}
					return
				}
				p.tlsLogin()
				p.end()
			})
			err := s.client(Config{TLS: TLSExplicit, TLSConfig: tt.client, Pins: tt.pins}).Connect(context.Background())
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*CertificateError](err)
			if !ok || !bytes.Equal(e.Certificate.Raw, tt.cert.Certificate[0]) || !errors.As(err, tt.want) {
				t.Errorf("%v", err)
			}
			if _, any := tt.want.(*error); any && !errors.Is(err, ErrPin) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTLSOldServer(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	serverTLS.MinVersion, serverTLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	clientTLS.MinVersion = tls.VersionTLS10
	s := startScript(t, func(p *peer) {
		p.auth()
		tls.Server(p.nc, serverTLS).Handshake()
	}, func(p *peer) {
		p.auth()
		if p.startTLS(serverTLS) {
			p.expect(tlsFirstLoginLines...)
			p.send("331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type", `257 "/home"`, "500 what?", "211 none")
			p.end()
		}
	})
	younger := clientTLS.Clone()
	younger.MinVersion = 0
	if err := s.client(Config{TLS: TLSExplicit, TLSConfig: younger}).Connect(context.Background()); err == nil {
		t.Error("TLS 1.0 without being told to")
	}
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS})
	connect(t, cl)
	if got := cl.Server().TLS; !strings.HasPrefix(got, "TLS 1.0") {
		t.Errorf("%q", got)
	}
}

func TestTLSClientCertificate(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	mine := testCertificate(t, time.Now(), "me")
	serverTLS.ClientAuth, serverTLS.ClientCAs = tls.RequireAndVerifyClientCert, trustOnly(mine).RootCAs
	s := startScript(t, func(p *peer) {
		p.auth()
		if err := tls.Server(p.nc, serverTLS).Handshake(); err == nil {
			p.t.Error("no certificate, and let in")
		}
	}, func(p *peer) {
		p.auth()
		if p.startTLS(serverTLS) {
			p.tlsLogin()
			p.end()
		}
	})
	err := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}).Connect(context.Background())
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
	clientTLS.Certificates = []tls.Certificate{mine}
	connect(t, s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}))
}

// The protection of data is what was asked for, or there is no login.
func TestTLSProtection(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	s := startScript(t, func(p *peer) {
		p.auth()
		if p.startTLS(serverTLS) {
			p.expect(tlsFirstLoginLines...)
			p.send("331 password", "230 in", "500 what?", "536 not here", "200 utf8", "200 type", `257 "/home"`, "500 what?", "211 none")
			p.drain()
		}
	})
	err := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}).Connect(context.Background())
	if e, ok := errors.AsType[*Error](err); !ok || e.Command != "PROT" || e.Code != 536 {
		t.Errorf("%v", err)
	}

	s = startScript(t, func(p *peer) {
		p.auth()
		if !p.startTLS(serverTLS) {
			return
		}
		p.expect("USER u", "PASS p", "PBSZ 0", "PROT C", "OPTS UTF8 ON", "TYPE I", "PWD", "EPSV", "FEAT")
		p.send("331 password", "230 in", "200 pbsz", "200 prot", "200 utf8", "200 type", `257 "/home"`)
		p.passive()
		p.send("211-Features", " MLST type*;", "211 End")
		data := p.accept()
		p.expectOne("MLSD /")
		p.send("150 here")
		io.WriteString(data, "type=file; a\r\n")
		data.Close()
		p.send("226 done")
		p.drain()
	})
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS, ClearData: true})
	if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != 1 || cl.Stats().Encrypted != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

// oneSegment keeps what is written until it is sent at once.
type oneSegment struct {
	net.Conn
	kept *bytes.Buffer // nil: written through
}

func (c *oneSegment) Write(p []byte) (int, error) {
	if c.kept != nil {
		return c.kept.Write(p)
	}
	return c.Conn.Write(p)
}

// A farewell that has come together with the last reply is not overlooked, though neither
// the socket nor the buffer of replies has it.
func TestTLSFarewell(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	s := startScript(t, func(p *peer) {
		p.auth()
		seg := &oneSegment{Conn: p.nc}
		p.nc = seg
		if !p.startTLS(serverTLS) {
			return
		}
		p.tlsLogin()
		p.expect("NOOP")
		seg.kept = new(bytes.Buffer)
		p.send("200 ok")
		p.send("421 timeout")
		seg.Conn.Write(seg.kept.Bytes())
		p.end()
	}, func(p *peer) {
		p.auth()
		if p.startTLS(serverTLS) {
			p.tlsLoginAgain()
			p.expect("DELE /f")
			p.send("250 gone")
			p.end()
		}
	})
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS, Connections: 1})
	if err := cl.Noop(context.Background()); err != nil {
		t.Error(err)
	}
	if err := cl.Delete(context.Background(), "/f"); err != nil {
		t.Error(err)
	}
}

// The end of a download has to be declared: whoever can cut a connection can end one.
func TestTLSCutDownload(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	for _, declared := range []bool{true, false} {
		t.Run(fmt.Sprint(declared), func(t *testing.T) {
			end := func(p *peer, data net.Conn, text string) {
				tc := tls.Server(data, serverTLS)
				io.WriteString(tc, text)
				if declared {
					tc.Close()
				} else {
					closeWrite(data)
				}
			}
			s := startScript(t, func(p *peer) {
				data := p.tlsBegin(serverTLS)
				p.expectOne("RETR /f")
				p.send("150 here")
				end(p, data, "content")
				p.send("226 done")
				if declared {
					p.epsv()
					p.accept()
				} else {
					p.drain()
				}
			}, func(p *peer) {
				data := p.tlsBegin(serverTLS)
				p.expectOne("MLSD /")
				p.send("150 here")
				end(p, data, "type=file; a\r\n")
				p.send("226 done")
				p.drain()
			})
			cfg := Config{TLS: TLSExplicit, TLSConfig: clientTLS, Connections: 1}
			r, err := s.client(cfg).Retrieve(context.Background(), "/f", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if string(got) != "content" || declared != (err == nil) || !declared && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q, %v", got, err)
			}
			l, err := s.client(cfg).List(context.Background(), "/")
			if declared != (err == nil && len(l.Entries) == 1) || !declared && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
}

// closeNoted is a connection of which is known whether it has been closed.
type closeNoted struct {
	*net.TCPConn
	closed *atomic.Bool
}

func (w closeNoted) Close() error {
	w.closed.Store(true)
	return w.TCPConn.Close()
}

// An upload is ended on both layers, and the socket is not closed before the server's word.
func TestTLSUploadEnd(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	var closed atomic.Bool
	s := startScript(t, func(p *peer) {
		data := p.tlsListed(serverTLS)
		p.expectOne("STOR /f")
		p.send("150 go on")
		tc := tls.Server(data, serverTLS)
		if got, err := io.ReadAll(tc); string(got) != "content" || err != nil {
			p.t.Errorf("%q, %v", got, err)
		}
		if n, err := data.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			p.t.Errorf("after the end of TLS: %d, %v", n, err)
		}
		if closed.Load() {
			p.t.Error("closed too early")
		}
		p.send("226 done")
		tc.Close()
		p.end()
	})
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return closeNoted{nc.(*net.TCPConn), &closed}, nil
	}
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS, Connections: 1, Dial: dial})
	beginClient(t, cl)
	w := store(t, cl, "/f")
	closed.Store(false)
	io.WriteString(w, "content")
	if err := w.Close(); err != nil || !closed.Load() {
		t.Error(err)
	}
}

// The key exchange of data connections is that which the server has chosen for the control
// connection: another offer would cost each of them a round trip.
func TestTLSKeyExchange(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	serverTLS.CurvePreferences = []tls.CurveID{tls.CurveP256}
	serverTLS.SessionTicketsDisabled = true
	s := startScript(t, func(p *peer) {
		data := p.tlsBegin(serverTLS)
		if !p.nc.(*tls.Conn).ConnectionState().HelloRetryRequest {
			p.t.Error("the first offer of the control connection is taken")
		}
		p.expectOne("MLSD /")
		p.send("150 here")
		if tc := p.endData(data, serverTLS); tc.ConnectionState().HelloRetryRequest {
			p.t.Error("the first offer of the data connection is not taken")
		}
		p.send("226 done")
		p.drain()
	})
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS})
	if _, err := cl.List(context.Background(), "/"); err != nil {
		t.Error(err)
	}
}

// An upload that is cut off is an error, whatever the server says in the end.
func TestTLSCutUpload(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	s := startScript(t, func(p *peer) {
		data := p.tlsListed(serverTLS)
		p.expectOne("STOR /f")
		p.send("150 go on")
		tc := tls.Server(data, serverTLS)
		io.ReadFull(tc, make([]byte, 1000))
		data.(*net.TCPConn).SetLinger(0)
		data.Close()
		p.send("226 done")
		p.drain()
	})
	cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS, Connections: 1})
	beginClient(t, cl)
	w := store(t, cl, "/f")
	_, err := w.Write(make([]byte, 16<<20))
	if closeErr := w.Close(); err == nil || closeErr == nil {
		t.Errorf("%v, %v", err, closeErr)
	}
}

// A spare data connection that dies unnoticed costs nothing but time: no data has been sent.
func TestTLSDeadSpare(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	for _, verb := range []string{"STOR", "RETR"} {
		t.Run(verb, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				spare := p.tlsListed(serverTLS)
				p.expectOne(verb + " /f")
				spare.(*net.TCPConn).SetLinger(0)
				spare.Close()
				p.send("150 go on", "426 lost it")
				p.epsv()
				data := tls.Server(p.accept(), serverTLS)
				p.expectOne(verb + " /f")
				p.send("150 go on")
				if verb == "STOR" {
					if got, _ := io.ReadAll(data); string(got) != "content" {
						p.t.Errorf("%q", got)
					}
				} else {
					io.WriteString(data, "content")
				}
				data.Close()
				p.send("226 done")
				p.drain()
			})
			cl := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS, Connections: 1})
			beginClient(t, cl)
			if verb == "RETR" {
				if got := read(t, cl, "/f", -1); string(got) != "content" {
					t.Errorf("%q", got)
				}
				return
			}
			w := store(t, cl, "/f")
			io.WriteString(w, "content")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Data connections have to lead to the same server: its session, or a certificate as good.
func TestTLSStrangeData(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	stranger, _ := testTLS(t)
	s := startScript(t, func(p *peer) {
		data := p.tlsBegin(serverTLS)
		p.expectOne("RETR /f")
		p.send("150 here")
		tls.Server(data, stranger).Handshake()
		p.send("426 no")
		p.drain()
	})
	_, err := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}).Retrieve(context.Background(), "/f", 0, -1)
	if _, ok := errors.AsType[*CertificateError](err); !ok {
		t.Errorf("%v", err)
	}
}

// Where the server refuses a data connection for its TLS, its words are in the error.
func TestTLSDataRefused(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	s := startScript(t, func(p *peer) {
		data := p.tlsBegin(serverTLS)
		p.expectOne("RETR /f")
		p.send("150 here")
		data.Close()
		p.send("522 session reuse required")
		p.nc.Close()
	})
	_, err := s.client(Config{TLS: TLSExplicit, TLSConfig: clientTLS}).Retrieve(context.Background(), "/f", 0, -1)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != 522 || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("%v", err)
	}
}

// An idle connection stays usable for longer than a reply may take.
func TestIdleLongerThanTimeout(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login()
		for range 2 {
			p.expect("NOOP")
			p.send("200 ok")
		}
		p.end()
	})
	cl := s.client(Config{Timeout: 100 * time.Millisecond})
	for range 2 {
		if err := cl.Noop(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(150 * time.Millisecond)
	}
	if n := cl.Stats().Logins; n != 1 {
		t.Errorf("%d logins", n)
	}
}
