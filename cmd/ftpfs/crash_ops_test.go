package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"pgregory.net/rapid"

	"ftpfs/internal/ftptest"
)

// The operations of the crash model.

func (m *crashModel) opens(t *rapid.T) {
	slot := m.slot(t, false)
	path := crashName.Draw(t, "path")
	flags := syscall.O_RDWR | syscall.O_CREAT | syscall.O_CLOEXEC
	h := &crashHandle{}
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		flags |= syscall.O_TRUNC
	case 1:
		flags |= syscall.O_APPEND
		h.appends = true
	}
	m.attempt(t, fmt.Sprintf("open %s %#x as %d", path, flags, slot), func() (err error) {
		h.fd, err = syscall.Open(m.at(path), flags, 0o644)
		return err
	}, func() {
		f := m.files[path]
		if f == nil {
			f = &crashFile{path: path, unborn: true}
			m.files[path] = f
		} else if flags&syscall.O_TRUNC != 0 {
			m.set(f, nil, 0, nil)
		}
		h.file = f
		if h.fd > 0 {
			m.open[slot] = h
		}
	})
}

func (m *crashModel) write(t *rapid.T) {
	m.store(t, m.slot(t, true), int(crashOffset.Draw(t, "off")), crashLength.Draw(t, "n"))
}

func (m *crashModel) appends(t *rapid.T) {
	slot := m.slot(t, true)
	m.store(t, slot, len(m.open[slot].file.data), crashLength.Draw(t, "n"))
}

func (m *crashModel) store(t *rapid.T, slot, off, n int) {
	const most = 4 << 20
	h := m.open[slot]
	f, p := h.file, m.content(t, n)
	if h.appends {
		off = len(f.data)
	}
	if off+n > most {
		m.skip()
	}
	stored := 0
	change := func(off int, p []byte) {
		data := slices.Clone(f.data)
		if gap := off + len(p) - len(data); gap > 0 {
			data = append(data, make([]byte, gap)...)
		}
		copy(data[off:], p)
		m.set(f, data, off, p)
	}
	done := m.attempt(t, fmt.Sprintf("write %d %s %d+%d", slot, f.path, off, n), func() (err error) {
		stored, err = syscall.Pwrite(h.fd, p, int64(off))
		if err == nil && stored < n && !m.shaky && !m.down {
			return fmt.Errorf("only %d were written", stored)
		}
		return err
	}, func() {
		if stored > 0 {
			change(off, p[:stored])
		} else {
			change(off, p)
		}
	})
	if done && stored < n && m.down { // the kernel was not told how the rest of it went
		m.revive(t, func() { change(off+stored, p[stored:]) })
	}
}

func (m *crashModel) truncate(t *rapid.T) {
	slot, size := m.slot(t, true), int(crashOffset.Draw(t, "size"))
	h := m.open[slot]
	m.attempt(t, fmt.Sprintf("truncate %d %s %d", slot, h.file.path, size), func() error {
		return syscall.Ftruncate(h.fd, int64(size))
	}, func() {
		data := make([]byte, size)
		copy(data, h.file.data)
		m.set(h.file, data, 0, nil)
	})
}

func (m *crashModel) fsync(t *rapid.T) {
	slot := m.slot(t, true)
	h := m.open[slot]
	if m.attempt(t, fmt.Sprintf("fsync %d %s", slot, h.file.path), func() error { return syscall.Fsync(h.fd) }, func() { h.file.unborn = false }) {
		m.served(t, "fsync", h.file)
	}
}

func (m *crashModel) closes(t *rapid.T) { m.close(t, m.slot(t, true)) }

func (m *crashModel) close(t *rapid.T, slot int) {
	h := m.open[slot]
	m.open[slot] = nil
	owed := len(h.file.data) == 0 // the last descriptor of a program brings the verdict on a file that is empty so far
	if m.attempt(t, fmt.Sprintf("close %d %s", slot, h.file.path), func() error { return syscall.Close(h.fd) }, func() { h.file.unborn = false }) && !m.behind && !owed {
		m.served(t, "close", h.file)
	}
}

func (m *crashModel) rename(t *rapid.T) {
	from, to := m.path(t), crashName.Draw(t, "to")
	if from == to {
		m.skip()
	}
	m.attempt(t, "rename "+from+" "+to, func() error { return os.Rename(m.at(from), m.at(to)) }, func() {
		if old := m.files[to]; old != nil {
			old.path = ""
		}
		f := m.files[from]
		delete(m.files, from)
		f.path = to
		m.files[to] = f
	})
}

func (m *crashModel) unlink(t *rapid.T) {
	path := m.path(t)
	m.attempt(t, "unlink "+path, func() error { return syscall.Unlink(m.at(path)) }, func() {
		m.files[path].path = ""
		delete(m.files, path)
	})
}

// look reads a file through the mount.
func (m *crashModel) look(t *rapid.T) {
	path := m.path(t)
	m.attempt(t, "look "+path, func() error {
		data, err := os.ReadFile(m.at(path))
		if err == nil && !bytes.Equal(data, m.files[path].data) {
			return errors.New("other bytes than were written")
		}
		return err
	}, func() {})
}

// fault makes the next of something go wrong.
func (m *crashModel) fault(t *rapid.T) {
	verb := crashVerb.Draw(t, "verb")
	n := crashOffset.Draw(t, "bytes")
	m.shaky = true
	kind := rapid.IntRange(0, 4).Draw(t, "fault")
	switch kind {
	case 0:
		m.server.DropData(verb, n, 1)
	case 1:
		verb = rapid.SampledFrom([]string{"RETR", "STOR", "APPE"}).Draw(t, "transfer")
		m.short = m.short || verb != "RETR"
		m.server.EndData(verb, n, 1)
	case 2:
		m.server.DropReply(verb, n%30, 1)
	default:
		at := rapid.SampledFrom([]ftptest.Moment{ftptest.OnCommand, ftptest.OnBegin, ftptest.OnEnd}).Draw(t, "moment")
		how := rapid.SampledFrom([]ftptest.Failure{ftptest.Reset, ftptest.HalfClose, ftptest.Leave}).Draw(t, "how")
		m.server.Fail(verb, at, how, 1)
	}
	m.tell(t, "fault %d %s after %d", kind, verb, n)
}
