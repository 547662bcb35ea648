package netlab

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
)

// settings of a namespace, made before it has a device.
var settings = [][2]string{
	// No connection learns from those before it, else the order of measurements counts.
	{"ipv4/tcp_no_metrics_save", "1"},
	// Nothing is on the link but what programs send: without a link-local address there are
	// no router solicitations and multicast reports.
	{"ipv6/conf/default/addr_gen_mode", "1"},
	{"ipv6/conf/default/accept_ra", "0"},
}

func set(setting, value string) error {
	if err := os.WriteFile("/proc/sys/net/"+setting, []byte(value), 0); err != nil {
		return fmt.Errorf("set up a network namespace: %w", err)
	}
	return nil
}

// prepare makes the thread's network namespace, which is fresh, ready for use.
func prepare() error {
	for _, s := range settings {
		if err := set(s[0], s[1]); err != nil {
			return err
		}
	}
	return loopbackUp()
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up the loopback device: %w", err)
	}
	return nil
}
