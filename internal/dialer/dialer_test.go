package dialer

import (
	"net"
	"net/netip"
	"testing"
)

func TestLocalAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := Dialer{Local: netip.MustParseAddr("127.0.0.9")}
	nc, err := d.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if from := nc.LocalAddr().(*net.TCPAddr).IP.String(); from != "127.0.0.9" {
		t.Errorf("from %s", from)
	}
}

func TestVersion(t *testing.T) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer four.Close()
	for _, tt := range []struct {
		d    Dialer
		host string
		ok   bool
	}{
		{Dialer{}, "localhost", true},
		{Dialer{Version: IPv4}, "localhost", true},
		{Dialer{Version: IPv4}, "127.0.0.1", true},
		{Dialer{Version: IPv6}, "127.0.0.1", false},
		{Dialer{Version: IPv6, Proxy: &Proxy{socks: true, addr: "127.0.0.1:1"}}, "host", false},
		{Dialer{Local: netip.MustParseAddr("::1")}, "127.0.0.1", false},
	} {
		_, port, _ := net.SplitHostPort(four.Addr().String())
		nc, err := tt.d.Dial(t.Context(), "tcp", net.JoinHostPort(tt.host, port))
		if (err == nil) != tt.ok {
			t.Errorf("%+v %s: %v", tt.d, tt.host, err)
		}
		if err == nil {
			nc.Close()
		}
	}
}

// A socket that is tied to loopback reaches loopback and nothing else; both ends are tied.
func TestInterface(t *testing.T) {
	d := Dialer{Interface: "lo"}
	l, err := d.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := d.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	gone := Dialer{Interface: "nosuchif0"}
	if _, err := gone.Dial(t.Context(), "tcp", l.Addr().String()); err == nil {
		t.Error("dialled over an interface that does not exist")
	}
	if _, err := gone.Listen(t.Context(), "tcp", "127.0.0.1:0"); err == nil {
		t.Error("listening on an interface that does not exist")
	}
}

func TestParseBind(t *testing.T) {
	if a, i, err := ParseBind("::ffff:192.0.2.1"); err != nil || a != netip.MustParseAddr("192.0.2.1") || i != "" {
		t.Error(a, i, err)
	}
	if a, i, err := ParseBind("lo"); err != nil || a.IsValid() || i != "lo" {
		t.Error(a, i, err)
	}
	if _, _, err := ParseBind("nosuchif0"); err == nil || err.Error() != `"nosuchif0" is neither an IP address nor a network interface of this machine` {
		t.Error(err)
	}
}
