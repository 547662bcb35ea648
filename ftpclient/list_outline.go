package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Outline is what there is in a directory by name and type alone: of the Entries no
// size, time or mode is known. Self is the directory itself, with all that its listing
// in the directory above would tell.
type Outline struct {
	Self    Entry
	Entries []Entry
	Err     error
}

// errNoOutline: the server, or what is in the directory, does not allow it.
var errNoOutline = fmt.Errorf("no outline: %w", errors.ErrUnsupported)

// Outlines lists several directories over one control connection, in few round trips, for
// who wants to know the tree first. It serves where Server().Outlines is true: the
// names are those that List finds by MLSD, the answer is that to STAT (RFC 959 section
// 4.1.3), and MLST for the directory itself. An error is errors.ErrUnsupported where List
// has to be asked: links and names that STAT may show otherwise are in it. It blocks until all
// are answered or ctx ends.
func (cl *Client) Outlines(ctx context.Context, dirs []string) []Outline {
	answers := make([]Outline, len(dirs))
	for i := range answers {
		answers[i].Err = errNoOutline
	}
	if s := &cl.server; cl.cfg.ListBy != ListAuto || s.can(&s.outline) != Yes {
		return answers
	}
	cl.statMany(ctx, dirs, true, func(i int, l Listing, self reply, err error) {
		answers[i] = cl.outline(dirs[i], l, self, err)
	})
	return answers
}

func (cl *Client) outline(dir string, l Listing, self reply, err error) Outline {
	if err != nil {
		return Outline{Err: errNoOutline} // List knows how to say why
	}
	o := Outline{Entries: l.Entries}
	if o.Self, err = cl.factsOf(self, dir); err != nil || o.Self.Type != TypeDir || !plain(l) {
		return Outline{Err: errNoOutline}
	}
	for i, e := range o.Entries {
		o.Entries[i] = Entry{Name: e.Name, Type: e.Type, Size: -1}
	}
	return o
}

// plain tells whether MLSD would show the same names and types: a link may be shown as
// what it points to, and what is not UTF-8 may come otherwise over the control connection
// (0xFF is telnet's IAC).
func plain(l Listing) bool {
	return l.self && l.Unparsed == 0 && !l.Truncated && !slices.ContainsFunc(l.Entries, func(e Entry) bool {
		return e.Type != TypeFile && e.Type != TypeDir || strings.ContainsAny(e.Name, "\r\n") || strings.Contains(e.Name, escape) || !utf8.ValidString(e.Name)
	})
}

// proveOutline compares, in the background, the listing l of dir by MLSD with that by STAT,
// and remembers whether the two are equal.
func (cl *Client) proveOutline(dir string, l Listing) {
	s := &cl.server
	if len(l.Entries) == 0 || len(l.Entries) > maxProof || cl.cfg.ListBy != ListAuto || !s.mayProve(&s.proftpd, &s.outline) {
		return
	}
	entries := slices.Clone(l.Entries) // those of l are the caller's from now on
	cl.spawn(func() {
		again, err := cl.statList(cl.ctx, dir, nil)
		switch {
		case err == nil && plain(again) && equalOutlines(entries, again.Entries):
			s.learn(&s.outline, Yes)
		case errors.Is(err, errUnsound):
			s.learn(&s.outline, No)
		}
	})
}

func equalOutlines(a, b []Entry) bool {
	types := make(map[string]Type, len(a))
	for _, e := range a {
		types[e.Name] = e.Type
	}
	return len(a) == len(b) && !slices.ContainsFunc(b, func(e Entry) bool {
		kind, there := types[e.Name]
		return !there || kind != e.Type
	})
}
