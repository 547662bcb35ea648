package netlab

import "sync/atomic"

// Stats is what went over a link so far.
type Stats struct {
	ToServer, ToClient Traffic
}

// Traffic is what went in one direction. Bytes are those of whole IP packets.
type Traffic struct {
	Packets, Bytes uint64 // that arrived
	Lost           uint64 // packets lost by chance
	Dropped        uint64 // packets for which the queue was too full
}

// counters are written by a forwarder and read by anybody.
type counters struct {
	packets, bytes, lost, dropped atomic.Uint64
}

func (c *counters) traffic() Traffic {
	return Traffic{Packets: c.packets.Load(), Bytes: c.bytes.Load(), Lost: c.lost.Load(), Dropped: c.dropped.Load()}
}
