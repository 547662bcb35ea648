package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// portQueue hands out the ports of a range to listen on, the one given back longest ago
// first: a server that connects from a fixed port of its own may have to wait before it can
// come to the same port again. Who finds none waits; nil is any port of the machine.
type portQueue chan uint16

func newPortQueue(r PortRange) portQueue {
	if r.Hi == 0 {
		return nil
	}
	q := make(portQueue, int(r.Hi)-int(r.Lo)+1)
	for port := int(r.Lo); port <= int(r.Hi); port++ {
		q <- uint16(port)
	}
	return q
}

const (
	// portRest is how long a port is not used after a transfer was given up: the server's
	// connection may still come, and would be taken for that of another transfer.
	portRest = 10 * time.Second
	// portPause is the pause after all ports were found in use by other programs.
	portPause = 50 * time.Millisecond
)

// dataListener waits for the server's data connection.
type dataListener struct {
	*net.TCPListener
	ports    portQueue
	port     uint16
	stranger netip.Addr // has connected and is not the server; zero none
}

// end closes the listener and gives its port back. open: the server may still connect.
func (l *dataListener) end(open bool) {
	l.Close()
	switch {
	case l.ports == nil:
	case open:
		time.AfterFunc(portRest, func() { l.ports <- l.port })
	default:
		l.ports <- l.port
	}
}

// listenData listens on the control connection's own address. It waits for a free port
// for at most the timeout.
func (c *conn) listenData(ctx context.Context) (*dataListener, error) {
	q := c.client.ports
	if q == nil {
		l, err := c.listenOn(ctx, 0)
		return &dataListener{TCPListener: l}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.client.cfg.Timeout)
	defer cancel()
	for tried := 1; ; tried++ {
		var port uint16
		select {
		case port = <-q:
		case <-ctx.Done():
			return nil, c.noPort(ctx)
		case <-c.client.ctx.Done():
			return nil, c.fail(net.ErrClosed)
		}
		l, err := c.listenOn(ctx, port)
		if err == nil {
			return &dataListener{TCPListener: l, ports: q, port: port}, nil
		}
		q <- port
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		if tried%cap(q) != 0 {
			continue
		}
		select {
		case <-time.After(portPause):
		case <-ctx.Done():
			return nil, c.noPort(ctx)
		case <-c.client.ctx.Done():
			return nil, c.fail(net.ErrClosed)
		}
	}
}

func (c *conn) listenOn(ctx context.Context, port uint16) (*net.TCPListener, error) {
	return c.client.cfg.Listen(ctx, "tcp", net.JoinHostPort(c.local.String(), strconv.Itoa(int(port))))
}

// noPort says why waiting for a port has ended.
func (c *conn) noPort(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	ports := c.client.cfg.ActivePorts
	return fmt.Errorf("all ports of %d-%d are in use: %w", ports.Lo, ports.Hi, os.ErrDeadlineExceeded)
}

// accept takes the connection of the server at peer. Those from other hosts are closed.
func (l *dataListener) accept(peer netip.Addr) (net.Conn, error) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if l.stranger.IsValid() {
				err = fmt.Errorf("%w (a connection from %s was closed, which is not the server)", err, l.stranger)
			}
			return nil, err
		}
		from := addrOf(nc.RemoteAddr())
		if from == peer {
			return nc, nil
		}
		l.stranger = from
		nc.Close()
	}
}
