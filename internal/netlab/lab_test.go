package netlab

import (
	"context"
	"net"
	"testing"
	"time"
)

func newLab(t testing.TB, link Link) *Lab {
	t.Helper()
	lab, err := New(link)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	return lab
}

// Opening a connection takes a round trip, never less.
func TestRoundTripIsNeverUndercut(t *testing.T) {
	const rtt = 20 * time.Millisecond
	lab := newLab(t, Link{RTT: rtt})
	for _, addr := range []string{lab.Server.Addr.String(), lab.Server.Addr6.String()} {
		listener, err := lab.Server.Listen("tcp", net.JoinHostPort(addr, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		for range 3 {
			start := time.Now()
			conn, err := lab.Client.Dial(context.Background(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < rtt {
				t.Errorf("connected to %s in %v", addr, took)
			}
			conn.Close()
		}
	}
}
