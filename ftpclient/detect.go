package ftpclient

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// dataError says that a data connection could not be opened. No data has been
// transferred.
type dataError struct {
	mode Mode
	err  error
}

func (e *dataError) Error() string { return fmt.Sprintf("data connection (%s): %v", e.mode, e.err) }
func (e *dataError) Unwrap() error { return e.err }

// attempt is the memory of one operation: modes that failed it.
type attempt struct {
	failed []*dataError
}

func (a *attempt) tried(m Mode) bool {
	for _, f := range a.failed {
		if f.mode == m {
			return true
		}
	}
	return false
}

// left tells whether one of the modes has not been tried.
func (a *attempt) left(modes []Mode) bool {
	for _, m := range modes {
		if !a.tried(m) {
			return true
		}
	}
	return false
}

func (a *attempt) reasons() string {
	var s []string
	for _, f := range a.failed {
		s = append(s, fmt.Sprintf("%s: %v", f.mode, f.err))
	}
	return strings.Join(s, "; ")
}

// err is the error when no mode is left.
func (a *attempt) err() error {
	if n := len(a.failed); n == 1 {
		return a.failed[0]
	}
	return &noModeError{a}
}

// noModeError says in one line why each of several modes failed.
type noModeError struct{ *attempt }

func (e *noModeError) Error() string { return "no data connection: " + e.reasons() }

func (e *noModeError) Unwrap() []error {
	all := make([]error, len(e.failed))
	for i, f := range e.failed {
		all[i] = f
	}
	return all
}

// modeMemory is the mode of data connections that has worked last.
type modeMemory struct {
	mu     sync.Mutex
	proven Mode // ModeAuto: none
}

func (m *modeMemory) get() Mode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proven
}

// set returns the mode known before.
func (m *modeMemory) set(mode Mode) Mode {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.proven
	m.proven = mode
	return old
}

// forget starts detection anew if mode is still the proven one.
func (m *modeMemory) forget(mode Mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proven == mode {
		m.proven = ModeAuto
	}
}

// NoData tells whether err says that a data connection could not be opened, and in which
// mode; nothing has been transferred then. Of several modes it is the first tried.
func NoData(err error) (Mode, bool) {
	de, ok := errors.AsType[*dataError](err)
	if !ok {
		return ModeAuto, false
	}
	return de.mode, true
}
