package netlab

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// drain gives the arrivals of all that is under way, and the packets.
func drain(w *wire) (arrivals []time.Duration, packets [][]byte) {
	for {
		arrival, ok := w.next()
		if !ok {
			return arrivals, packets
		}
		arrivals = append(arrivals, arrival)
		packets = append(packets, bytes.Clone(w.deliver()))
	}
}

// 1000 bytes at 8 Mbit/s take a millisecond.
func TestWireSendsAtItsRate(t *testing.T) {
	w := newWire(Link{RTT: 20 * ms, Rate: 8e6}, 0)
	packet := make([]byte, 1000)
	for _, now := range []time.Duration{0, 0, 1 * ms, 7 * ms} {
		if !w.accept(now, packet) {
			t.Fatalf("dropped at %v", now)
		}
	}
	arrivals, _ := drain(w)
	if want := []time.Duration{11 * ms, 12 * ms, 13 * ms, 18 * ms}; !slices.Equal(arrivals, want) {
		t.Errorf("arrivals %v, want %v", arrivals, want)
	}
}

func TestWireWithoutRateOnlyDelays(t *testing.T) {
	w := newWire(Link{RTT: 20 * ms}, 0)
	for range 1000 {
		if !w.accept(5*ms, make([]byte, 1500)) {
			t.Fatal("dropped")
		}
	}
	arrivals, _ := drain(w)
	if len(arrivals) != 1000 || arrivals[0] != 15*ms || arrivals[999] != 15*ms {
		t.Errorf("%d packets, from %v to %v", len(arrivals), arrivals[0], arrivals[len(arrivals)-1])
	}
}

func TestWireDropsWhatTheQueueCannotHold(t *testing.T) {
	w := newWire(Link{Rate: 8e6, Queue: 3000}, 0)
	packet := make([]byte, 1000)
	var fates []bool
	for range 5 {
		fates = append(fates, w.accept(0, packet))
	}
	fates = append(fates, w.accept(1*ms, packet), w.accept(1*ms, packet)) // one has left
	if want := []bool{true, true, true, false, false, true, false}; !slices.Equal(fates, want) {
		t.Errorf("accepted %v, want %v", fates, want)
	}
}

func TestWireLosesTheSameWithTheSameSeed(t *testing.T) {
	lose := func(seed, stream uint64) (fates []bool) {
		w := newWire(Link{Loss: 0.25, Seed: seed}, stream)
		for range 10000 {
			fates = append(fates, w.accept(0, nil))
		}
		return fates
	}
	a := lose(1, 0)
	if !slices.Equal(a, lose(1, 0)) {
		t.Error("the same seed lost others")
	}
	if slices.Equal(a, lose(2, 0)) || slices.Equal(a, lose(1, 1)) {
		t.Error("another seed or direction lost the same")
	}
	lost := 0
	for _, arrives := range a {
		if !arrives {
			lost++
		}
	}
	if math.Abs(float64(lost)-2500) > 5*math.Sqrt(10000*0.25*0.75) {
		t.Errorf("lost %d of 10000", lost)
	}
}

// Whatever comes and however the link changes: packets arrive whole and in order, none before
// its time, and no faster than the line sends.
func TestWireKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawLink := func() Link {
			return Link{
				RTT:   time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "rtt")),
				Rate:  rapid.SampledFrom([]float64{0, 1e5, 1e6, 1e9}).Draw(t, "rate"),
				Queue: rapid.SampledFrom([]int{0, 1500, 10000}).Draw(t, "queue"),
				Loss:  rapid.SampledFrom([]float64{0, 0, 0.2, 1}).Draw(t, "loss"),
			}
		}
		link := drawLink()
		w := newWire(link, 0)
		var now, newest, departed time.Duration
		var sent, arrived uint64
		earliest := make(map[uint64]time.Duration)
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) { now += time.Duration(rapid.Int64Range(0, int64(200*ms)).Draw(t, "wait")) },
			"set": func(t *rapid.T) {
				link = drawLink()
				w.set(link)
			},
			"accept": func(t *rapid.T) {
				packet := make([]byte, rapid.IntRange(8, 1500).Draw(t, "size"))
				binary.BigEndian.PutUint64(packet, sent)
				if !w.accept(now, packet) {
					return
				}
				if link.Rate > 0 {
					departed = max(departed, now) + time.Duration(float64(len(packet))*8/link.Rate*1e9) - 1
					earliest[sent] = departed + link.RTT/2
				} else {
					earliest[sent] = now + link.RTT/2
				}
				sent++
			},
			"deliver": func(t *rapid.T) {
				arrival, ok := w.next()
				if !ok {
					return
				}
				if got := binary.BigEndian.Uint64(w.deliver()); got != arrived {
					t.Fatalf("packet %d arrived as number %d", got, arrived)
				}
				if arrival < earliest[arrived] || arrival < newest {
					t.Fatalf("packet %d arrived at %v, before %v or %v", arrived, arrival, earliest[arrived], newest)
				}
				newest = arrival
				arrived++
			},
		})
		if _, rest := drain(w); uint64(len(rest)) != sent-arrived {
			t.Fatalf("%d packets under way, want %d", len(rest), sent-arrived)
		}
	})
}
