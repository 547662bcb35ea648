package main

import (
	"encoding/gob"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The process of a mount tells ftpfs umount how the mount has ended, over a socket in the
// abstract name space, which leaves no file behind. It is named by the mount's device
// number, which no other mount has. Both sides make sure of the other's user. The process
// greets with one report, so that it is known to listen before the mount is ended, and
// sends another when all is put away.

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

// lastWords is the side of the mount's process.
type lastWords struct {
	listener *net.UnixListener // nil: nobody can be told
	accepts  sync.WaitGroup

	mu      sync.Mutex
	waiting map[*net.UnixConn]*gob.Encoder
}

// listen waits for those who will end the mount m. Without the socket the mount works
// all the same.
func listen(m mountEntry, log *slog.Logger) *lastWords {
	w := &lastWords{waiting: make(map[*net.UnixConn]*gob.Encoder)}
	if !m.ours() {
		return w
	}
	listener, err := net.ListenUnix("unix", socketOf(m))
	if err != nil {
		log.Warn("ftpfs umount will not learn how the mount ends", "error", err)
		return w
	}
	w.listener = listener
	w.accepts.Go(func() {
		for {
			c, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			w.greet(c)
		}
	})
	return w
}

func (w *lastWords) greet(c *net.UnixConn) {
	encoder := gob.NewEncoder(c)
	c.SetWriteDeadline(time.Now().Add(greetingWait))
	if uid := peer(c); uid != 0 && uid != os.Getuid() || encoder.Encode(report{}) != nil {
		c.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[c] = encoder
}

// say tells all who wait that the mount has ended with err, and ends.
func (w *lastWords) say(err error) {
	if w.listener == nil {
		return
	}
	w.listener.Close()
	w.accepts.Wait()
	var r report
	if err != nil {
		r = report{exitCode(err), err.Error()}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, encoder := range w.waiting {
		c.SetWriteDeadline(time.Now().Add(greetingWait))
		encoder.Encode(r) // whoever has gone does not hear it
		c.Close()
	}
}

// process is the process of a mount, as ftpfs umount sees it.
type process struct {
	conn    *net.UnixConn
	decoder *gob.Decoder
}

// processOf connects to the process of the mount m; nil if there is none that answers.
func processOf(m mountEntry) *process {
	c, err := net.DialUnix("unix", nil, socketOf(m))
	if err != nil {
		return nil
	}
	p := &process{c, gob.NewDecoder(c)}
	var greeting report
	c.SetReadDeadline(time.Now().Add(greetingWait))
	if strconv.Itoa(peer(c)) != m.owner || p.decoder.Decode(&greeting) != nil {
		c.Close()
		return nil
	}
	c.SetReadDeadline(time.Time{})
	return p
}

// wait returns how the mount has ended, when all is put away.
func (p *process) wait() error {
	var r report
	if err := p.decoder.Decode(&r); err != nil {
		return fail(exitUnmount, "The process of the mount ended without a word: what had not been uploaded is lost.")
	}
	if r.Code != 0 {
		return fail(r.Code, "%s", r.Text)
	}
	return nil
}
