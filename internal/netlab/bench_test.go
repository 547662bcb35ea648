package netlab

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// How much of the rate a download gets, and what the forwarders cost besides.
func BenchmarkThroughput(b *testing.B) {
	for _, rate := range []float64{200e6, 1e9, 0} {
		b.Run(fmt.Sprintf("%gMbit", rate/1e6), func(b *testing.B) {
			lab := newLab(b, Link{RTT: 10 * time.Millisecond, Rate: rate})
			client, server := connect(b, lab.Client, listen(b, lab.Server, lab.Server.Addr))
			go func() {
				chunk := make([]byte, 1<<20)
				for {
					if _, err := server.Write(chunk); err != nil {
						return
					}
				}
			}()
			begin := time.Now()
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
			if p, ok := lab.line.(*process); ok {
				lab.Close()
				used := p.cmd.ProcessState.SystemTime() + p.cmd.ProcessState.UserTime()
				b.ReportMetric(100*used.Seconds()/time.Since(begin).Seconds(), "%cpu")
			}
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
			listener := listen(b, lab.Server, lab.Server.Addr)
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
				cmd := lab.Client.Command(b.Context(), os.Args[0])
				cmd.Env = []string{fmt.Sprintf("%s=dial 50 %s", roleEnv, listener.Addr())}
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

// dialAndTime opens as many connections to an address as it is told, and prints how long each takes.
func dialAndTime(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(args[1])
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
