package dialer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"
)

// Proxy is a server that connects on our behalf: SOCKS5 (RFC 1928, 1929), or HTTP by its method
// CONNECT (RFC 9110 section 9.3.6).
type Proxy struct {
	socks bool
	addr  string
	user  *url.Userinfo // nil none
}

// ParseProxy reads socks5://[user:password@]host[:port] or http://…; the ports are 1080 and
// 80 by default. socks5h and socks mean the same as socks5. Its errors do not repeat s, which may
// hold a password.
func ParseProxy(s string) (*Proxy, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("write a proxy as socks5://host:1080 or http://user:password@host:3128; special characters in user and password as %XX")
	}
	p := &Proxy{user: u.User}
	port := "80"
	switch u.Scheme {
	case "socks5", "socks5h", "socks":
		p.socks, port = true, "1080"
	case "http":
	default:
		return nil, fmt.Errorf("proxies of the kind %s cannot be used: only socks5:// and http:// can", u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, errors.New("the port of the proxy is no number from 1 to 65535")
	}
	p.addr = net.JoinHostPort(u.Hostname(), port)
	if _, _, err := net.SplitHostPort(p.addr); err != nil {
		return nil, errors.New("the host of the proxy cannot be read")
	}
	return p, nil
}

// FromEnvironment returns the value of ALL_PROXY or all_proxy, "" if there is none or if
// NO_PROXY or no_proxy excepts the server at addr, "host:port". A server on this machine is
// always excepted.
func FromEnvironment(getenv func(string) string, addr string) string {
	either := func(upper, lower string) string {
		if s := getenv(upper); s != "" {
			return s
		}
		return getenv(lower)
	}
	all := either("ALL_PROXY", "all_proxy")
	if all == "" {
		return ""
	}
	rules := httpproxy.Config{HTTPProxy: "http://proxy", NoProxy: either("NO_PROXY", "no_proxy")}
	if u, err := rules.ProxyFunc()(&url.URL{Scheme: "http", Host: addr}); u == nil || err != nil {
		return ""
	}
	return all
}

// String is the proxy's URL without user and password.
func (p *Proxy) String() string {
	if p.socks {
		return "socks5://" + p.addr
	}
	return "http://" + p.addr
}

// ProxyError says that the proxy could not be used, or does not connect to the server.
type ProxyError struct {
	Proxy   string // without user and password
	Reached bool   // the proxy itself could be connected to
	Err     error
}

func (e *ProxyError) Error() string { return fmt.Sprintf("proxy %s: %v", e.Proxy, e.Err) }
func (e *ProxyError) Unwrap() error { return e.Err }

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dial lets the proxy connect to addr.
func (p *Proxy) dial(ctx context.Context, direct dialFunc, network, addr string) (net.Conn, error) {
	nc, err := direct(ctx, network, p.addr)
	if err != nil {
		return nil, &ProxyError{p.String(), false, err}
	}
	if err := p.ask(ctx, nc, network, addr); err != nil {
		nc.Close()
		return nil, &ProxyError{p.String(), true, err}
	}
	return proxied{nc.(*net.TCPConn)}, nil
}

// ask has the proxy connect nc to addr, until ctx ends.
func (p *Proxy) ask(ctx context.Context, nc net.Conn, network, addr string) error {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	ask := p.askHTTP
	if p.socks {
		ask = p.askSOCKS
	}
	err := ask(nc, network, addr)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// opened is a proxy.Dialer to whom the connection is given.
type opened struct{ nc net.Conn }

func (o opened) Dial(string, string) (net.Conn, error) { return o.nc, nil }

func (p *Proxy) askSOCKS(nc net.Conn, network, addr string) error {
	var auth *proxy.Auth
	if p.user != nil {
		password, _ := p.user.Password()
		auth = &proxy.Auth{User: p.user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5(network, p.addr, auth, opened{nc})
	if err != nil {
		return err
	}
	// What is returned wraps nc and adds nothing.
	_, err = d.(proxy.ContextDialer).DialContext(context.Background(), network, addr)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // the addresses are known
	}
	return err
}

func (p *Proxy) askHTTP(nc net.Conn, _, addr string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if p.user != nil {
		password, _ := p.user.Password()
		req.SetBasicAuth(p.user.Username(), password)
		req.Header["Proxy-Authorization"] = req.Header["Authorization"]
		delete(req.Header, "Authorization")
	}
	req.Header.Set("User-Agent", "") // none
	if err := req.Write(nc); err != nil {
		return err
	}
	// Not a byte after the answer's head may be taken: it is the server's.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(single{nc}, 64<<10)), req)
	if err != nil {
		return fmt.Errorf("no answer of an HTTP proxy: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// single reads one byte at a time.
type single struct{ io.Reader }

func (r single) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return r.Reader.Read(p)
}

// proxied is a connection through a proxy. The addresses of the socket are not those of its
// ends in the server's network.
type proxied struct{ *net.TCPConn }

func (proxied) LocalAddr() net.Addr  { return unknown{} }
func (proxied) RemoteAddr() net.Addr { return unknown{} }

type unknown struct{}

func (unknown) Network() string { return "tcp" }
func (unknown) String() string  { return "behind a proxy" }
