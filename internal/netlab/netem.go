package netlab

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// netem is a pair of virtual Ethernet devices that have the kernel's network emulator as queues.
type netem struct {
	server, client end
}

const ethernetHeader = 14 // bytes, which the kernel counts and the link does not

// layNetem fails with ENOENT, and has done nothing, when the kernel has no netem.
func layNetem(server, client end, link Link) (line, error) {
	loopback := end{namespace: server.namespace, device: "lo"}
	if err := loopback.emulate(Link{}); err != nil {
		return nil, err
	}
	if err := loopback.do(func(dev netlink.Link) error { return netlink.QdiscDel(netemOf(dev, Link{})) }); err != nil {
		return nil, fmt.Errorf("free lo from netem: %w", err)
	}
	if err := layVeth(server, client, link.mtu()); err != nil {
		return nil, err
	}
	n := &netem{server, client}
	for _, e := range []end{server, client} {
		// Each packet goes through netem by itself, instead of many as one.
		if err := e.do(func(dev netlink.Link) error { return netlink.LinkSetGSOMaxSegs(dev, 1) }); err != nil {
			return nil, fmt.Errorf("switch off segmentation by %s: %w", e.device, err)
		}
	}
	return n, n.set(link)
}

func (n *netem) set(link Link) error {
	return errors.Join(n.server.emulate(link), n.client.emulate(link))
}

// emulate lets what leaves by the device be queued as the link is.
func (e end) emulate(link Link) error {
	err := e.do(func(dev netlink.Link) error { return netlink.QdiscReplace(netemOf(dev, link)) })
	if err != nil {
		return fmt.Errorf("give %s the queue netem: %w", e.device, err)
	}
	return nil
}

// netemOf gives the link in the kernel's terms. Its limit is in packets, and those under way count.
func netemOf(dev netlink.Link, link Link) netlink.Qdisc {
	limit := 1 << 20
	if link.Rate > 0 {
		limit = (link.queue() + int(link.Rate/8*link.RTT.Seconds()/2)) / link.mtu()
	}
	wholePacket := float64(link.mtu()+ethernetHeader) / float64(link.mtu())
	attrs := netlink.QdiscAttrs{LinkIndex: dev.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
	return netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{
		Latency: uint32((link.RTT/2 + time.Microsecond - 1) / time.Microsecond),
		Rate64:  uint64(link.Rate / 8 * wholePacket),
		Loss:    float32(link.Loss * 100),
		Limit:   uint32(limit),
	})
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
