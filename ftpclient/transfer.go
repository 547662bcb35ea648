package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// openTransfer starts a transfer on a connection of the pool, which from then on
// belongs to it. replay: it may be started again although the server may have begun.
// transfer is made for the connection: it may have to go to a directory first.
func (cl *Client) openTransfer(ctx context.Context, u use, replay bool, transfer func(c *conn) (transfer, error)) (*conn, opened, error) {
	var a attempt
	for n := 1; ; n++ {
		c, err := cl.pool.get(ctx, u)
		if err != nil {
			return nil, opened{}, err
		}
		unwatch := c.watch(ctx)
		var o opened
		t, err := transfer(c)
		if err == nil {
			o, err = c.openFirm(ctx, t, &a)
		} else {
			err = unchanged(err)
		}
		unwatch()
		if err == nil && c.err != nil {
			err = &connError{err: c.err} // ctx has ended meanwhile
			o.nc.Close()
			c.setData(nil)
		}
		if err == nil {
			return c, o, nil
		}
		again := n < maxAttempts && ctx.Err() == nil && c.mayRepeat(err, replay)
		if isDataError(err) && !a.left(cl.cfg.Mode.candidates(c.peer.Is6())) {
			again = false
		}
		suspect := c.foundDead(ctx, err)
		cl.release(c)
		suspect()
		if !again {
			return nil, opened{}, err
		}
	}
}

// openFirm is open; a download over a spare data connection that turns out to be dead
// is started again over a fresh one.
func (c *conn) openFirm(ctx context.Context, t transfer, a *attempt) (opened, error) {
	o, err := c.open(ctx, t, a)
	if err != nil || !o.spared || !t.download || c.encryptsData() { // a handshake proves that it lives
		return o, err
	}
	c.extend(o.nc)
	if err := awaitData(o.nc); !errors.Is(err, syscall.ECONNRESET) {
		return o, nil
	}
	if _, err := c.endEarly(o.nc); err != nil {
		return opened{}, err
	}
	return c.open(ctx, t, a)
}

// List returns the entries of a directory: by MLSD (RFC 3659 section 7), else by CWD
// and LIST -a, whose times are not exact. It returns a listing only when the server has
// said that it is whole, or Listing.Truncated is set. Refused are listings of more than
// 2,000,000 entries or 256 MiB, and those of which less than 1 KiB comes in a whole timeout.
func (cl *Client) List(ctx context.Context, dir string) (Listing, error) {
	if err := checkPath("MLSD", dir); err != nil {
		return Listing{}, err
	}
	if err := cl.introduced(ctx); err != nil {
		return Listing{}, failed("MLSD", dir, err)
	}
	s := &cl.server
	if s.can(&s.mlsd) == Yes {
		l, err := cl.listBy(ctx, "MLSD", "", dir)
		if !unknown(err) {
			return l, err
		}
		s.learn(&s.mlsd, No)
	}
	return cl.listUnix(ctx, dir)
}

// listUnix lists by LIST. -a shows dotfiles; a server may not know it.
func (cl *Client) listUnix(ctx context.Context, dir string) (Listing, error) {
	s := &cl.server
	if s.can(&s.dashA) != No {
		l, err := cl.listBy(ctx, "LIST", "-a", dir)
		if err == nil {
			s.learn(&s.dashA, Yes)
		}
		e, refused := errors.AsType[*Error](err)
		if !refused || s.can(&s.dashA) == Yes || e.Command != "LIST" || e.Code < 500 {
			return l, err
		}
		if l, err := cl.listBy(ctx, "LIST", "", dir); err == nil {
			s.learn(&s.dashA, No)
			return l, nil
		}
		return l, err
	}
	return cl.listBy(ctx, "LIST", "", dir)
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
func (cl *Client) listBy(ctx context.Context, verb, option, dir string) (Listing, error) {
	l, err := cl.listing(ctx, verb, option, dir)
	if errors.Is(err, errCut) && ctx.Err() == nil {
		l, err = cl.listing(ctx, verb, option, dir)
	}
	if err != nil {
		return Listing{}, failed(verb, dir, err)
	}
	inZone(l.Entries, time.UTC)
	cl.counters.unparsed.Add(int64(l.Unparsed))
	return l, nil
}

// errCut: a transfer ended before the first byte and without being whole.
var errCut = errors.New("cut off")

// listing reads a whole listing and the server's word that it is whole.
func (cl *Client) listing(ctx context.Context, verb, option, dir string) (Listing, error) {
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
	data := &listingData{c: c, nc: o.nc}
	l, err := readListing(data, parse, maxEntries)
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
		err = refusal(verb, dir, v.reply)
		if data.size == 0 && (v.reply.code == 425 || v.reply.code == 426) {
			err = fmt.Errorf("%w: %w", errCut, err)
		}
	case err != nil:
	case v.err != nil:
		err = v.err
	case !v.reply.ok():
		err = c.surprised(v.reply)
	}
	l.Truncated = isTruncated(v.reply)
	return l, err
}

// listTransfer is MLSD with a path, or CWD and LIST without one: LIST with a path
// would expand patterns, read options and split at blanks. Whether the directory exists
// is decided by CWD.
func (c *conn) listTransfer(verb, option, dir string) (transfer, error) {
	t := transfer{cmd: command{verb, option}, path: dir, download: true}
	if err := c.client.server.checkName(verb, dir); err != nil {
		return t, err
	}
	if verb == "MLSD" {
		arg := c.client.server.encode(dir)
		if len(arg) <= maxPath {
			t.cmd.arg = arg
			return t, nil
		}
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
	t.before = steps
	return t, nil
}

// retrieveTransfer is RETR, with REST directly before it, since some servers forget
// an offset otherwise.
func (c *conn) retrieveTransfer(p string, offset int64) (transfer, error) {
	arg, err := c.arg("RETR", p)
	t := transfer{cmd: command{"RETR", arg}, path: p, download: true}
	if offset > 0 {
		t.before = []command{{"REST", strconv.FormatInt(offset, 10)}}
	}
	return t, err
}

// isTruncated recognises the final reply of a server that has left entries out, as
// pure-ftpd does after 10,000.
func isTruncated(r reply) bool {
	return strings.Contains(strings.ToLower(r.text()), "truncated")
}
