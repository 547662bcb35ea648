package netlab

import (
	"errors"

	"golang.org/x/sys/unix"
)

// line is what carries packets between two ends. Its methods are not called at the same time.
type line interface {
	set(Link) error // for the packets to come
	stats() (Stats, error)
	close() // takes the devices away
}

// layer joins two ends by a line.
type layer func(server, client end, link Link) (line, error)

// layLine joins two ends in the best way that the kernel has.
func layLine(server, client end, link Link) (line, error) {
	netem, err := layNetem(server, client, link)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) { // it has no netem, no veth
		return layTUN(server, client, link)
	}
	return netem, err
}
