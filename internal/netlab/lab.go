package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// Lab is two network namespaces and the link between them.
type Lab struct {
	Server, Client *Side

	mu       sync.Mutex // guards the fields below
	link     Link
	closed   bool
	tuns     []int
	toServer *forwarder
	toClient *forwarder
}

const device = "lab0"

// New makes a lab. The caller closes it.
func New(link Link) (*Lab, error) {
	if err := link.check(); err != nil {
		return nil, err
	}
	l := &Lab{
		link:   link,
		Server: &Side{Addr: netip.MustParseAddr("10.77.0.1"), Addr6: netip.MustParseAddr("fd00::1"), device: device},
		Client: &Side{Addr: netip.MustParseAddr("10.77.0.2"), Addr6: netip.MustParseAddr("fd00::2"), device: device},
	}
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("netlab: %w", err)
	}
	return l, nil
}

func (l *Lab) open() error {
	for _, side := range []*Side{l.Server, l.Client} {
		var err error
		if side.namespace, err = newNamespace(); err != nil {
			return err
		}
		if err := side.Do(func() error { return l.plug(side) }); err != nil {
			return err
		}
	}
	var err error
	if l.toServer, err = startForwarder(l.tuns[1], l.tuns[0], l.link, 0); err != nil {
		return err
	}
	l.toClient, err = startForwarder(l.tuns[0], l.tuns[1], l.link, 1)
	return err
}

// plug gives a side its device.
func (l *Lab) plug(side *Side) error {
	if err := prepare(); err != nil {
		return err
	}
	tun, err := openTUN(side.device)
	if err != nil {
		return err
	}
	l.tuns = append(l.tuns, tun)
	return configure(side.device, l.link.mtu(), netip.PrefixFrom(side.Addr, 24), netip.PrefixFrom(side.Addr6, 64))
}

// SetLink changes the link for the packets to come, those under way arrive as they would have. The
// MTU and the Seed stay.
func (l *Lab) SetLink(link Link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	link.MTU, link.Seed = l.link.MTU, l.link.Seed
	if err := link.check(); err != nil {
		return err
	}
	if l.closed {
		return errors.New("netlab: the lab is closed")
	}
	l.link = link
	l.toServer.set(link)
	l.toClient.set(link)
	return nil
}

// Stats gives what went over the link so far.
func (l *Lab) Stats() Stats {
	return Stats{ToServer: l.toServer.counters.traffic(), ToClient: l.toClient.counters.traffic()}
}

// Close takes the link away and waits for the forwarders. The namespaces end with the last
// process and socket in them; Close ends neither.
func (l *Lab) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	for _, f := range []*forwarder{l.toServer, l.toClient} {
		if f != nil {
			f.stop()
		}
	}
	for _, tun := range l.tuns {
		unix.Close(tun)
	}
	for _, side := range []*Side{l.Server, l.Client} {
		if side.namespace != nil {
			side.namespace.Close()
		}
	}
}
