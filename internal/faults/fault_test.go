package faults

import (
	"fmt"
	"slices"
	"syscall"

	"ftpfs/internal/ftptest"
)

// A fault is what goes wrong at a stage.
type fault string

const (
	refused     fault = "refused"
	unreachable fault = "unreachable"
	silence     fault = "silence"
	reset       fault = "reset"
	halfClose   fault = "half-close"
	drip        fault = "drip"
	garbage     fault = "garbage"
	leave       fault = "421"
)

// replies are the refusals, by their code.
var replies = map[fault]string{
	"425": "425 Can't open data connection.",
	"426": "426 Connection closed; transfer aborted.",
	"450": "450 Requested file action not taken.",
	"451": "451 Requested action aborted: local error in processing.",
	"452": "452 Requested action not taken. Insufficient storage space in system.",
	"550": "550 Permission denied.",
}

// faults are all, in the order of the table.
var faults = []fault{
	refused, unreachable, silence, reset, halfClose, drip, garbage, leave, "425", "426", "450", "451", "452", "550",
}

var failures = map[fault]ftptest.Failure{
	silence: ftptest.Silence, reset: ftptest.Reset, halfClose: ftptest.HalfClose,
	drip: ftptest.Drip, garbage: ftptest.Garbage, leave: ftptest.Leave,
}

// A stage is a point of the conversation with the server.
type stage struct {
	name  string // as the table has it
	verb  string // of the command concerned
	point point
	bytes int64 // of data that pass before the fault
	anew  bool  // all connections are cut before, so that new ones are needed
}

// A point says what of a command's conversation is hit.
type point uint8

const (
	dialControl point = iota
	dialData
	onGreeting
	onCommand
	onBegin
	onEnd
	onData
)

// faults lists what can go wrong at the point.
func (p point) faults() []fault {
	switch p {
	case dialControl, dialData:
		return []fault{refused, unreachable, silence}
	case onData:
		return []fault{silence, reset, halfClose, drip}
	case onBegin:
		return []fault{silence, reset, halfClose, drip, garbage, leave}
	case onCommand:
		return []fault{silence, reset, halfClose, garbage, leave, "425", "426", "450", "451", "452", "550"}
	}
	all := []fault{silence, reset, halfClose, drip, garbage, "425", "426", "450", "451", "452", "550"}
	if p == onGreeting {
		all = append(all, leave) // in the place of another reply, 421 says that nothing was done
	}
	return all
}

// strike makes the fault happen, times often or ftptest.Always.
func (c cell) strike(w *world, times int) {
	s := c.stage
	switch s.point {
	case dialControl, dialData:
		w.dialer.spoil(s.point == dialControl, c.fault)
		return
	case onData:
		switch c.fault {
		case silence:
			w.server.SilenceData(s.verb, s.bytes, times)
		case reset:
			w.server.DropData(s.verb, s.bytes, times)
		case halfClose: // by a server that says so
			w.server.EndData(s.verb, s.bytes, times)
			w.server.Replace(s.verb, replies["426"], times)
		case drip:
			w.server.DripData(s.verb, s.bytes, times)
		}
		return
	}
	how, spoils := failures[c.fault]
	switch {
	case spoils:
		at := map[point]ftptest.Moment{onCommand: ftptest.OnCommand, onBegin: ftptest.OnBegin, onEnd: ftptest.OnEnd, onGreeting: ftptest.OnEnd}[s.point]
		w.server.Fail(s.verb, at, how, times)
	case s.point == onCommand:
		w.server.Refuse(s.verb, replies[c.fault], times)
	default:
		w.server.Replace(s.verb, replies[c.fault], times)
	}
}

// aboutNoFile are commands whose refusal says nothing about the file that they are for.
var aboutNoFile = []string{
	ftptest.Greeting, "AUTH", "PBSZ", "PROT", "USER", "PASS", "OPTS", "TYPE", "FEAT", "PWD", "EPSV", "PASV", "EPRT", "PORT",
}

// allowed are the errnos that the operation may fail with, by what package ftpfs promises: an
// outage is EIO, ETIMEDOUT or EHOSTUNREACH, a refusal what the server says.
func (c cell) allowed() []syscall.Errno {
	switch c.fault {
	case refused, unreachable:
		if c.stage.point == dialData && c.op.changes() { // what was sent ahead of the answer is lost with the connection
			return []syscall.Errno{syscall.EHOSTUNREACH, syscall.EIO}
		}
		return []syscall.Errno{syscall.EHOSTUNREACH}
	case silence, drip:
		if c.op.changes() { // a change whose outcome is unknown
			return []syscall.Errno{syscall.ETIMEDOUT, syscall.EIO}
		}
		return []syscall.Errno{syscall.ETIMEDOUT}
	case "452":
		switch c.stage.verb {
		case "SITE":
			if c.op.name != "symlink" {
				break
			}
			fallthrough
		case "STOR", "APPE", "MKD", "RNTO":
			return []syscall.Errno{syscall.ENOSPC}
		}
		return []syscall.Errno{syscall.EIO} // what stores nothing cannot fill the server
	case "550":
		switch {
		case slices.Contains(aboutNoFile, c.stage.verb):
			return []syscall.Errno{syscall.EIO}
		case c.op.name == "readlink" && !c.stage.anew: // what may not be listed is seen as what it leads to
			return []syscall.Errno{syscall.EACCES, syscall.EINVAL}
		case c.op.changes() && c.stage.anew, // what was being sent is lost with its connection
			c.stage.point == onEnd && slices.Contains(transfers, c.stage.verb): // data had come before: no verdict on the path
			return []syscall.Errno{syscall.EACCES, syscall.EIO}
		}
		return []syscall.Errno{syscall.EACCES}
	}
	return []syscall.Errno{syscall.EIO}
}

// A cell is one trial.
type cell struct {
	op    operation
	stage stage
	fault fault
	once  bool // the fault happens once; else as long as the operation lasts
}

func (c cell) String() string {
	how := "always"
	if c.once {
		how = "once"
	}
	return fmt.Sprintf("%s/%s/%s/%s", c.op.name, c.stage.name, c.fault, how)
}
