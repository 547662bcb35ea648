package netlab

import (
	"math/rand/v2"
	"time"
)

// wire is one direction of a link: it decides what becomes of a packet and holds those that
// are under way. Times are measured from any fixed moment; they never go backwards.
//
// A packet departs when the line has sent all before it, at the rate of the line, and arrives
// half a round trip after its last bit has departed. Packets stay in order.
type wire struct {
	delay  time.Duration
	rate   float64 // bytes per second, 0 = unlimited
	queue  float64 // bytes that may wait
	loss   float64
	random *rand.Rand

	free   time.Duration // when the line has sent all that it has accepted
	newest time.Duration // arrival of the last packet that was accepted

	// A ring of the packets under way. The buffers are used again.
	ring  []flying
	first int
	count int
}

type flying struct {
	arrival time.Duration
	data    []byte
}

type fate int

const (
	carried fate = iota
	lost         // by chance
	dropped      // because the queue was full
)

func newWire(link Link, stream uint64) *wire {
	w := &wire{random: rand.New(rand.NewPCG(link.Seed, stream)), ring: make([]flying, 64)}
	w.set(link)
	return w
}

// set changes the line for the packets to come.
func (w *wire) set(link Link) {
	w.delay = link.RTT / 2
	w.rate = link.Rate / 8
	w.queue = float64(link.queue())
	w.loss = link.Loss
}

// accept takes a packet that is handed to the line now.
func (w *wire) accept(now time.Duration, packet []byte) fate {
	departure := now
	if w.rate > 0 {
		start := max(now, w.free)
		waiting := (start - now).Seconds() * w.rate
		if waiting+float64(len(packet)) > w.queue {
			return dropped
		}
		departure = start + time.Duration(float64(len(packet))/w.rate*float64(time.Second))
		w.free = departure
	}
	if w.loss > 0 && w.random.Float64() < w.loss {
		return lost
	}
	w.newest = max(w.newest, departure+w.delay)
	w.push(w.newest, packet)
	return carried
}

// next tells when the next packet arrives, if any is under way.
func (w *wire) next() (arrival time.Duration, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	return w.ring[w.first].arrival, true
}

// deliver takes the next packet out. It is valid until the next accept.
func (w *wire) deliver() []byte {
	p := w.ring[w.first].data
	w.first = (w.first + 1) % len(w.ring)
	w.count--
	return p
}

func (w *wire) push(arrival time.Duration, packet []byte) {
	if w.count == len(w.ring) {
		bigger := make([]flying, 2*len(w.ring))
		n := copy(bigger, w.ring[w.first:])
		copy(bigger[n:], w.ring[:w.first])
		w.ring, w.first = bigger, 0
	}
	p := &w.ring[(w.first+w.count)%len(w.ring)]
	p.arrival = arrival
	p.data = append(p.data[:0], packet...)
	w.count++
}
