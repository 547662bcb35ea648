package main

import (
	"fmt"
	"slices"
	"strings"
)

// say prints one line of the report.
func (e *examination) say(format string, args ...any) {
	if e.text != nil {
		fmt.Fprintln(e.text, strings.TrimRight(printable(fmt.Sprintf(format, args...)), " "))
	}
}

func (e *examination) sayServer() {
	as := e.target.User
	if as == "" {
		as = "anonymous"
	}
	e.say("%s as %s", e.target.hostName(), as)
	if d, _ := e.flags.dialer(); d.Proxy != nil {
		e.say("through the proxy %s", d.Proxy)
	}
}

func (e *examination) sayPath(p pathFinding) {
	e.say("")
	if p.err != nil {
		e.say("%-8s%s", p.Name, p.Error)
		return
	}
	e.say("%-8s%s, logged in after %.4g ms", p.Name, p.Address, p.LoginMS)
}

func (e *examination) sayMode(p pathFinding, f modeFinding) {
	detail := f.Detail
	if f.Result == works {
		detail = fmt.Sprintf("%d %s in %.4g ms", f.Entries, plural(f.Entries, "entry", "entries"), f.ListMS)
		if f.Unread > 0 {
			detail += fmt.Sprintf(", %d %s not understood", f.Unread, plural(f.Unread, "line", "lines"))
		}
		if f.Detail != "" {
			detail += "; " + f.Detail
		}
	}
	e.say("  %-6s%-9s%s", strings.ToUpper(f.Mode), f.Result, detail)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// maxBanner bounds what is shown of a greeting; some are pages long.
const maxBanner = 80

func (e *examination) sayFacts() {
	s := e.findings.Server
	if s == nil {
		return
	}
	e.say("")
	e.say("Server")
	fact := func(name, value string) { e.say("  %-13s%s", name, value) }
	banner := s.Banner
	if len(banner) > maxBanner {
		banner = strings.ToValidUTF8(banner[:maxBanner], "") + "…"
	}
	fact("says", banner)
	switch {
	case s.TLS != "":
		fact("encryption", s.TLS+"; "+s.Sessions)
	case e.offersTLS():
		fact("encryption", "none, though the server offers it: write ftpes:// in place of ftp://")
	default:
		fact("encryption", "none")
	}
	fact("round trip", fmt.Sprintf("%.4g ms", s.RoundTripMS))
	fact("directory", s.Directory)
	fact("listings", s.Listings)
	fact("names", s.Names)
	fact("features", strings.Join(s.Features, ", "))
	if l := e.findings.MostLogins; l != nil && l.AtLeast {
		fact("connections", fmt.Sprintf("at least %d", l.Allowed))
	} else if l != nil {
		fact("connections", fmt.Sprintf("%d; then %s", l.Allowed, l.Reply))
	}
}

// offersTLS tells whether the server announces what the URL does not ask for.
func (e *examination) offersTLS() bool {
	return slices.ContainsFunc(e.findings.Server.Features, func(f string) bool { return strings.HasPrefix(strings.ToUpper(f), "AUTH TLS") })
}

// sayPictures draws which side connects to which port, once for passive and once for
// active mode.
func (e *examination) sayPictures() {
	for _, picture := range []struct{ title, modes string }{
		{"Passive mode: you connect, to a port that the server names.", "epsv pasv"},
		{"Active mode: the server connects, to a port that you name.", "eprt port"},
	} {
		f, ok := e.shown(picture.modes)
		if !ok {
			continue
		}
		e.say("")
		e.say("%s Here by %s: %s.", picture.title, strings.ToUpper(f.Mode), f.Result)
		e.say("")
		you, server := f.Control.From, f.Control.To
		data, arrow := f.Data.From, "── data ─────▶"
		to := f.Data.To
		if strings.Contains("eprt port", f.Mode) {
			data, arrow, to = f.Data.To, "◀───── data ──", f.Data.From
		}
		if f.Result != works {
			arrow = strings.NewReplacer("▶", "✗", "◀", "✗").Replace(arrow)
		}
		width := max(len(you), len(data))
		e.say("    you %-*s  ── control ──▶  %s server", width, you, server)
		e.say("        %-*s  %s  %s", width, data, arrow, to)
	}
}

// shown is the finding to draw for one of the modes: one that works, if there is one.
func (e *examination) shown(modes string) (found modeFinding, ok bool) {
	for _, p := range e.findings.Paths {
		for _, f := range p.Modes {
			if !strings.Contains(modes, f.Mode) || f.Data == nil || f.Control == nil || f.Result == failed {
				continue
			}
			if !ok || f.Result == works && found.Result != works {
				found, ok = f, true
			}
		}
	}
	return found, ok
}

func (e *examination) sayConclusion() {
	if e.findings.Works {
		e.say("")
		e.say("Mount it by")
		e.say("  %s", e.findings.Command)
	}
}
