package netlab

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// netem is a pair of virtual Ethernet devices, each with the kernel's network emulator as its
// queue.
type netem struct {
	server, client end
}

const ethernetHeader = 14 // bytes, which the kernel counts and the link does not

// layNetem fails with ENOENT when the kernel has no netem.
func layNetem(server, client end, link Link) (line, error) {
	if err := layVeth(server, client, link.mtu()); err != nil {
		return nil, err
	}
	n := &netem{server, client}
	for _, e := range []end{server, client} {
		// Each packet goes through netem by itself, instead of many as one.
		err := e.do(func(dev netlink.Link) error { return netlink.LinkSetGSOMaxSegs(dev, 1) })
		if err != nil {
			n.close()
			return nil, fmt.Errorf("switch off segmentation by %s: %w", e.device, err)
		}
	}
	if err := n.set(link); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *netem) set(link Link) error {
	for _, e := range []end{n.server, n.client} {
		err := e.do(func(dev netlink.Link) error {
			attrs := netlink.QdiscAttrs{LinkIndex: dev.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
			return netlink.QdiscReplace(netlink.NewNetem(attrs, link.netem()))
		})
		if err != nil {
			return fmt.Errorf("give %s the queue netem: %w", e.device, err)
		}
	}
	return nil
}

// netem gives the link in the kernel's terms. Its limit is in packets, and those under way count.
func (l Link) netem() netlink.NetemQdiscAttrs {
	limit := 1 << 20
	if l.Rate > 0 {
		limit = 1 + (l.queue()+int(l.Rate/8*l.RTT.Seconds()/2))/l.mtu()
	}
	wholePacket := float64(l.mtu()+ethernetHeader) / float64(l.mtu())
	return netlink.NetemQdiscAttrs{
		Latency: uint32((l.RTT/2 + time.Microsecond - 1) / time.Microsecond),
		Rate64:  uint64(l.Rate / 8 * wholePacket),
		Loss:    float32(l.Loss * 100),
		Limit:   uint32(limit),
	}
}

func (n *netem) stats() (Stats, error) {
	var s Stats
	return s, errors.Join(
		count(n.server, &s.ToServer, &s.ToClient),
		count(n.client, &s.ToClient, &s.ToServer))
}

// count adds what has arrived at an end, and what its queue has dropped.
func count(e end, in, out *Traffic) error {
	err := e.do(func(dev netlink.Link) error {
		received := dev.Attrs().Statistics
		in.Packets, in.Bytes = received.RxPackets, received.RxBytes-ethernetHeader*received.RxPackets
		queues, err := netlink.QdiscList(dev)
		if err != nil {
			return err
		}
		for _, q := range queues {
			if stats := q.Attrs().Statistics; q.Type() == "netem" && stats != nil {
				out.Dropped = uint64(stats.Queue.Drops)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count packets: %w", err)
	}
	return nil
}

func (n *netem) close() {
	n.server.do(func(dev netlink.Link) error { return netlink.LinkDel(dev) }) // and with it the other
}
