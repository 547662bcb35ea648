package netlab

import (
	"errors"
	"fmt"
	"time"
)

// Link says how the line is, the same in both directions. The zero value is a line without delay,
// limit or loss.
type Link struct {
	RTT   time.Duration // round-trip time: half of it each way
	Rate  float64       // bits per second of IP packets, each way; 0 = unlimited
	Loss  float64       // probability that a packet is lost, each way, from 0 to 1
	Queue int           // bytes that may wait for the line, each way; 0 = RTT × Rate, at least 256 KiB
	MTU   int           // bytes of the largest IP packet; 0 = 1500
	Seed  uint64        // of the chance: the same seed loses the same packets
}

const (
	defaultMTU   = 1500
	leastMTU     = 1280 // of IPv6, RFC 8200 section 5
	mostMTU      = 65535
	defaultQueue = 256 << 10
)

func (l Link) mtu() int {
	if l.MTU == 0 {
		return defaultMTU
	}
	return l.MTU
}

func (l Link) queue() int {
	if l.Queue == 0 {
		return max(defaultQueue, int(l.Rate/8*l.RTT.Seconds()))
	}
	return l.Queue
}

func (l Link) check() error {
	switch {
	case l.RTT < 0 || l.RTT > time.Minute: // netem counts to minutes only
		return fmt.Errorf("a round-trip time of %v: it must be from 0 to 1m", l.RTT)
	case l.Rate != 0 && !(l.Rate >= 1000 && l.Rate <= 1e12):
		return fmt.Errorf("a rate of %v bit/s: it must be 0 or from 1e3 to 1e12", l.Rate)
	case !(l.Loss >= 0 && l.Loss <= 1):
		return fmt.Errorf("a loss of %v: it must be from 0 to 1", l.Loss)
	case l.mtu() < leastMTU || l.mtu() > mostMTU:
		return fmt.Errorf("an MTU of %d: it must be from %d to %d", l.MTU, leastMTU, mostMTU)
	case l.Queue < 0 || l.Queue != 0 && l.Queue < l.mtu():
		return errors.New("the queue must hold a packet at least")
	}
	return nil
}
