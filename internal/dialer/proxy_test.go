package dialer

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeProxy speaks SOCKS5 and HTTP, as the client begins, and knows one name: ftp.test is
// the server at target. User and password are ann and p:w@.
type fakeProxy struct {
	t      *testing.T
	l      net.Listener
	target string
	group  sync.WaitGroup

	silent bool   // never answers
	banner string // sent together with the answer

	mu    sync.Mutex
	asked []string // addresses
}

func startProxy(t *testing.T, target string, quirks ...func(*fakeProxy)) *fakeProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &fakeProxy{t: t, l: l, target: target}
	for _, f := range quirks {
		f(p)
	}
	t.Cleanup(func() { l.Close(); p.group.Wait() })
	p.group.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			p.group.Go(func() { defer nc.Close(); p.serve(nc.(*net.TCPConn)) })
		}
	})
	return p
}

func (p *fakeProxy) serve(nc *net.TCPConn) {
	br := bufio.NewReader(nc)
	if p.silent {
		io.Copy(io.Discard, nc)
		return
	}
	first, err := br.Peek(1)
	if err != nil {
		return
	}
	if first[0] == 5 {
		p.socks(nc, br)
	} else {
		p.http(nc, br)
	}
}

func (p *fakeProxy) socks(nc *net.TCPConn, br *bufio.Reader) {
	read := func(n int) []byte {
		b := make([]byte, n)
		io.ReadFull(br, b)
		return b
	}
	methods := read(int(read(2)[1]))
	if !strings.Contains(string(methods), "\x02") {
		nc.Write([]byte{5, 0xff})
		return
	}
	nc.Write([]byte{5, 2})
	user := read(int(read(2)[1]))
	password := read(int(read(1)[0]))
	if string(user) != "ann" || string(password) != "p:w@" {
		nc.Write([]byte{1, 1})
		return
	}
	nc.Write([]byte{1, 0})
	head := read(4)
	var host string
	switch head[3] {
	case 1:
		host = netip.AddrFrom4([4]byte(read(4))).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = netip.AddrFrom16([16]byte(read(16))).String()
	}
	addr := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2))))
	to, err := p.connect(addr)
	if err != nil {
		nc.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	nc.Write(append([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}, p.banner...))
	join(nc, br, to)
}

func (p *fakeProxy) http(nc *net.TCPConn, br *bufio.Reader) {
	req, err := http.ReadRequest(br)
	if err != nil || req.Method != http.MethodConnect || req.Host != req.RequestURI {
		p.t.Errorf("%+v, %v", req, err)
		return
	}
	// Parsed as that of the server would be.
	req.Header["Authorization"] = req.Header["Proxy-Authorization"]
	if user, password, _ := req.BasicAuth(); user != "ann" || password != "p:w@" {
		io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
		return
	}
	to, err := p.connect(req.Host)
	if err != nil {
		io.WriteString(nc, "HTTP/1.0 502 Bad Gateway\r\n\r\n")
		return
	}
	io.WriteString(nc, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"+p.banner)
	join(nc, br, to)
}

func (p *fakeProxy) connect(addr string) (*net.TCPConn, error) {
	p.mu.Lock()
	p.asked = append(p.asked, addr)
	p.mu.Unlock()
	host, port, _ := net.SplitHostPort(addr)
	targetHost, targetPort, _ := net.SplitHostPort(p.target)
	if host == "ftp.test" {
		host = targetHost
		if port == "21" {
			port = targetPort
		}
	}
	nc, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil
}

// join passes bytes both ways, half closes and resets included.
func join(nc *net.TCPConn, br *bufio.Reader, to *net.TCPConn) {
	defer to.Close()
	var group sync.WaitGroup
	group.Go(func() { io.Copy(to, br); to.CloseWrite() })
	if _, err := io.Copy(nc, to); err != nil {
		nc.SetLinger(0)
		nc.Close()
	}
	nc.CloseWrite()
	group.Wait()
}

func mustParse(t *testing.T, s string) *Proxy {
	t.Helper()
	p, err := ParseProxy(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Listings and files go through both kinds of proxy, passively; the server's name is
// known to the proxy alone.
func TestThroughProxy(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	for _, scheme := range []string{"socks5h", "http"} {
		t.Run(scheme, func(t *testing.T) {
			fake := startProxy(t, server.Addr())
			d := Dialer{Proxy: mustParse(t, scheme+"://ann:p%3Aw%40@"+fake.l.Addr().String())}
			for _, mode := range []ftpclient.Mode{ftpclient.ModeEPSV, ftpclient.ModePASV} {
				cl, err := ftpclient.New(ftpclient.Config{Addr: "ftp.test", User: "user", Password: "secret",
					Mode: mode, Dial: d.Dial, Listen: d.Listen, Timeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				defer cl.Close()
				content := strings.Repeat("through a proxy\n", 100_000)
				w, err := cl.Store(t.Context(), "/f")
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(w, content)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				for range 3 { // the last two over a spare data connection
					l, err := cl.List(t.Context(), "/")
					if err != nil || len(l.Entries) != 1 || l.Entries[0].Size != int64(len(content)) {
						t.Errorf("%+v, %v", l, err)
					}
					r, err := cl.Retrieve(t.Context(), "/f", 0, -1)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(r); err != nil || string(got) != content {
						t.Errorf("%d bytes, %v", len(got), err)
					}
					r.Close()
				}
			}
			fake.mu.Lock()
			defer fake.mu.Unlock()
			for _, addr := range fake.asked {
				if !strings.HasPrefix(addr, "ftp.test:") {
					t.Errorf("the proxy was asked for %s", addr)
				}
			}
		})
	}
}

// TLS goes through proxies as well, and its sessions are resumed.
func TestTLSThroughProxy(t *testing.T) {
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{TLS: true})
	roots := x509.NewCertPool()
	roots.AddCert(server.CA)
	for _, scheme := range []string{"socks5", "http"} {
		d := Dialer{Proxy: mustParse(t, scheme+"://ann:p%3Aw%40@"+startProxy(t, server.Addr).l.Addr().String())}
		cl, err := ftpclient.New(ftpclient.Config{Addr: "ftp.test", User: server.User, Password: server.Password,
			Mode: ftpclient.ModePassive, Dial: d.Dial, TLS: ftpclient.TLSExplicit, TLSConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}})
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		for range 3 {
			if _, err := cl.List(t.Context(), "/"); err != nil {
				t.Error(err)
			}
		}
		if n := cl.Stats(); n.Encrypted < 3 || n.Resumed != n.Encrypted {
			t.Errorf("%+v", n)
		}
	}
}

// Active mode cannot work, and says so.
func TestActiveThroughProxy(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	d := Dialer{Proxy: mustParse(t, "socks5://ann:p%3Aw%40@"+startProxy(t, server.Addr()).l.Addr().String())}
	cl, err := ftpclient.New(ftpclient.Config{Addr: "ftp.test", User: "user", Password: "secret", Mode: ftpclient.ModeActive, Dial: d.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := cl.List(t.Context(), "/"); err == nil || !strings.Contains(err.Error(), "no IP address to listen on") {
		t.Error(err)
	}
}

// What the server says at once is not swallowed with the proxy's answer.
func TestServerSpeaksFirst(t *testing.T) {
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	for _, scheme := range []string{"socks5", "http"} {
		fake := startProxy(t, quiet.Addr().String(), func(p *fakeProxy) { p.banner = "220 ready\r\n" })
		d := Dialer{Proxy: mustParse(t, scheme+"://ann:p%3Aw%40@"+fake.l.Addr().String())}
		nc, err := d.Dial(t.Context(), "tcp", "ftp.test:21")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(fake.banner))
		if _, err := io.ReadFull(nc, got); string(got) != fake.banner {
			t.Errorf("%s: %q, %v", scheme, got, err)
		}
		if _, ok := nc.(syscall.Conn); !ok {
			t.Error("not a socket any more")
		}
		nc.Close()
	}
}

func TestProxyErrors(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	fake := startProxy(t, closed.Addr().String())
	at := fake.l.Addr().String()
	tests := []struct {
		url     string
		reached bool
		want    string
	}{
		{"socks5://ann:wrong@" + at, true, "username/password authentication failed"},
		{"socks5://" + at, true, "no acceptable authentication methods"},
		{"socks5://ann:p%3Aw%40@" + at, true, "connection refused"},
		{"http://ann:wrong@" + at, true, "it answers 407 Proxy Authentication Required"},
		{"http://ann:p%3Aw%40@" + at, true, "it answers 502 Bad Gateway"},
		{"http://ann:p%3Aw%40@" + closed.Addr().String(), false, "connection refused"},
	}
	for _, tt := range tests {
		d := Dialer{Proxy: mustParse(t, tt.url)}
		_, err := d.Dial(t.Context(), "tcp", "ftp.test:21")
		var failed *ProxyError
		if !errors.As(err, &failed) || failed.Reached != tt.reached || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), "ann") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", tt.url, err)
		}
	}
}

func TestSilentProxy(t *testing.T) {
	fake := startProxy(t, "", func(p *fakeProxy) { p.silent = true })
	for _, scheme := range []string{"socks5", "http"} {
		d := Dialer{Proxy: mustParse(t, scheme+"://"+fake.l.Addr().String())}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := d.Dial(ctx, "tcp", "ftp.test:21")
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", scheme, err)
		}
		cancel()
	}
}

// An answer without end is given up.
func TestEndlessAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer l.Close()
	group.Go(func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, err = io.WriteString(nc, "HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(nc, "X: "+strings.Repeat("x", 1000)+"\r\n")
		}
	})
	d := Dialer{Proxy: mustParse(t, "http://"+l.Addr().String())}
	if _, err := d.Dial(t.Context(), "tcp", "ftp.test:21"); err == nil {
		t.Error("no error")
	}
}

func TestParseProxy(t *testing.T) {
	for s, want := range map[string]string{
		"socks5://proxy":                 "socks5://proxy:1080",
		"socks5h://proxy:9050/":          "socks5://proxy:9050",
		"socks://[2001:db8::1]:1":        "socks5://[2001:db8::1]:1",
		"http://u:p@proxy:3128":          "http://proxy:3128",
		"http://proxy":                   "http://proxy:80",
		"https://secret@proxy":           "",
		"socks4://proxy":                 "",
		"proxy:1080":                     "",
		"http://u:secret@proxy:port":     "",
		"http://u:sec ret@proxy":         "",
		"http://u:secret@proxy/path":     "",
		"http://u:secret@proxy/?q":       "",
		"http://:80":                     "",
		"":                               "",
		"http://u:secret@%zz":            "",
		"ftp://secret@proxy":             "",
		"http://u:secret@proxy:99999999": "",
	} {
		p, err := ParseProxy(s)
		switch {
		case err != nil && (want != "" || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v", s, err)
		case err == nil && p.String() != want:
			t.Errorf("%s: %s, want %s", s, p, want)
		}
	}
}

func FuzzParseProxy(f *testing.F) {
	f.Add("socks5://ann:p%3Aw@[::1]:1080/")
	f.Add("socks://]0")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParseProxy(s); err == nil {
			if _, _, err := net.SplitHostPort(p.addr); err != nil {
				t.Errorf("%q: %v", p.addr, err)
			}
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	tests := []struct {
		env  string // NAME=value, separated by blanks
		addr string
		want string
	}{
		{"", "host:21", ""},
		{"ALL_PROXY=socks5://a", "host:21", "socks5://a"},
		{"all_proxy=socks5://b", "host:21", "socks5://b"},
		{"ALL_PROXY=socks5://a all_proxy=socks5://b", "host:21", "socks5://a"},
		{"ALL_PROXY=socks5://a NO_PROXY=host", "host:21", ""},
		{"ALL_PROXY=socks5://a NO_PROXY=host:21", "host:2121", "socks5://a"},
		{"ALL_PROXY=socks5://a no_proxy=.example.org", "ftp.example.org:21", ""},
		{"ALL_PROXY=socks5://a no_proxy=10.0.0.0/8", "10.1.2.3:21", ""},
		{"ALL_PROXY=socks5://a no_proxy=*", "host:21", ""},
		{"ALL_PROXY=socks5://a", "127.0.0.1:21", ""},
		{"ALL_PROXY=socks5://a", "[::1]:21", ""},
		{"ALL_PROXY=socks5://a", "[2001:db8::1]:21", "socks5://a"},
		{"HTTP_PROXY=http://a", "host:21", ""},
	}
	for _, tt := range tests {
		env := map[string]string{}
		for _, s := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(s, "=")
			env[name] = value
		}
		if got := FromEnvironment(func(name string) string { return env[name] }, tt.addr); got != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.env, tt.addr, got, tt.want)
		}
	}
}
