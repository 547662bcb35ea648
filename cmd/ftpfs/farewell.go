package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	forcedWait  = 5 * time.Second // for uploads, with --force
	farewellNow = 500 * time.Millisecond
)

// farewell waits for the process of a mount that is being unmounted, and tells meanwhile
// what it still has to send. The zero value knows no process, and waits for nothing.
type farewell struct {
	process *process // that is waited for
	asked   *process // and the same, to be asked meanwhile
	force   bool
	line    io.Writer // a terminal; nil if there is none
}

// farewell connects to the process of m, before the mount goes.
func (h host) farewell(m mountEntry, force bool, stderr io.Writer) *farewell {
	f := &farewell{process: processOf(m), force: force}
	if f.process == nil {
		return f
	}
	f.asked = processOf(m)
	if file, ok := stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		f.line = file
	}
	return f
}

func (f *farewell) close() {
	for _, p := range []*process{f.process, f.asked} {
		if p != nil {
			p.conn.Close()
		}
	}
}

// wait returns how the mount has ended; with force it is not waited for long.
func (f *farewell) wait() error {
	if f.process == nil {
		return nil
	}
	if f.force {
		f.process.conn.SetReadDeadline(time.Now().Add(forcedWait))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		f.show(stop)
	}()
	err := f.process.wait()
	close(stop)
	<-stopped
	if f.force && errors.Is(err, os.ErrDeadlineExceeded) {
		return f.stays()
	}
	return err
}

// show draws a line about what is left, until stop is closed.
func (f *farewell) show(stop <-chan struct{}) {
	if f.line == nil || f.asked == nil {
		return
	}
	tick := time.NewTicker(farewellNow)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			fmt.Fprint(f.line, "\r\x1b[K")
			return
		case <-tick.C:
		}
		if s, err := f.asked.status(); err == nil {
			fmt.Fprintf(f.line, "\r\x1b[K%s", printable(s.left()))
		}
	}
}

// left tells in one line what is still to be sent.
func (s status) left() string {
	total, moved := int64(0), int64(0)
	for _, p := range s.Pending {
		total += p.Size
	}
	for _, t := range s.Transfers {
		if t.Upload {
			moved += t.Moved
		}
	}
	if total == 0 {
		return "waiting for the server"
	}
	return fmt.Sprintf("sending %s: %s of %s %s", files(len(s.Pending)), size(moved), size(total), bar(moved, total))
}

// stays is the error that names what the server does not have; nil if there is nothing.
func (f *farewell) stays() error {
	if f.asked == nil {
		return nil
	}
	s, err := f.asked.status()
	if err != nil || len(s.Pending) == 0 {
		return nil // nothing is known to be left
	}
	const most = 5
	var names []string
	for i, p := range s.Pending {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(s.Pending)-most))
			break
		}
		names = append(names, p.Path)
	}
	return fail(exitUnmount, "These files are not on the server yet: %s. The process %d is still trying to send them; what it cannot send is kept for the next mount of the same directory.", strings.Join(names, ", "), s.Pid)
}
