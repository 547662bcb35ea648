package netlab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// connect gives the client's and the server's end of a connection.
func connect(t testing.TB, lab *Lab) (client, server net.Conn) {
	t.Helper()
	listener, err := lab.Server.Listen("tcp", net.JoinHostPort(lab.Server.Addr.String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = lab.Client.Dial(context.Background(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// How much of the rate a download gets, and what the forwarders cost besides.
func BenchmarkThroughput(b *testing.B) {
	for _, rate := range []float64{200e6, 1e9, 0} {
		b.Run(fmt.Sprintf("%gMbit", rate/1e6), func(b *testing.B) {
			client, server := connect(b, newLab(b, Link{RTT: 10 * time.Millisecond, Rate: rate}))
			go func() {
				chunk := make([]byte, 1<<20)
				for {
					if _, err := server.Write(chunk); err != nil {
						return
					}
				}
			}()
			chunk := make([]byte, 1<<20)
			for range 8 { // past slow start
				if _, err := io.ReadFull(client, chunk); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				if _, err := io.ReadFull(client, chunk); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(chunk))*8/1e6/b.Elapsed().Seconds(), "Mbit/s")
		})
	}
}

// By how much opening a connection takes longer than the round-trip time, while the processors have
// nothing else to do, and while this process keeps them busy. Another process measures, as
// urgent as the forwarders: what is late is the link.
func BenchmarkLateness(b *testing.B) {
	for _, busy := range []int{0, runtime.NumCPU()} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			const rtt = 20 * time.Millisecond
			lab := newLab(b, Link{RTT: rtt, Rate: 200e6})
			listener, err := lab.Server.Listen("tcp", net.JoinHostPort(lab.Server.Addr.String(), "0"))
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close()
			var stop atomic.Bool
			defer stop.Store(true)
			for range busy {
				go func() {
					for !stop.Load() {
					}
				}()
			}
			var late []time.Duration
			for b.Loop() {
				const n = 50
				cmd := lab.Client.Command(b.Context(), os.Args[0])
				cmd.Env = []string{fmt.Sprintf("%s=%d %s", dialEnv, n, listener.Addr())}
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				for line := range strings.Lines(string(out)) {
					took, err := time.ParseDuration(strings.TrimSpace(line))
					if err != nil {
						b.Fatal(err)
					}
					late = append(late, took-rtt)
				}
			}
			slices.Sort(late)
			b.ReportMetric(0, "ns/op")
			for _, p := range []int{0, 50, 99} {
				b.ReportMetric(float64(late[len(late)*p/100].Microseconds()), fmt.Sprintf("µs-late-p%d", p))
			}
		})
	}
}

// dialEnv makes the test program a process that opens connections: as many as it says, to the address it says.
const dialEnv = "NETLAB_DIAL"

func TestMain(m *testing.M) {
	if order := os.Getenv(dialEnv); order != "" {
		if err := dialAndTime(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func dialAndTime(order string) error {
	var n int
	var address string
	if _, err := fmt.Sscan(order, &n, &address); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	hurry()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return err
		}
		fmt.Println(time.Since(begin))
		unix.Close(fd)
	}
	return nil
}
