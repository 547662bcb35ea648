package netlab

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Lab is two network namespaces and the link between them, or three in a row.
type Lab struct {
	Server, Client *Side
	Router         *Side // between the link and the server; nil but in a lab of NewRouted

	mu   sync.Mutex // guards the fields below
	link Link
	line line // nil when closed
}

// New makes a lab. The caller closes it.
func New(link Link) (*Lab, error) { return open(link, layLine, (*Lab).addSides) }

// NewRouted makes a lab with a router: the link is between the client, whose device lab0 it is, and
// the router, whose devices are lab0 and, towards the server, lan0. The router forwards as it is
// told by the caller's rules, at first everything. The caller closes the lab.
func NewRouted(link Link) (*Lab, error) { return open(link, layLine, (*Lab).addRoutedSides) }

func open(link Link, lay layer, addSides func(*Lab) error) (*Lab, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	l := &Lab{link: link}
	err := addSides(l)
	if err == nil {
		near := l.Server
		if l.Router != nil {
			near = l.Router
		}
		l.line, err = lay(near.end(linkDevice), l.Client.end(linkDevice), link)
	}
	if err == nil && l.Router != nil {
		err = l.route()
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("netlab: %w", err)
	}
	return l, nil
}

func (l *Lab) addSides() (err error) {
	if l.Server, err = newSide("10.77.0.1", "fd00::1"); err == nil {
		l.Client, err = newSide("10.77.0.2", "fd00::2")
	}
	return err
}

var errClosed = errors.New("netlab: the lab is closed")

// SetLink changes the link for the packets to come, at the latest when it returns. Those under way
// arrive as they would have. The MTU and the Seed stay.
func (l *Lab) SetLink(link Link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == nil {
		return errClosed
	}
	link.MTU, link.Seed = l.link.MTU, l.link.Seed
	if err := link.check(); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	if err := l.line.set(link); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	return nil
}

// SetTCP lets connections that begin on the sides from now on use a congestion control that the
// kernel has and lets everybody use (/proc/sys/net/ipv4/tcp_allowed_congestion_control), such as
// "cubic". At first it is the one outside.
func (l *Lab) SetTCP(name string) error {
	for _, side := range []*Side{l.Server, l.Client} {
		err := side.Do(func() error { return set("ipv4/tcp_congestion_control", name) })
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("netlab: the kernel has no congestion control %q", name)
		} else if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("netlab: the congestion control %q is not in /proc/sys/net/ipv4/tcp_allowed_congestion_control", name)
		} else if err != nil {
			return fmt.Errorf("netlab: %w", err)
		}
	}
	return nil
}

// Stats gives what went over the link so far.
func (l *Lab) Stats() (Stats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == nil {
		return Stats{}, errClosed
	}
	stats, err := l.line.stats()
	if err != nil {
		return Stats{}, fmt.Errorf("netlab: %w", err)
	}
	return stats, nil
}

// Close takes the link away. It does not end the processes and sockets in the namespaces. Closing
// again does nothing.
func (l *Lab) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != nil {
		l.line.close()
		l.line = nil
	}
	for _, side := range []*Side{l.Server, l.Router, l.Client} {
		if side != nil {
			side.namespace.Close()
		}
	}
}
