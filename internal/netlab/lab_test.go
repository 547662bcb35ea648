package netlab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// onEachLine runs a test on both kinds of line.
func onEachLine(t *testing.T, test func(t *testing.T, newLab func(Link) *Lab)) {
	for _, kind := range []struct {
		name string
		lay  layer
	}{{"tun", layTUN}, {"netem", layNetem}} {
		t.Run(kind.name, func(t *testing.T) {
			test(t, func(link Link) *Lab {
				t.Helper()
				lab, err := open(link, kind.lay, (*Lab).addSides)
				if errors.Is(err, unix.ENOENT) && kind.name == "netem" {
					t.Skip("this kernel has no netem")
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(lab.Close)
				return lab
			})
		})
	}
}

func newLab(t testing.TB, link Link) *Lab {
	t.Helper()
	lab, err := New(link)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	return lab
}

func listen(t testing.TB, side *Side, addr netip.Addr) net.Listener {
	t.Helper()
	l, err := side.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect gives both ends of a connection that the client has opened to the listener.
func connect(t testing.TB, client *Side, l net.Listener) (local, remote net.Conn) {
	t.Helper()
	local, err := client.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	if remote, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remote.Close() })
	return local, remote
}

// flood sends datagrams from the client to the server, with IP packets of the size.
func flood(t testing.TB, lab *Lab, packets, size int) {
	t.Helper()
	var sink net.PacketConn // never read, but there: else the server would send an ICMP answer
	err := lab.Server.Do(func() (err error) {
		sink, err = net.ListenPacket("udp", netip.AddrPortFrom(lab.Server.Addr, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	conn, err := lab.Client.Dial(t.Context(), "udp", sink.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range packets {
		if _, err := conn.Write(make([]byte, size-28)); err != nil { // less the headers of IP and UDP
			t.Fatal(err)
		}
	}
}

// waitForTraffic waits until the statistics of what goes to the server are as they should be.
func waitForTraffic(t testing.TB, lab *Lab, want func(Traffic) bool) {
	t.Helper()
	var s Stats
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var err error
		if s, err = lab.Stats(); err != nil {
			t.Fatal(err)
		}
		if want(s.ToServer) {
			return
		}
	}
	t.Fatalf("the statistics did not come about: %+v", s)
}

// Opening a connection takes a round trip.
func TestRoundTripIsNeverUndercut(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		const rtt = 20 * time.Millisecond
		lab := newLab(Link{RTT: rtt})
		for _, addr := range []netip.Addr{lab.Server.Addr, lab.Server.Addr6} {
			l := listen(t, lab.Server, addr)
			for range 3 {
				start := time.Now()
				connect(t, lab.Client, l)
				if took := time.Since(start); took < rtt {
					t.Errorf("connected to %v in %v", addr, took)
				}
			}
		}
	})
}

// 100 kB at 8 Mbit/s take 100 ms, in both directions.
func TestRateIsNeverExceeded(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		lab := newLab(Link{Rate: 8e6})
		client, server := connect(t, lab.Client, listen(t, lab.Server, lab.Server.Addr))
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			const size = 100e3
			start := time.Now()
			go way[0].Write(make([]byte, size))
			if _, err := io.ReadFull(way[1], make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < 100*time.Millisecond {
				t.Errorf("%v bytes took %v", size, took)
			}
		}
	})
}

func TestPacketsAreCounted(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		lab := newLab(Link{RTT: time.Millisecond})
		if s, err := lab.Stats(); err != nil || s != (Stats{}) {
			t.Fatalf("before anything is sent: %+v, %v", s, err)
		}
		flood(t, lab, 100, 1000)
		waitForTraffic(t, lab, func(got Traffic) bool { return got == Traffic{Packets: 100, Bytes: 100e3} })
	})
}

// The link takes 10 seconds for a packet, so none leaves the queue meanwhile.
func TestFullQueueDropsPackets(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		lab := newLab(Link{Rate: 1200, Queue: 10 * 1500})
		flood(t, lab, 100, 1500)
		waitForTraffic(t, lab, func(got Traffic) bool { return got.Dropped == 90 })
	})
}

func TestLoss(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		var dropped []uint64
		for range 2 {
			lab := newLab(Link{Loss: 0.3, Seed: 7})
			flood(t, lab, 1000, 100)
			waitForTraffic(t, lab, func(got Traffic) bool { return got.Packets+got.Dropped == 1000 })
			s, err := lab.Stats()
			if err != nil {
				t.Fatal(err)
			}
			dropped = append(dropped, s.ToServer.Dropped)
			if _, seeded := lab.line.(*process); seeded && dropped[0] != s.ToServer.Dropped {
				t.Errorf("the same seed lost %d packets", dropped)
			}
			if s.ToServer.Dropped < 200 || s.ToServer.Dropped > 400 {
				t.Errorf("lost %d of 1000 packets", s.ToServer.Dropped)
			}
		}
	})
}

func TestSetLink(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		lab := newLab(Link{})
		if err := lab.SetLink(Link{Loss: 1}); err != nil {
			t.Fatal(err)
		}
		flood(t, lab, 10, 100)
		waitForTraffic(t, lab, func(got Traffic) bool { return got.Packets == 0 && got.Dropped == 10 })
		const rtt = 30 * time.Millisecond
		if err := lab.SetLink(Link{RTT: rtt}); err != nil {
			t.Fatal(err)
		}
		l := listen(t, lab.Server, lab.Server.Addr)
		start := time.Now()
		connect(t, lab.Client, l)
		if took := time.Since(start); took < rtt {
			t.Errorf("connected in %v", took)
		}
		if err := lab.SetLink(Link{Loss: 2}); err == nil {
			t.Error("a loss of 2 was accepted")
		}
		lab.Close()
		if err := lab.SetLink(Link{}); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := lab.Stats(); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestMTU(t *testing.T) {
	onEachLine(t, func(t *testing.T, newLab func(Link) *Lab) {
		lab := newLab(Link{MTU: 9000})
		flood(t, lab, 1, 9000)
		waitForTraffic(t, lab, func(got Traffic) bool { return got == Traffic{Packets: 1, Bytes: 9000} })
	})
}

func TestImpossibleLinks(t *testing.T) {
	for _, link := range []Link{{RTT: -1}, {RTT: time.Hour}, {Rate: -1}, {Rate: 1}, {Loss: 1.1}, {Loss: -1},
		{MTU: 100}, {MTU: 1 << 20}, {Queue: -1}, {Queue: 1000}} {
		if lab, err := New(link); err == nil {
			lab.Close()
			t.Errorf("%+v was accepted", link)
		}
	}
}

// A router that translates hides the client's address and forwards a port of its own.
func TestRouterTranslatesAddresses(t *testing.T) {
	lab, err := NewRouted(Link{RTT: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	for _, addr := range []netip.Addr{lab.Server.Addr, lab.Server.Addr6} {
		_, remote := connect(t, lab.Client, listen(t, lab.Server, addr))
		if from := addressOf(remote); from != lab.Client.Addr && from != lab.Client.Addr6 {
			t.Errorf("before translation the client came from %v", from)
		}
	}

	l := listen(t, lab.Server, lab.Server.Addr)
	translate := lab.Router.Command(t.Context(), "nft", `
		table ip nat {
			chain in { type nat hook prerouting priority dstnat; tcp dport 2121 dnat to `+l.Addr().String()+`; }
			chain out { type nat hook postrouting priority srcnat; oifname lan0 masquerade; }
		}`)
	if out, err := translate.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	local, err := lab.Client.Dial(context.Background(), "tcp", netip.AddrPortFrom(lab.Router.Addr, 2121).String())
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	remote, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	if from := addressOf(remote); from != farSide {
		t.Errorf("the client came from %v, not from the router's %v", from, farSide)
	}
}

func addressOf(peer net.Conn) netip.Addr {
	return netip.MustParseAddrPort(peer.RemoteAddr().String()).Addr()
}

// What the kernel keeps for the forwarder never overflows, however fast a sender is.
func TestNothingIsDroppedBesideTheLink(t *testing.T) {
	lab := newLab(t, Link{RTT: time.Millisecond})
	client, server := connect(t, lab.Client, listen(t, lab.Server, lab.Server.Addr))
	const size = 32 << 20
	go server.Write(make([]byte, size))
	if _, err := io.CopyN(io.Discard, client, size); err != nil {
		t.Fatal(err)
	}
	for _, side := range []*Side{lab.Server, lab.Client} {
		err := side.end(linkDevice).do(func(dev netlink.Link) error {
			if s := dev.Attrs().Statistics; s.TxPackets == 0 || s.TxDropped != 0 || s.RxDropped != 0 {
				t.Errorf("the device at %v counts %+v", side.Addr, *s)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if s, err := lab.Stats(); err != nil || s.ToClient.Bytes < size || s.ToClient.Dropped+s.ToServer.Dropped != 0 {
		t.Errorf("the link counts %+v, %v", s, err)
	}
}

func TestForwarderThatDiesIsToldOf(t *testing.T) {
	var forwarder *process
	lab, err := open(Link{}, func(server, client end, link Link) (line, error) {
		l, err := layTUN(server, client, link)
		forwarder, _ = l.(*process)
		return l, err
	}, (*Lab).addSides)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	forwarder.cmd.Process.Kill()
	for err == nil {
		_, err = lab.Stats()
	}
	if !strings.Contains(err.Error(), "forwarder") {
		t.Errorf("the forwarder was killed: %v", err)
	}
}

func TestCloseTwice(t *testing.T) {
	before := openFiles(t)
	lab := newLab(t, Link{})
	lab.Close()
	lab.Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d open files, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Both ends of a connection have the congestion control that was chosen, and a name that is none
// is refused.
func TestSetTCP(t *testing.T) {
	lab := newLab(t, Link{})
	if err := lab.SetTCP("reno"); err != nil { // every kernel has it
		t.Fatal(err)
	}
	client, server := connect(t, lab.Client, listen(t, lab.Server, lab.Server.Addr))
	for _, conn := range []net.Conn{client, server} {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var name string
		raw.Control(func(fd uintptr) { name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) })
		if name = strings.TrimRight(name, "\x00"); err != nil || name != "reno" {
			t.Errorf("it is %q: %v", name, err)
		}
	}
	if err := lab.SetTCP("none of them"); err == nil || !strings.Contains(err.Error(), `no congestion control "none of them"`) {
		t.Errorf("said of an unknown name: %v", err)
	}
}
