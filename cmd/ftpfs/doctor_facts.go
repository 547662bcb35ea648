package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ftpfs/ftpclient"
)

// pings is how often the round-trip time is measured; the shortest counts.
const pings = 5

// facts asks the server about itself, after a listing of root.
func (t *trial) facts(ctx context.Context, root string, l ftpclient.Listing) *serverFacts {
	s := t.client.Server()
	facts := &serverFacts{Banner: s.Banner, TLS: s.TLS, Features: s.Features, Directory: root}
	switch n := t.client.Stats(); {
	case n.Encrypted > 0 && n.Resumed == n.Encrypted:
		facts.Sessions = "data connections resume the session of their control connection"
	case n.Encrypted > 0:
		facts.Sessions = "data connections have sessions of their own, which costs computing"
	case s.TLS != "" && n.Transfers > 0:
		facts.Sessions = "data connections are in clear"
	}
	for range pings {
		begin := time.Now()
		if t.client.Noop(ctx) != nil {
			break
		}
		if took := milliseconds(time.Since(begin)); facts.RoundTripMS == 0 || took < facts.RoundTripMS {
			facts.RoundTripMS = took
		}
	}
	facts.Listings = "by LIST: times are as fine as the server writes them"
	if s.Zone != "" {
		facts.Listings += ", by the clock of " + s.Zone
	}
	if s.HasMLSD {
		facts.Listings = "by MLSD: exact and unambiguous"
	}
	facts.Names = names(s.Features, l)
	return facts
}

// names tells the character set, from what the server promises and what it lists.
func names(features []string, l ftpclient.Listing) string {
	foreign, beyond := "", false
	for _, e := range l.Entries {
		beyond = beyond || strings.ContainsFunc(e.Name, func(r rune) bool { return r >= utf8.RuneSelf })
		if !utf8.ValidString(e.Name) && foreign == "" {
			foreign = e.Name
		}
	}
	announced := false
	for _, f := range features {
		announced = announced || strings.HasPrefix(strings.ToUpper(f), "UTF8")
	}
	switch {
	case foreign != "":
		return fmt.Sprintf("not UTF-8, as in %q: see --charset", foreign)
	case announced:
		return "UTF-8, as the server says"
	case beyond:
		return "UTF-8, as they look"
	}
	return "plain ASCII in this directory; the server does not say what others are"
}
