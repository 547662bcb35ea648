package ftpfs_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// A killer kills a server at an exact point of the conversation with it. It
// sits in the client's dialler and is harmless until it is armed.
type killer struct {
	server *ftptest.Server

	mu    sync.Mutex
	when  moment
	armed bool
	dead  chan struct{} // closed when the server was killed
}

// A moment is where a server dies: when so many bytes of data were moved, or
// at the nth command of a kind, before it is sent or right after.
type moment struct {
	received, sent int64 // bytes of data connections; 0 = not there
	command        string
	nth            int // of that command; 0 = the first
	after          bool
}

// mountKiller mounts a real server that can be killed at a moment. It has the
// files given before it is mounted.
func mountKiller(t *testing.T, name string, files map[string][]byte) (*ftptest.Server, *fusetest.Mount, *killer) {
	t.Helper()
	server := ftptest.Real(t, name, ftptest.RealOptions{})
	put(t, server, files)
	k := &killer{server: server}
	m := fusetest.Server(t, ftpclient.Config{
		Addr: server.Addr, User: server.User, Password: server.Password, Timeout: silence, Dial: k.dial,
	}, ftpfs.Options{})
	return server, m, k
}

// arm says when the server shall die, and returns a channel that is closed
// when it is dead.
func (k *killer) arm(when moment) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	when.nth = max(1, when.nth)
	k.when, k.armed, k.dead = when, true, make(chan struct{})
	return k.dead
}

func (k *killer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &killerConn{TCPConn: nc.(*net.TCPConn), k: k, control: addr == k.server.Addr}, nil
}

// moved counts down and tells whether the moment has come.
func (k *killer) moved(received, sent int64) bool {
	return k.reach(func() bool {
		inward, outward := k.when.received > 0, k.when.sent > 0
		k.when.received -= received
		k.when.sent -= sent
		return inward && k.when.received <= 0 || outward && k.when.sent <= 0
	})
}

// said is moved for the commands of one write.
func (k *killer) said(p []byte, after bool) bool {
	return k.reach(func() bool {
		if k.when.command == "" || k.when.after != after {
			return false
		}
		k.when.nth -= bytes.Count(p, []byte(k.when.command+" "))
		return k.when.nth <= 0
	})
}

func (k *killer) reach(f func() bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.armed || !f() {
		return false
	}
	k.armed = false
	return true
}

func (k *killer) kill() {
	k.server.Kill()
	close(k.dead)
}

type killerConn struct {
	*net.TCPConn
	k       *killer
	control bool
}

func (c *killerConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if !c.control && c.k.moved(int64(n), 0) {
		c.k.kill()
	}
	return n, err
}

func (c *killerConn) Write(p []byte) (int, error) {
	if !c.control && c.k.moved(0, int64(len(p))) || c.control && c.k.said(p, false) {
		c.k.kill()
	}
	n, err := c.TCPConn.Write(p)
	if c.control && c.k.said(p, true) {
		c.k.kill()
	}
	return n, err
}

// revive starts the server again and waits until the mount works.
func (k *killer) revive(t *testing.T, m *fusetest.Mount) {
	t.Helper()
	if err := k.server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "using the mount again", func() error {
		k.keepUp(t)
		_, err := m.Try("ls -l > /dev/null; echo alive > alive; sync alive; test \"$(cat alive)\" = alive; rm alive")
		return err
	})
}

// keepUp starts the server again when it has died by itself: the listening
// process of vsftpd 3.0.3 crashes now and then when a session ends too soon.
func (k *killer) keepUp(t *testing.T) {
	t.Helper()
	if syscall.Kill(k.server.Pid(), 0) == syscall.ESRCH {
		t.Logf("%s crashed", k.server.Name)
		if err := k.server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
}

// died waits until the moment has come.
func died(t *testing.T, dead <-chan struct{}) {
	t.Helper()
	select {
	case <-dead:
	case <-time.After(20 * time.Second):
		t.Fatal("the moment to kill the server never came")
	}
}
