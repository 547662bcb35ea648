package ftpclient

import (
	"errors"
	"sync"
	"time"
)

// A refused login is tried again after firstLoginPause, and if it is refused again each time
// after loginPause: servers lock accounts, usually at the third refusal within some minutes.
const (
	firstLoginPause = time.Minute
	loginPause      = 20 * time.Minute
)

// loginGate remembers how to log in.
type loginGate struct {
	mu        sync.Mutex
	stepwise  bool  // the server does not bear a login in one write
	consented bool  // the server has agreed to TLS
	inClear   bool  // one has not, since the server refused TLS
	refused   error // the last login; nil: it succeeded
	again     time.Time
}

// closed returns why no login may be tried now, nil if one may.
func (g *loginGate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.again) {
		return g.refused
	}
	return nil
}

// note takes in what came of a login.
func (g *loginGate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		g.refused, g.again = nil, time.Time{}
	case !ok || e.Kind() != KindLogin, time.Now().Before(g.again): // begun together with one that was refused
	case g.refused == nil:
		g.refused, g.again = err, time.Now().Add(firstLoginPause)
	default:
		g.refused, g.again = err, time.Now().Add(loginPause)
	}
}

func (g *loginGate) bySteps() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stepwise
}

func (g *loginGate) setStepwise() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stepwise = true
}

// mayBeClear tells whether a server may refuse TLS. One that has agreed to it before, even
// if the handshake failed, is not believed: somebody else may speak for it.
func (g *loginGate) mayBeClear() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.consented
}

// firstInClear tells whether no login was in clear before.
func (g *loginGate) firstInClear() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.inClear
	g.inClear = true
	return first
}

func (g *loginGate) setConsented() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.consented = true
}
