package netlab

import (
	"math/rand/v2"
	"time"
)

// wire is one direction of a link: it decides what becomes of a packet, and holds those that
// are under way. Times are measured from any fixed moment; they never go backwards.
//
// A packet departs when the line has sent all before it and itself at its rate, and arrives
// half a round trip later. Packets stay in order.
type wire struct {
	delay  time.Duration
	rate   float64 // bytes per second, 0 = unlimited
	queue  float64 // bytes
	loss   float64
	random *rand.Rand

	free   time.Duration // when the line has sent all that it has accepted
	newest time.Duration // arrival of the packet accepted last

	// A ring of the packets under way. Buffers are used again.
	ring  []flying
	first int
	count int
}

type flying struct {
	arrival time.Duration
	packet  []byte
}

// newWire makes a wire; each direction has a stream of random numbers of its own.
func newWire(link Link, stream uint64) *wire {
	w := &wire{random: rand.New(rand.NewPCG(link.Seed, stream)), ring: make([]flying, 64)}
	w.set(link)
	return w
}

// set changes the wire for the packets to come.
func (w *wire) set(link Link) {
	w.delay = (link.RTT + 1) / 2
	w.rate = link.Rate / 8
	w.queue = float64(link.queue())
	w.loss = link.Loss
}

// accept takes a packet that reaches the wire now, and tells whether it will arrive.
func (w *wire) accept(now time.Duration, packet []byte) bool {
	departure := now
	if w.rate > 0 {
		start := max(now, w.free)
		waiting := (start - now).Seconds() * w.rate
		if waiting+float64(len(packet)) > w.queue {
			return false
		}
		departure = start + time.Duration(float64(len(packet))/w.rate*float64(time.Second))
		w.free = departure
	}
	if w.loss > 0 && w.random.Float64() < w.loss {
		return false
	}
	w.newest = max(w.newest, departure+w.delay)
	w.push(flying{arrival: w.newest}, packet)
	return true
}

// next tells when the next packet arrives, if any is under way.
func (w *wire) next() (arrival time.Duration, ok bool) {
	return w.ring[w.first].arrival, w.count > 0
}

// deliver takes the next packet out. It is valid until the next accept.
func (w *wire) deliver() []byte {
	packet := w.ring[w.first].packet
	w.first = (w.first + 1) % len(w.ring)
	w.count--
	return packet
}

func (w *wire) push(f flying, packet []byte) {
	if w.count == len(w.ring) {
		bigger := make([]flying, 2*len(w.ring))
		copy(bigger[copy(bigger, w.ring[w.first:]):], w.ring[:w.first])
		w.ring, w.first = bigger, 0
	}
	slot := &w.ring[(w.first+w.count)%len(w.ring)]
	f.packet = append(slot.packet[:0], packet...)
	*slot = f
	w.count++
}
