package ftptest

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Greeting stands for the verb of the reply that opens a control connection.
const Greeting = "(greeting)"

// Always as a number of times: until ClearFaults.
const Always = -1

// faults are what an Embedded is told to do wrong.
type faults struct {
	mu     sync.Mutex
	rules  []*rule
	met    int
	split  bool
	lie    netip.AddrPort
	limit  int
	excess Excess
}

type kind int

const (
	refuseCommand kind = iota
	replaceReply
	extraReply
	holdReply
	delayReply
	loseCommand
	cutReply
	cutData
	endData
	stallData
	dripData
	failControl
)

// A Moment is a point in the dialogue about one command.
type Moment uint8

const (
	OnCommand Moment = iota // in the place of its answer: the server never sees the command
	OnBegin                 // at the preliminary reply of a transfer
	OnEnd                   // at the final reply: the server has done what it was asked to
)

// A Failure is what becomes of a control connection at a Moment.
type Failure uint8

const (
	Silence   Failure = iota + 1 // nothing comes any more
	Reset                        // RST
	HalfClose                    // the server ends its direction, and goes on to listen
	Leave                        // 421 and the end
	Garbage                      // bytes that are no reply, in its place
	Drip                         // the reply comes a byte at a time, each after DripPause
)

// DripPause is the time between two bytes of what drips.
const DripPause = 50 * time.Millisecond

const (
	leaving = "421 Service not available, closing control connection."
	garbage = "\x00\x16\x03\x01\xff\xfe {]\x1b[2J not a reply"
)

// rule is one fault, waiting for its command.
type rule struct {
	kind  kind
	verb  string // "" = any
	times int    // left; Always
	reply string
	class int // of held replies: the first digit, 0 = any
	bytes int64
	delay time.Duration
	hold  *Hold
	at    Moment
	fail  Failure
}

// Hold is a point at which the server stops until it is released.
type Hold struct {
	reached, released         chan struct{}
	reachedOnce, releasedOnce sync.Once
}

func newHold() *Hold { return &Hold{reached: make(chan struct{}), released: make(chan struct{})} }

// Reached is closed when the server has stopped there.
func (h *Hold) Reached() <-chan struct{} { return h.reached }

// Release lets the server go on. It may be called before the point is reached, and repeatedly.
func (h *Hold) Release() { h.releasedOnce.Do(func() { close(h.released) }) }

// wait stops until Release, or until end is closed.
func (h *Hold) wait(end <-chan struct{}) {
	h.reachedOnce.Do(func() { close(h.reached) })
	select {
	case <-h.released:
	case <-end:
	}
}

func (f *faults) add(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.verb = strings.ToUpper(r.verb)
	f.rules = append(f.rules, r)
}

// take uses up the oldest rule of that kind for verb, and returns nil when there is none.
func (f *faults) take(k kind, verb string, fits func(*rule) bool) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if r.kind != k || r.verb != "" && !strings.EqualFold(r.verb, verb) || fits != nil && !fits(r) {
			continue
		}
		if r.times != Always {
			if r.times--; r.times <= 0 {
				f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			}
		}
		f.met++
		return r
	}
	return nil
}

// The methods below may be called at any time. A verb is that of the command concerned, in
// any case; "" means every command. Faults of one kind and verb are used up in the order in
// which they were given.

// Refuse answers verb with reply ("550 No."), the given number of times. The server never
// sees the command.
func (e *Embedded) Refuse(verb, reply string, times int) {
	e.faults.add(&rule{kind: refuseCommand, verb: verb, reply: reply, times: times})
}

// Replace puts reply in the place of the final reply to verb. The server does what it was
// asked to.
func (e *Embedded) Replace(verb, reply string, times int) {
	e.faults.add(&rule{kind: replaceReply, verb: verb, reply: reply, times: times})
}

// Extra sends reply, that nobody asked for, in one write with the final reply to verb. What
// came later could not be told from the reply to the next command.
func (e *Embedded) Extra(verb, reply string, times int) {
	e.faults.add(&rule{kind: extraReply, verb: verb, reply: reply, times: times})
}

// HoldReply keeps back the next reply to verb and all that follow on that control connection.
// class is the first digit of the reply meant, so 2 holds a transfer's 226 and lets its 150
// pass; 0 is any.
func (e *Embedded) HoldReply(verb string, class int) *Hold {
	h := newHold()
	e.faults.add(&rule{kind: holdReply, verb: verb, class: class, times: 1, hold: h})
	return h
}

// DelayReply delivers each reply to verb later by d.
func (e *Embedded) DelayReply(verb string, d time.Duration, times int) {
	e.faults.add(&rule{kind: delayReply, verb: verb, delay: d, times: times})
}

// DropCommand resets the control connection when verb arrives; the server never sees it.
func (e *Embedded) DropCommand(verb string, times int) {
	e.faults.add(&rule{kind: loseCommand, verb: verb, times: times})
}

// DropReply resets the control connection after n bytes of the final reply to verb: the server
// has done what it was asked to, but with n = 0 nobody is told.
func (e *Embedded) DropReply(verb string, n int64, times int) {
	e.faults.add(&rule{kind: cutReply, verb: verb, bytes: n, times: times})
}

// DropData resets verb's data connection on both sides when n bytes have passed and more come.
func (e *Embedded) DropData(verb string, n int64, times int) {
	e.faults.add(&rule{kind: cutData, verb: verb, bytes: n, times: times})
}

// EndData is DropData, but the receiving side sees an ordinary end of the data.
func (e *Embedded) EndData(verb string, n int64, times int) {
	e.faults.add(&rule{kind: endData, verb: verb, bytes: n, times: times})
}

// StallData stops verb's next data connection when n bytes have passed and more come.
func (e *Embedded) StallData(verb string, n int64) *Hold {
	h := newHold()
	e.faults.add(&rule{kind: stallData, verb: verb, bytes: n, times: 1, hold: h})
	return h
}

// Fail spoils the control connection at a moment of the dialogue about verb. Garbage and Drip
// leave it open; after all others the server hears nothing more of it.
func (e *Embedded) Fail(verb string, at Moment, how Failure, times int) {
	e.faults.add(&rule{kind: failControl, verb: verb, at: at, fail: how, times: times})
}

// SilenceData stops verb's data connection for good when n bytes have passed and more come.
func (e *Embedded) SilenceData(verb string, n int64, times int) {
	e.faults.add(&rule{kind: stallData, verb: verb, bytes: n, times: times, hold: newHold()})
}

// DripData passes what comes after n bytes of verb's data a byte at a time, each after DripPause.
func (e *Embedded) DripData(verb string, n int64, times int) {
	e.faults.add(&rule{kind: dripData, verb: verb, bytes: n, times: times})
}

// Met returns how often a fault has happened since the last ClearFaults; of those of data
// connections how often they were about to.
func (e *Embedded) Met() int {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	return e.faults.met
}

// SplitReplies sends every byte of the replies in a write of its own.
func (e *Embedded) SplitReplies(on bool) {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.split = on
}

// Lie makes PASV tell the address of to, if it has one, and PASV and EPSV its port, if that is
// not 0. The zero AddrPort ends the lying.
func (e *Embedded) Lie(to netip.AddrPort) {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.lie = to
}

// An Excess is what becomes of a control connection that is too much.
type Excess uint8

const (
	AtGreeting Excess = iota // 421 instead of the greeting, and the end
	AtLogin                  // 530 to its PASS, and the end
	Unheard                  // the end, without a word
)

// Limit allows n control connections at a time; 0 = any number.
func (e *Embedded) Limit(n int, excess Excess) {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.limit, e.faults.excess = n, excess
}

// ClearFaults forgets all that the methods above were told. Holds that are reached stay until
// they are released.
func (e *Embedded) ClearFaults() {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	f := &e.faults
	f.rules, f.met, f.split, f.lie, f.limit, f.excess = nil, 0, false, netip.AddrPort{}, 0, AtGreeting
}

// failure takes the way in which the control connection fails at a moment, 0 if it does not.
func (f *faults) failure(verb string, at Moment) Failure {
	if r := f.take(failControl, verb, func(r *rule) bool { return r.at == at }); r != nil {
		return r.fail
	}
	return 0
}

func (f *faults) splitting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.split
}

func (f *faults) lying() netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lie
}

// exceeded reports whether a connection that makes n is too much, and gets that.
func (f *faults) exceeded(n int, excess Excess) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limit > 0 && n > f.limit && f.excess == excess
}
