package netlab

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// end is where a line meets a namespace: a device with addresses.
type end struct {
	namespace *os.File
	device    string
	addrs     []netip.Prefix
}

func (e end) do(f func(netlink.Link) error) error {
	return within(e.namespace, func() error {
		dev, err := netlink.LinkByName(e.device)
		if err != nil {
			return fmt.Errorf("find the device %s: %w", e.device, err)
		}
		return f(dev)
	})
}

// up gives the device its addresses and brings it up.
func (e end) up(mtu int) error {
	return e.do(func(dev netlink.Link) error {
		if err := netlink.LinkSetMTU(dev, mtu); err != nil {
			return fmt.Errorf("set the MTU of %s: %w", e.device, err)
		}
		for _, a := range e.addrs {
			addr := &netlink.Addr{
				IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())},
				Flags: unix.IFA_F_NODAD, // usable at once
			}
			if err := netlink.AddrAdd(dev, addr); err != nil {
				return fmt.Errorf("give %s the address %v: %w", e.device, a, err)
			}
		}
		if err := netlink.LinkSetUp(dev); err != nil {
			return fmt.Errorf("bring up %s: %w", e.device, err)
		}
		return nil
	})
}

// layVeth joins two ends by a pair of virtual Ethernet devices.
func layVeth(a, b end, mtu int) error {
	err := within(a.namespace, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: a.device},
			PeerName:      b.device,
			PeerNamespace: netlink.NsFd(b.namespace.Fd()),
		})
	})
	if err != nil {
		return fmt.Errorf("make a pair of virtual Ethernet devices: %w", err)
	}
	if err := a.up(mtu); err != nil {
		return err
	}
	if err := b.up(mtu); err != nil {
		return err
	}
	if err := a.meet(b); err != nil {
		return err
	}
	return b.meet(a)
}

// meet tells an end the hardware address of the other, which it would ask for else: a round
// trip that a link between networks does not have.
func (e end) meet(other end) error {
	var there net.HardwareAddr
	err := other.do(func(dev netlink.Link) error {
		there = dev.Attrs().HardwareAddr
		return nil
	})
	if err != nil {
		return err
	}
	return e.do(func(dev netlink.Link) error {
		for _, a := range other.addrs {
			neighbour := &netlink.Neigh{LinkIndex: dev.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.Addr().AsSlice(), HardwareAddr: there}
			if err := netlink.NeighSet(neighbour); err != nil {
				return fmt.Errorf("tell %s the hardware address of %v: %w", e.device, a.Addr(), err)
			}
		}
		return nil
	})
}
