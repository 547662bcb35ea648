package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ListBy says by which command directories are listed.
type ListBy uint8

const (
	ListAuto ListBy = iota // MLSD where the server has it, else LIST, or on vsftpd STAT
	ListMLSD               // RFC 3659; nothing else is tried
	ListLIST               // RFC 959, even where the server has MLSD
	ListSTAT               // RFC 959, over the control connection
)

var listByNames = [...]string{"auto", "mlsd", "list", "stat"}

// ParseListBy reads auto, mlsd, list or stat, in any case.
func ParseListBy(s string) (ListBy, error) {
	for by, name := range listByNames {
		if strings.EqualFold(s, name) {
			return ListBy(by), nil
		}
	}
	return 0, fmt.Errorf("%q is none of %s", s, strings.Join(listByNames[:], ", "))
}

// String is the form that ParseListBy reads.
func (by ListBy) String() string {
	if int(by) >= len(listByNames) {
		return fmt.Sprintf("listing %d", uint8(by))
	}
	return listByNames[by]
}

// List returns the entries of a directory, as Config.ListBy says: by MLSD (RFC 3659 section
// 7), else by CWD and LIST -a or STAT, whose times are not exact. It returns a listing only when the server has
// said that it is whole, or Listing.Truncated is set. Refused are listings of more than
// 2,000,000 lines or 256 MiB, and those of which less than 1 KiB comes in a whole timeout.
func (cl *Client) List(ctx context.Context, dir string) (Listing, error) {
	return cl.ListArriving(ctx, dir, nil)
}

// ListArriving is List, and calls arrived with entries while more of them come, before it
// returns. Names and types are those of the Listing; targets may not be, nor times (see Timed). Some
// entries may be told twice and those that come last not at all. The callee may keep the
// slice and must not change it; nobody does.
func (cl *Client) ListArriving(ctx context.Context, dir string, arrived func([]Entry)) (Listing, error) {
	if err := checkPath("LIST", dir); err != nil {
		return Listing{}, err
	}
	if err := cl.introduced(ctx); err != nil {
		return Listing{}, failed("LIST", dir, err)
	}
	s, by := &cl.server, cl.cfg.ListBy
	if by == ListMLSD || by == ListAuto && s.can(&s.mlsd) == Yes {
		l, err := cl.listBy(ctx, "MLSD", "", dir, arrived)
		if err == nil {
			cl.proveOutline(dir, l)
		}
		if by == ListMLSD || !unknown(err) {
			return l, err
		}
		s.learn(&s.mlsd, No)
	}
	l, err := cl.listUnzoned(ctx, dir, arrived)
	if err != nil {
		return l, err
	}
	return l, cl.setZone(ctx, dir, l.Entries)
}

// listUnzoned lists by STAT or LIST, with times as the server's clock shows them. STAT is
// used where it was seen to show the same as LIST, or if it is insisted upon.
func (cl *Client) listUnzoned(ctx context.Context, dir string, arrived func([]Entry)) (Listing, error) {
	s, by := &cl.server, cl.cfg.ListBy
	if by == ListSTAT || by == ListAuto && s.can(&s.stat) == Yes {
		l, err := cl.statList(ctx, dir, arrived)
		switch {
		case by == ListSTAT:
			return l, err
		case errors.Is(err, errUnsound):
			cl.cfg.Logger.Info("directories are listed by LIST from now on", "reason", err)
			s.learn(&s.stat, No)
		case err != nil || l.self:
			return l, err
		}
	}
	l, err := cl.listUnix(ctx, dir, arrived)
	if err == nil && by == ListAuto {
		cl.proveStat(dir, l)
	}
	return l, err
}

// listUnix lists by LIST, with times as the server's clock shows them. -a shows dotfiles; a
// server may refuse it, or take it for the name of a file that is not there. Where the
// directory's own row does not tell that it was understood, an empty listing is asked for
// again without it.
func (cl *Client) listUnix(ctx context.Context, dir string, arrived func([]Entry)) (Listing, error) {
	s := &cl.server
	can := s.can(&s.dashA)
	if can == No {
		return cl.listBy(ctx, "LIST", "", dir, arrived)
	}
	l, err := cl.listBy(ctx, "LIST", "-a", dir, arrived)
	e, refused := errors.AsType[*Error](err)
	if err == nil {
		err = s.checkListed("LIST", dir, l)
	}
	switch {
	case can == Yes, err != nil && !refused, refused && !e.mayMeanOption():
		return l, err
	case err == nil && (l.self || len(l.Entries) > 0):
		s.learn(&s.dashA, Yes)
		return l, nil
	}
	plain, plainErr := cl.listBy(ctx, "LIST", "", dir, arrived)
	if plainErr == nil && (refused || len(plain.Entries) > 0) {
		if !refused || e.Code >= 500 || e.Kind() == KindNotExist {
			s.learn(&s.dashA, No)
		}
		return plain, nil
	}
	return l, err
}

// mayMeanOption tells whether a refusal of LIST may concern its option: 450 is what RFC 959 has
// for a file that is not there.
func (e *Error) mayMeanOption() bool {
	return e.Command == "LIST" && (e.Code >= 500 || e.Code == 450 && !e.Late)
}

// checkListed refuses the listing of a directory that may be entered and not read: some
// servers show it empty, but then it lacks its own row.
func (s *serverInfo) checkListed(verb, dir string, l Listing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dotted = s.dotted || l.self
	if s.dotted && !l.self && len(l.Entries) == 0 {
		text := "the server lists nothing, not even the directory itself"
		if l.Unparsed > 0 {
			text = l.UnparsedSample[0] // pure-ftpd writes the reason there
		}
		return &Error{Command: verb, Path: dir, Text: "permission denied: " + text}
	}
	return nil
}

// unknown tells whether the server does not know the command.
func unknown(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == 500 || e.Code == 502)
}

// introduced makes sure that the first login has told what the server can.
func (cl *Client) introduced(ctx context.Context) error {
	if known, _ := cl.server.login(); known {
		return nil
	}
	return cl.Connect(ctx)
}

// listBy lists once more if the first try is cut off before anything came.
func (cl *Client) listBy(ctx context.Context, verb, option, dir string, arrived func([]Entry)) (Listing, error) {
	l, err := cl.listing(ctx, verb, option, dir, arrived)
	if errors.Is(err, errCut) && ctx.Err() == nil {
		l, err = cl.listing(ctx, verb, option, dir, arrived)
	}
	if err != nil {
		return Listing{}, failed(verb, dir, err)
	}
	cl.server.show(l.Entries)
	cl.counters.unparsed.Add(int64(l.Unparsed))
	return l, nil
}

// errCut: a transfer ended before the first byte and without being whole.
var errCut = errors.New("cut off")

// listing reads a whole listing and the server's word that it is whole.
func (cl *Client) listing(ctx context.Context, verb, option, dir string, arrived func([]Entry)) (Listing, error) {
	c, o, err := cl.openTransfer(ctx, useList, true, func(c *conn) (transfer, error) {
		return c.listTransfer(verb, option, dir)
	})
	if err != nil {
		return Listing{}, err
	}
	parse := lineParser(mlsd{})
	if verb != "MLSD" {
		parse = newRecogniser(time.Now())
	}
	unwatch := c.watch(ctx)
	data := &listingData{listingRead: listingRead{c: c, nc: o.nc}}
	defer data.end()
	l, err := readListing(data, parse, maxLines, cl.server.telling(arrived))
	unwatch()
	end := endEOF
	if err != nil {
		end = endEarly
	}
	var v verdict
	select {
	case v = <-cl.settle(c, o.nc, end):
	case <-ctx.Done():
		return Listing{}, context.Cause(ctx)
	}
	switch {
	case v.err == nil && v.reply.refused():
		e := refusal(verb, dir, v.reply)
		e.Late = data.size > 0
		err = e
		if data.size == 0 && (v.reply.code == 425 || v.reply.code == 426) {
			err = fmt.Errorf("%w: %w", errCut, err)
		}
	case err != nil:
	case v.err != nil:
		err = v.err
	case !v.reply.ok():
		err = c.surprised(v.reply)
	case strings.Contains(v.reply.text(), "failed to open directory"): // vsftpd
		err = &Error{Command: verb, Path: dir, Code: v.reply.code, Text: "permission denied: " + v.reply.shown()}
	}
	l.Truncated = isTruncated(v.reply)
	return l, err
}

// listTransfer is MLSD with a path, or CWD and LIST without one: LIST with a path
// would expand patterns, read options and split at blanks. Whether the directory exists
// is decided by CWD.
func (c *conn) listTransfer(verb, option, dir string) (transfer, error) {
	t := transfer{cmd: command{verb, option}, path: dir, download: true, whole: true}
	arg, err := c.client.server.wire(verb, dir)
	if err != nil {
		return t, err
	}
	if verb == "MLSD" && c.facts != "" {
		t.before = []command{{"OPTS", "MLST " + c.facts}}
		c.facts = ""
	}
	if verb == "MLSD" && len(arg) <= maxPath {
		t.cmd.arg = arg
		return t, nil
	}
	steps, err := c.steps(verb, dir)
	if err != nil {
		return t, err
	}
	if last := len(steps) - 1; last > 0 {
		if err := c.walk(steps[:last], dir); err != nil {
			return t, err
		}
		steps = steps[last:]
	}
	t.before = append(t.before, steps...)
	return t, nil
}

// isTruncated recognises the final reply of a server that has left entries out, as
// pure-ftpd does after 10,000.
func isTruncated(r reply) bool {
	return strings.Contains(strings.ToLower(r.text()), "truncated")
}
