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

func newEnd(namespace *os.File, device string, addr, addr6 netip.Addr) end {
	return end{namespace, device, []netip.Prefix{netip.PrefixFrom(addr, 24), netip.PrefixFrom(addr6, 64)}}
}

// do calls f with the device, in the namespace.
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

// hardwareAddr is that of both devices of a pair. A device without address resolution sends to its
// own address, which is then the other's. So nobody asks for addresses, which would take round trips
// that a link between networks does not have, and nothing is on the link but what programs send.
var hardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, 1}

// layVeth joins two ends by a pair of virtual Ethernet devices.
func layVeth(a, b end, mtu int) error {
	err := within(a.namespace, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:        netlink.LinkAttrs{Name: a.device, HardwareAddr: hardwareAddr},
			PeerName:         b.device,
			PeerNamespace:    netlink.NsFd(b.namespace.Fd()),
			PeerHardwareAddr: hardwareAddr,
		})
	})
	if err != nil {
		return fmt.Errorf("make a pair of virtual Ethernet devices: %w", err)
	}
	for _, e := range []end{a, b} {
		if err := e.do(func(dev netlink.Link) error { return netlink.LinkSetARPOff(dev) }); err != nil {
			return fmt.Errorf("switch off address resolution on %s: %w", e.device, err)
		}
		if err := e.up(mtu); err != nil {
			return err
		}
	}
	return nil
}
