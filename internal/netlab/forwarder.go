package netlab

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// forwarder carries packets from one TUN device to the other, through a wire.
type forwarder struct {
	from, to int
	mtu      int
	wire     *wire
	link     atomic.Pointer[Link] // to change to; nil = as it is

	packets, bytes, dropped atomic.Uint64
}

func newForwarder(from, to int, link Link, stream uint64) *forwarder {
	return &forwarder{from: from, to: to, mtu: link.mtu(), wire: newWire(link, stream)}
}

func (f *forwarder) traffic() Traffic {
	return Traffic{Packets: f.packets.Load(), Bytes: f.bytes.Load(), Dropped: f.dropped.Load()}
}

// burst is how many packets are taken before looking again for those that are due.
const burst = 16

// grain is the shortest time from one look at the packets to the next, as network cards have it:
// else waking up for each packet of a stream would take most of a processor. What comes alone is not
// delayed by it.
const grain = 200 * time.Microsecond

// run forwards until a device is gone. It takes a thread for itself.
func (f *forwarder) run() error {
	runtime.LockOSThread()
	// An ordinary thread may be woken up to 50 µs late, so that timers fall together.
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	begin := time.Now()
	buffer := make([]byte, f.mtu)
	for {
		looked := time.Now()
		for more := true; more; {
			var err error
			if more, err = f.take(begin, buffer); err != nil {
				return fmt.Errorf("read a packet: %w", err)
			}
			for arrival, ok := f.wire.next(); ok && arrival <= time.Since(begin); arrival, ok = f.wire.next() {
				f.deliver(f.wire.deliver())
			}
		}
		sleep(grain - time.Since(looked))
		if err := f.wait(begin); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for packets: %w", err)
		}
	}
}

// take gives a burst of packets to the wire, and tells whether there may be more.
func (f *forwarder) take(begin time.Time, buffer []byte) (more bool, err error) {
	for range burst {
		n, err := unix.Read(f.from, buffer)
		if err == unix.EAGAIN || err == unix.EINTR {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if link := f.link.Swap(nil); link != nil {
			f.wire.set(*link)
		}
		if !f.wire.accept(time.Since(begin), buffer[:n]) {
			f.dropped.Add(1)
		}
	}
	return true, nil
}

func (f *forwarder) deliver(packet []byte) {
	if _, err := unix.Write(f.to, packet); err != nil { // the device is down
		f.dropped.Add(1)
		return
	}
	f.packets.Add(1)
	f.bytes.Add(uint64(len(packet)))
}

// wait returns when there is a packet to take or to deliver.
func (f *forwarder) wait(begin time.Time) error {
	var timeout *unix.Timespec // none: for ever
	if arrival, ok := f.wire.next(); ok {
		t := unix.NsecToTimespec(int64(max(0, arrival-time.Since(begin))))
		timeout = &t
	}
	_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(f.from), Events: unix.POLLIN}}, timeout, nil)
	return err
}

// sleep is like time.Sleep, by the kernel's timer.
func sleep(d time.Duration) {
	if d > 0 {
		t := unix.NsecToTimespec(int64(d))
		unix.Nanosleep(&t, nil) // interrupted is slept enough
	}
}

// hurry makes this process run as soon as a timer ends or a packet comes. What is not allowed is left
// out: then packets are late when the machine is busy.
func hurry() {
	// All threads, since one that the Go scheduler waits for must not wait for a processor. Threads
	// to come inherit it.
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			unix.SchedSetAttr(tid, &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, 0)
		}
	}
}
