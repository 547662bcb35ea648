package netlab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

func (l *Lab) addRoutedSides() (err error) {
	if l.Client, err = newSide("10.77.0.2", "fd00::2"); err != nil {
		return err
	}
	if l.Router, err = newSide("10.77.0.1", "fd00::1"); err != nil {
		return err
	}
	l.Server, err = newSide("10.78.0.2", "fd01::2")
	return err
}

// The router's addresses towards the server.
var (
	farSide  = netip.MustParseAddr("10.78.0.1")
	farSide6 = netip.MustParseAddr("fd01::1")
)

// route joins the router to the server and lets it forward.
func (l *Lab) route() error {
	err := l.Router.Do(func() error {
		for _, setting := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := set(setting, "1"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	far := newEnd(l.Router.namespace, serverDevice, farSide, farSide6)
	if err := layVeth(far, l.Server.end(serverDevice), l.link.mtu()); err != nil {
		return err
	}
	if err := l.Server.end(serverDevice).leave(farSide, farSide6); err != nil {
		return err
	}
	return l.Client.end(linkDevice).leave(l.Router.Addr, l.Router.Addr6)
}

// leave sends what is for another network through routers.
func (e end) leave(routers ...netip.Addr) error {
	return e.do(func(dev netlink.Link) error {
		for _, router := range routers {
			everything := &net.IPNet{IP: make(net.IP, router.BitLen()/8), Mask: make(net.IPMask, router.BitLen()/8)}
			route := &netlink.Route{LinkIndex: dev.Attrs().Index, Dst: everything, Gw: router.AsSlice()}
			if err := netlink.RouteAdd(route); err != nil {
				return fmt.Errorf("route through %v: %w", router, err)
			}
		}
		return nil
	})
}
