package netlab

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// forwarder carries packets from one TUN device to the other, through a wire. It has a thread
// of its own, so that nothing but the kernel's timer decides when a packet arrives.
type forwarder struct {
	from, to int // TUN descriptors, not owned
	wake     int // eventfd: a change of the link, or the end
	wire     *wire
	mtu      int
	counters counters

	link    atomic.Pointer[Link] // to change to, nil = no change
	stopped atomic.Bool
	done    chan struct{}
}

// burst is how many packets are read before looking at those that are due.
const burst = 16

func startForwarder(from, to int, link Link, stream uint64) (*forwarder, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := &forwarder{from: from, to: to, wake: wake, wire: newWire(link, stream), mtu: link.mtu(), done: make(chan struct{})}
	go f.run()
	return f, nil
}

// set changes the link for the packets to come.
func (f *forwarder) set(link Link) {
	f.link.Store(&link)
	f.signal()
}

// stop ends the forwarder and waits for it.
func (f *forwarder) stop() {
	f.stopped.Store(true)
	f.signal()
	<-f.done
	unix.Close(f.wake)
}

func (f *forwarder) signal() {
	unix.Write(f.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only when signalled already
}

func (f *forwarder) run() {
	defer close(f.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel may wake an ordinary thread 50 µs late.
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // to the default

	start := time.Now()
	packet := make([]byte, f.mtu)
	fds := []unix.PollFd{{Fd: int32(f.from), Events: unix.POLLIN}, {Fd: int32(f.wake), Events: unix.POLLIN}}
	for {
		var timeout *unix.Timespec
		if arrival, ok := f.wire.next(); ok {
			t := unix.NsecToTimespec(int64(max(0, arrival-time.Since(start))))
			timeout = &t
		}
		if _, err := unix.Ppoll(fds, timeout, nil); err != nil && err != unix.EINTR {
			return
		}
		if fds[1].Revents != 0 {
			if f.stopped.Load() {
				return
			}
			var n [8]byte
			unix.Read(f.wake, n[:])
			if link := f.link.Swap(nil); link != nil {
				f.wire.set(*link)
			}
		}
		for range burst {
			n, err := unix.Read(f.from, packet)
			if err == unix.EAGAIN || err == unix.EINTR {
				break
			}
			if err != nil {
				return // the device is gone
			}
			switch f.wire.accept(time.Since(start), packet[:n]) {
			case lost:
				f.counters.lost.Add(1)
			case dropped:
				f.counters.dropped.Add(1)
			}
		}
		for {
			arrival, ok := f.wire.next()
			if !ok || arrival > time.Since(start) {
				break
			}
			p := f.wire.deliver()
			// A device that is down refuses it, as a cable that is pulled out.
			if _, err := unix.Write(f.to, p); err != nil {
				f.counters.lost.Add(1)
				continue
			}
			f.counters.packets.Add(1)
			f.counters.bytes.Add(uint64(len(p)))
		}
	}
}
