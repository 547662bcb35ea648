package main

import (
	"context"
	"encoding/gob"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ftpfs/ftpfs"
)

// Other commands talk to the process of a mount over a socket in the abstract name
// space, which leaves no file behind. It is named by the mount's device number, which no
// other mount has. When the mount has gone the next one may get the number, and the name with
// it: who is connected by then still is answered while uploads go on, nobody else. Both sides
// make sure of the other's user. The process greets with one report, so that it is known to
// listen, answers each request with another, and sends a last one when the mount has ended and
// all is put away.

const greetingWait = 2 * time.Second

func socketOf(m mountEntry) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: "@ftpfs/" + m.device}
}

// peer is the user at the other end of a connection; -1 if that cannot be told.
func peer(c *net.UnixConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid
}

// request is what is asked of the process of a mount.
type request struct {
	What    question
	Profile string // its kind
	Refresh string // a place in the mount: "/a/b", "/"
}

type question uint8

const (
	askRefresh question = iota
	askStatus           // answered by report.Status
	askClear            // of the cache
	askProfile          // answered by report.Profile
	askVerify           // of the cache, answered by report.Verified, in its time
)

// answers are what the process of a mount can do for those who ask.
type answers struct {
	refresh func(ctx context.Context, path string) error
	clear   func(ctx context.Context) error
	verify  func(ctx context.Context) (ftpfs.Verified, error)
	status  func() status
}

// refreshTime is how long the kernel may take to forget.
const refreshTime = 10 * time.Second

// control is the side of the mount's process.
type control struct {
	listener *net.UnixListener // nil: nobody can ask
	answers  answers
	ctx      context.Context // ends with the mount
	cancel   context.CancelFunc
	wg       sync.WaitGroup // the listener and the connections

	mu    sync.Mutex
	peers map[*net.UnixConn]*gob.Encoder
}

// listen answers those who ask the process of the mount m, until end; they have to come before
// it has gone. Without the socket the mount works all the same.
func listen(m mountEntry, gone <-chan struct{}, can answers, log *slog.Logger) *control {
	c := &control{answers: can, peers: make(map[*net.UnixConn]*gob.Encoder)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if !m.ours() {
		return c
	}
	listener, err := net.ListenUnix("unix", socketOf(m))
	// The process of a mount that has just gone may not know it yet.
	for end := time.Now().Add(greetingWait); errors.Is(err, unix.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		listener, err = net.ListenUnix("unix", socketOf(m))
	}
	if err != nil {
		log.Warn("ftpfs umount, refresh and status cannot reach this process", "error", err)
		return c
	}
	c.listener = listener
	c.wg.Go(func() {
		select {
		case <-gone:
		case <-c.ctx.Done():
		}
		listener.Close()
	})
	c.wg.Go(func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(conn) })
		}
	})
	return c
}

// serve greets, and answers requests until the peer has gone or the mount has ended.
func (c *control) serve(conn *net.UnixConn) {
	defer conn.Close()
	encoder := gob.NewEncoder(conn)
	if uid := peer(conn); uid != 0 && uid != os.Getuid() || !c.greet(conn, encoder) {
		return
	}
	for decoder := gob.NewDecoder(conn); ; {
		var r request
		if decoder.Decode(&r) != nil {
			break
		}
		c.send(conn, encoder, c.do(r))
	}
	c.mu.Lock()
	delete(c.peers, conn)
	c.mu.Unlock()
}

// greet tells the peer that it will hear of the mount's end, false if it will not.
func (c *control) greet(conn *net.UnixConn, encoder *gob.Encoder) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.SetWriteDeadline(time.Now().Add(greetingWait))
	if c.peers == nil || encoder.Encode(report{}) != nil {
		return false
	}
	c.peers[conn] = encoder
	return true
}

func (c *control) do(r request) report {
	ctx, cancel := context.WithTimeout(c.ctx, refreshTime)
	defer cancel()
	var err error
	switch r.What {
	case askStatus:
		now := c.answers.status()
		return report{Status: &now}
	case askProfile:
		data, err := takeProfile(ctx, r.Profile)
		if err != nil {
			return reportOf(fail(exitUsage, "There is no profile %q: %w.", r.Profile, err))
		}
		return report{Profile: data}
	case askVerify:
		found, err := c.answers.verify(c.ctx) // as long as it takes
		if err != nil {
			return reportOf(fail(exitUnmount, "The cache could not be verified: %w.", err))
		}
		return report{Verified: &found}
	case askClear:
		err = c.answers.clear(ctx)
	default:
		err = c.answers.refresh(ctx, strings.TrimSuffix(r.Refresh, "/"))
	}
	if err != nil {
		return reportOf(fail(exitUnmount, "The mount could not be refreshed: %w.", err))
	}
	return report{}
}

func reportOf(err error) report {
	if err == nil {
		return report{}
	}
	return report{Code: exitCode(err), Text: err.Error()}
}

// send sends a report, which whoever has gone does not get.
func (c *control) send(conn *net.UnixConn, encoder *gob.Encoder, r report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.SetWriteDeadline(time.Now().Add(greetingWait))
	encoder.Encode(r)
}

// end tells all who wait that the mount has ended with err.
func (c *control) end(err error) {
	c.cancel()
	if c.listener == nil {
		return
	}
	c.mu.Lock()
	peers := c.peers
	c.peers = nil
	c.mu.Unlock()
	for conn, encoder := range peers {
		c.send(conn, encoder, reportOf(err))
		conn.CloseRead()
	}
	c.wg.Wait()
}

// process is the process of a mount, as other commands see it.
type process struct {
	conn    *net.UnixConn
	encoder *gob.Encoder
	decoder *gob.Decoder
}

// processOf connects to the process of the mount m; nil if there is none that answers.
func processOf(m mountEntry) *process {
	c, err := net.DialUnix("unix", nil, socketOf(m))
	if err != nil {
		return nil
	}
	p := &process{c, gob.NewEncoder(c), gob.NewDecoder(c)}
	var greeting report
	c.SetReadDeadline(time.Now().Add(greetingWait))
	if strconv.Itoa(peer(c)) != m.owner || p.decoder.Decode(&greeting) != nil {
		c.Close()
		return nil
	}
	c.SetReadDeadline(time.Time{})
	return p
}

// ask sends a request and returns how it was answered.
func (p *process) ask(r request) (report, error) {
	if err := p.encoder.Encode(r); err != nil {
		return report{}, fail(exitUnmount, "The process of the mount cannot be asked: %w.", err)
	}
	return p.receive()
}

// wait returns how the mount has ended, when all is put away.
func (p *process) wait() error {
	_, err := p.receive()
	return err
}

func (p *process) receive() (report, error) {
	var r report
	err := p.decoder.Decode(&r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return r, fail(exitUnmount, "The process of the mount does not answer: %w.", err)
	} else if err != nil {
		return r, fail(exitUnmount, "The process of the mount ended without a word: what it has not uploaded is kept for the next mount of the same directory.")
	}
	if r.Code != 0 {
		return r, fail(r.Code, "%s", r.Text)
	}
	return r, nil
}

// status asks what the mount is doing.
func (p *process) status() (status, error) {
	p.conn.SetReadDeadline(time.Now().Add(refreshTime))
	r, err := p.ask(request{What: askStatus})
	if err == nil && r.Status == nil {
		err = fail(exitUnmount, "The process of the mount is of another version of ftpfs, which tells no status: mount again.")
	}
	if err != nil {
		return status{}, err
	}
	return *r.Status, nil
}
