package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/netlab"
)

// A network is where a row is measured.
type network string

const (
	onLink   network = "link"
	loopback network = "loopback"
)

// A site is a server and the place where its clients run.
type site struct {
	server *ftptest.Server
	lab    *netlab.Lab // nil on loopback
	rtt    time.Duration
	rate   float64 // bit/s
}

// newSite starts the named server with its files in dir. Without a lab it is on loopback.
func newSite(dir, name string, lab *netlab.Lab, o options) (*site, error) {
	dir = filepath.Join(dir, name+"-"+string(loopback))
	here := func(f func() error) error { return f() }
	var addr netip.Addr
	if lab != nil {
		dir = filepath.Join(filepath.Dir(dir), name+"-"+string(onLink))
		here, addr = lab.Server.Do, lab.Server.Addr
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	s := &site{lab: lab, rtt: o.rtt, rate: o.rate}
	err := here(func() (err error) {
		s.server, err = ftptest.NewReal(dir, name, ftptest.RealOptions{Addr: addr, TLS: true})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	return s, nil
}

func (s *site) close() { s.server.Close() }

// start starts a program that talks to the server.
func (s *site) start(cmd *exec.Cmd) error {
	if s.lab == nil {
		return cmd.Start()
	}
	return s.lab.Client.Do(cmd.Start)
}
