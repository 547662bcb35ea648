package ftptest

import (
	"slices"
	"sync"
)

// Entry is one line of a control connection, without its CRLF.
type Entry struct {
	Conn  int  // number of the control connection, from 1, in order of arrival
	Sent  bool // from the client to the server
	Write int  // of a sent line: number of the client's write on this connection, from 1. Lines that left in one write share it
	Line  string
}

// Log holds what was said on all control connections of an Embedded, in order: a command when
// it has arrived, a reply just before it is delivered, so that what a client does after
// reading a reply is logged after that reply. Safe for concurrent use.
type Log struct {
	mu         sync.Mutex
	entries    []Entry
	roundTrips int
	conns      map[int]*logConn
}

type logConn struct {
	writes int
	waited bool // a reply was delivered since the last write
}

// Reset forgets all entries and round trips. Numbers of connections and writes go on.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.roundTrips = nil, 0
}

// Entries returns a copy of all entries since the start or the last Reset.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Commands returns the lines that clients sent, in the order of their arrival.
func (l *Log) Commands() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for _, e := range l.entries {
		if e.Sent {
			lines = append(lines, e.Line)
		}
	}
	return lines
}

// RoundTrips counts the writes that followed a reply: those before which, on the same
// connection and since the write before, at least one reply had been delivered. A write that
// a client sends without having waited for anything is not counted. The write before may lie
// before a Reset.
func (l *Log) RoundTrips() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.roundTrips
}

func (l *Log) conn(id int) *logConn {
	if l.conns == nil {
		l.conns = make(map[int]*logConn)
	}
	c := l.conns[id]
	if c == nil {
		c = &logConn{}
		l.conns[id] = c
	}
	return c
}

// sent records the commands that one write of the client completed.
func (l *Log) sent(id int, lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conn(id)
	c.writes++
	if c.waited {
		l.roundTrips++
		c.waited = false
	}
	for _, line := range lines {
		l.entries = append(l.entries, Entry{Conn: id, Sent: true, Write: c.writes, Line: line})
	}
}

// delivered records the lines of one reply.
func (l *Log) delivered(id int, lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn(id).waited = true
	for _, line := range lines {
		l.entries = append(l.entries, Entry{Conn: id, Line: line})
	}
}
