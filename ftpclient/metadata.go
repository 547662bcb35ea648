package ftpclient

import (
	"context"
	"path"
	"strconv"
	"strings"
	"time"
)

// ask sends one command about a path and returns its reply, which may be a refusal.
func (cl *Client) ask(ctx context.Context, verb, p string) (reply, error) {
	replies, err := cl.askAll(ctx, p, verb)
	if err != nil {
		return reply{}, err
	}
	return replies[0], nil
}

// askAll sends several commands about one path in one write. They are repeated where a connection
// is lost.
func (cl *Client) askAll(ctx context.Context, p string, verbs ...string) ([]reply, error) {
	if err := checkPath(verbs[0], p); err != nil {
		return nil, err
	}
	var replies []reply
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		arg, err := c.arg(verbs[0], p)
		if err != nil {
			return err
		}
		var cmds []command
		for _, verb := range verbs {
			cmds = append(cmds, command{verb, arg})
		}
		replies, err = c.exchange(cmds...)
		return err
	})
	return replies, failed(verbs[0], p, err)
}

// Size returns the size of a file in bytes (RFC 3659 section 4).
func (cl *Client) Size(ctx context.Context, p string) (int64, error) {
	r, err := cl.ask(ctx, "SIZE", p)
	if err != nil {
		return -1, err
	}
	return sizeOf(r, p)
}

func sizeOf(r reply, p string) (int64, error) {
	if r.code != 213 {
		return -1, refusal("SIZE", p, r)
	}
	n, err := strconv.ParseInt(r.text(), 10, 64)
	if err != nil || n < 0 {
		return -1, refusal("SIZE", p, r)
	}
	return n, nil
}

// ModTime returns a file's time of last modification (RFC 3659 section 3).
func (cl *Client) ModTime(ctx context.Context, p string) (time.Time, error) {
	r, err := cl.ask(ctx, "MDTM", p)
	if err != nil {
		return time.Time{}, err
	}
	t, _, err := cl.timeOf(r, p)
	return t, err
}

func (cl *Client) timeOf(r reply, p string) (time.Time, time.Duration, error) {
	if r.code != 213 {
		return time.Time{}, 0, refusal("MDTM", p, r)
	}
	t, precision, err := parseTime(r.text())
	if err != nil {
		return time.Time{}, 0, refusal("MDTM", p, r)
	}
	return wallIn(t, cl.mdtmZone()), precision, nil
}

// ModTimes asks for the times of many files, as many at a time as the server bears.
// The time is zero where the server refuses or no command can say the path: listings may
// hold such names.
func (cl *Client) ModTimes(ctx context.Context, paths []string) ([]time.Time, error) {
	times := make([]time.Time, len(paths))
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		var cmds []command
		var index []int
		for i, p := range paths {
			if arg, err := cl.server.wire("MDTM", p); err == nil && checkPath("MDTM", p) == nil && len(arg) <= maxPath {
				cmds = append(cmds, command{"MDTM", arg})
				index = append(index, i)
			}
		}
		replies, err := c.exchange(cmds...)
		for i, r := range replies {
			times[index[i]], _, _ = cl.timeOf(r, "")
		}
		return err
	})
	if err != nil {
		return nil, failed("MDTM", "", err)
	}
	return times, nil
}

// Stat asks for one file or directory, afresh and without a listing. Entry.Name is the
// last element of the path. Of a symbolic link some servers describe the target.
//
// Where the server has no MLST (RFC 3659 section 7), SIZE, MDTM and CWD tell what there
// is, in one write; if all refuse, the error is that of SIZE, which vsftpd gives no
// reason for.
func (cl *Client) Stat(ctx context.Context, p string) (Entry, error) {
	if err := cl.introduced(ctx); err != nil {
		return Entry{}, failed("MLST", p, err)
	}
	name := path.Base(p)
	if cl.server.can(&cl.server.mlst) == Yes {
		e, err := cl.statMLST(ctx, p)
		if cl.server.can(&cl.server.mlst) == Yes {
			e.Name = name
			return e, err
		}
	}
	e, err := cl.statProbe(ctx, p)
	e.Name = name
	return e, err
}

// statMLST reads MLST, and for proftpd SIZE and MDTM in the same write: of a symbolic
// link it tells the target's type with the link's own size.
func (cl *Client) statMLST(ctx context.Context, p string) (Entry, error) {
	verbs := []string{"MLST"}
	if cl.server.mixesLinks() {
		verbs = append(verbs, "SIZE", "MDTM")
	}
	replies, err := cl.askAll(ctx, p, verbs...)
	if err != nil {
		return Entry{}, err
	}
	r := replies[0]
	if r.code == 500 || r.code == 502 {
		cl.server.learn(&cl.server.mlst, No)
		return Entry{}, refusal("MLST", p, r)
	}
	e, err := cl.factsOf(r, p)
	if err != nil {
		return Entry{}, err
	}
	if len(replies) == 3 && e.Type == TypeFile {
		if n, err := sizeOf(replies[1], p); err == nil {
			e.Size = n
		}
		if t, precision, err := cl.timeOf(replies[2], p); err == nil {
			e.ModTime, e.Precision = t, precision
		}
	}
	return e, nil
}

// factsOf reads the reply to MLST.
func (cl *Client) factsOf(r reply, p string) (Entry, error) {
	if r.code != 250 || len(r.lines) < 3 {
		return Entry{}, refusal("MLST", p, r)
	}
	e, err := parseFacts(strings.TrimPrefix(r.lines[1], " "))
	if err != nil {
		return Entry{}, failed("MLST", p, err)
	}
	e.Target = cl.server.shown(e.Target)
	return e, nil
}

func (cl *Client) statProbe(ctx context.Context, p string) (Entry, error) {
	replies, err := cl.askAll(ctx, p, "SIZE", "MDTM", "CWD")
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Size: -1}
	e.ModTime, e.Precision, _ = cl.timeOf(replies[1], p)
	if replies[2].ok() {
		e.Type = TypeDir
		return e, nil
	}
	e.Size, err = sizeOf(replies[0], p)
	if err != nil && !e.ModTime.IsZero() {
		return e, nil
	}
	return e, err
}

// Noop asks the server for a sign of life.
func (cl *Client) Noop(ctx context.Context) error {
	return failed("NOOP", "", cl.do(ctx, useShort, true, func(c *conn) error {
		_, err := c.exchange(command{verb: "NOOP"})
		return err
	}))
}

// ReadLink returns the target of a symbolic link as the server writes it. Where MLST
// does not tell it, the parent is listed by LIST.
func (cl *Client) ReadLink(ctx context.Context, p string) (string, error) {
	if err := checkPath("MLST", p); err != nil {
		return "", err
	}
	if err := cl.introduced(ctx); err != nil {
		return "", failed("MLST", p, err)
	}
	if cl.server.can(&cl.server.mlst) == Yes {
		if e, err := cl.statMLST(ctx, p); err == nil && e.Type == TypeLink && e.Target != "" {
			return e.Target, nil
		}
	}
	dir, name := path.Split(p)
	l, err := cl.listUnix(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	for _, e := range l.Entries {
		if e.Name == name {
			if e.Type != TypeLink || e.Target == "" {
				return "", &Error{Command: "LIST", Path: p, Text: "invalid file name: not a symbolic link"}
			}
			return e.Target, nil
		}
	}
	return "", &Error{Command: "LIST", Path: p, Text: "no such file or directory in the listing"}
}
