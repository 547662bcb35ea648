package netlab

import (
	"errors"
	"fmt"
	"sync"
)

// Lab is two network namespaces and the link between them.
type Lab struct {
	Server, Client *Side

	mu   sync.Mutex // guards the fields below
	link Link
	line line // nil when closed
}

// New makes a lab. The caller closes it.
func New(link Link) (*Lab, error) {
	lab, err := open(link, layLine)
	if err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	return lab, nil
}

func open(link Link, lay func(server, client end, link Link) (line, error)) (*Lab, error) {
	if err := link.check(); err != nil {
		return nil, err
	}
	l := &Lab{link: link}
	var err error
	if l.Server, err = newSide("10.77.0.1", "fd00::1"); err == nil {
		if l.Client, err = newSide("10.77.0.2", "fd00::2"); err == nil {
			l.line, err = lay(l.Server.end(), l.Client.end(), link)
		}
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

var errClosed = errors.New("netlab: the lab is closed")

// SetLink changes the link for the packets to come: when it returns. Those under way arrive as they
// would have. The MTU and the Seed stay.
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

// Close takes the link away. It does not end the processes and sockets in the namespaces, which live as long
// as these do. Closing again does nothing.
func (l *Lab) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != nil {
		l.line.close()
		l.line = nil
	}
	for _, side := range []*Side{l.Server, l.Client} {
		if side != nil {
			side.namespace.Close()
		}
	}
}
