package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A listing may come over the control connection, as the reply to STAT (RFC 959 section
// 4.1.3): it needs no data connection, and the control connection is free at once for the
// next. STAT goes to "." in a directory entered before, for the reasons of LIST.
//
// The reply ends with a line that a file with a line break in its name could hold. So REST with a
// random number follows in the same write, which servers repeat in their reply: if it is not
// there, something else was read in its place, and the connection is given up.

// errUnsound: the conversation after a STAT was not in step.
var errUnsound = errors.New("the reply to STAT cannot be told from the names in it")

// statList lists dir by STAT. The error is errUnsound if that cannot be relied on here.
func (cl *Client) statList(ctx context.Context, dir string, arrived func([]Entry)) (Listing, error) {
	var l Listing
	err := cl.do(ctx, useShort, true, func(c *conn) (err error) {
		l, err = c.stat(dir, arrived)
		return err
	})
	if err != nil {
		return Listing{}, failed("STAT", dir, err)
	}
	cl.server.show(l.Entries)
	cl.counters.unparsed.Add(int64(l.Unparsed))
	return l, nil
}

func (c *conn) stat(dir string, arrived func([]Entry)) (Listing, error) {
	steps, err := c.steps("STAT", dir)
	if err != nil {
		return Listing{}, err
	}
	last := len(steps) - 1
	if last > 0 {
		if err := c.walk(steps[:last], dir); err != nil {
			return Listing{}, err
		}
	}
	if err := c.check(); err != nil {
		return Listing{}, err
	}
	q := c.statQuestion(dir, steps[last])
	if err := c.send(q.cmds...); err != nil {
		return Listing{}, err
	}
	l, _, err := c.statAnswer(q, arrived)
	return l, err
}

// A statQuestion is what is sent to list one directory.
type statQuestion struct {
	dir    string
	cmds   []command
	number string // that the reply to REST repeats
	facts  bool   // MLST of the directory comes last
}

func (c *conn) statQuestion(dir string, enter command) statQuestion {
	number := strconv.FormatInt(1e11+rand.Int64N(9e11), 10) // longer ones are 0 to vsftpd
	return statQuestion{dir, []command{enter, {"STAT", c.client.server.statArg()}, {"REST", number}, {"REST", "0"}}, number, false}
}

func (q *statQuestion) askFacts(arg string) {
	q.cmds, q.facts = append(q.cmds, command{"MLST", arg}), true
}

// statAnswer reads the replies to a question, the last of them that to MLST if it was asked.
func (c *conn) statAnswer(q statQuestion, arrived func([]Entry)) (l Listing, facts reply, err error) {
	entered, lost := c.receive()
	if lost != nil {
		return Listing{}, reply{}, lost
	}
	body := &statBody{listingRead: listingRead{c: c, nc: c.nc}}
	defer body.end()
	if l, err = readListing(body, newRecogniser(time.Now()), maxLines, c.client.server.telling(arrived)); err != nil {
		return Listing{}, reply{}, c.fail(err)
	}
	for _, want := range []string{q.number, ""} {
		r, lost := c.receive()
		if lost != nil {
			return Listing{}, reply{}, lost
		}
		if r.code != 350 || !strings.Contains(r.text(), want) {
			c.fail(errUnsound)
			return Listing{}, reply{}, errUnsound
		}
	}
	if q.facts {
		if facts, lost = c.receive(); lost != nil {
			return Listing{}, reply{}, lost
		}
	}
	switch {
	case !entered.ok():
		return Listing{}, facts, refusal("CWD", q.dir, entered)
	case body.refused.code != 0:
		return Listing{}, facts, refusal("STAT", q.dir, body.refused)
	}
	l.Truncated = c.client.server.isPureFTPd() && len(l.Entries) >= mostOfPureFTPd
	return l, facts, c.client.server.checkListed("STAT", q.dir, l)
}

// mostOfPureFTPd is how many entries it lists, less a few: in a STAT it says nothing of those
// that it leaves out.
const mostOfPureFTPd = 9_990

// statArg is what STAT lists, with hidden files.
func (s *serverInfo) statArg() string {
	if s.isPureFTPd() {
		return "-a ."
	}
	return "."
}

// statBody reads the lines between the first and the last of the reply to STAT.
type statBody struct {
	listingRead
	code    int   // of the reply; 0 before its first line
	refused reply // the reply, if it is no listing
	line    []byte
	err     error // of all further reads
}

func (b *statBody) Read(p []byte) (int, error) {
	for len(b.line) == 0 {
		if b.err == nil {
			b.err = b.next()
		}
		if b.err != nil {
			return 0, b.err
		}
	}
	n := copy(p, b.line)
	b.line = b.line[n:]
	return n, nil
}

// next reads a line; io.EOF is the end of the reply.
func (b *statBody) next() error {
	if b.code == 0 {
		return b.first()
	}
	if err := b.more(); err != nil {
		return err
	}
	raw, err := b.c.br.ReadSlice('\n')
	if err != nil {
		return b.c.cause(err)
	}
	b.size += int64(len(raw))
	line := string(bytes.TrimRight(raw, "\r\n"))
	b.c.traceReceived(line)
	if code, sep, _, ok := splitReplyLine(line); ok && code == b.code && sep == ' ' {
		return io.EOF
	}
	b.line = slices.Clone(raw)
	return nil
}

// first reads the first line, which may be the whole reply: of refusal or an empty directory.
func (b *statBody) first() error {
	b.c.extend(b.c.nc)
	raw, err := b.c.br.ReadSlice('\n')
	if err != nil {
		return b.c.cause(err)
	}
	line := string(bytes.TrimRight(raw, "\r\n"))
	shown := b.c.traceReceived(line)
	code, sep, rest, ok := splitReplyLine(line)
	switch {
	case !ok || code < 200 || code == 421:
		return fmt.Errorf("%w: %.60q", errBadReply, shown)
	case sep == '-':
		b.code = code
		if code >= 400 {
			b.refused = reply{code: code, lines: []string{rest}, secrets: b.c.client.secrets}
		}
		return nil
	case code >= 400:
		b.refused = reply{code: code, lines: []string{rest}, secrets: b.c.client.secrets}
	}
	return io.EOF
}

// proveStat lists dir, of which l is the listing by LIST, once more by STAT, in the
// background, and remembers whether the two are equal. Only vsftpd is asked: it has no MLSD,
// and a "." row that proves that the listing is one.
func (cl *Client) proveStat(dir string, l Listing) {
	s := &cl.server
	if len(l.Entries) == 0 || len(l.Entries) > maxProof || !s.mayProve(&s.vsftpd, &s.stat) {
		return
	}
	entries := slices.Clone(l.Entries) // those of l are the caller's from now on
	cl.spawn(func() {
		again, err := cl.statList(cl.ctx, dir, nil)
		switch {
		case err == nil && again.self && l.Unparsed == 0 && again.Unparsed == 0 && slices.Equal(again.Entries, entries):
			s.learn(&s.stat, Yes)
		case errors.Is(err, errUnsound):
			s.learn(&s.stat, No)
		}
	})
}

// maxProof bounds what is listed twice.
const maxProof = 1000

// maxProofs is how often it is tried: what is listed may change in between.
const maxProofs = 3

// mayProve tells whether k is worth a proof, on the one kind of server for which it is.
func (s *serverInfo) mayProve(kind *bool, k *Capability) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !*kind || *k != Unknown || s.proofs >= maxProofs {
		return false
	}
	s.proofs++
	return true
}
