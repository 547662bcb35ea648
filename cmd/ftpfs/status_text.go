package main

import (
	"fmt"
	"strings"
	"time"
)

// text is a status for people. Rates are those since before, where that is known, else since
// each transfer began. Words of the server and names do not act on the terminal.
func (s status) text(before *status) string {
	var b strings.Builder
	line := func(title, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s%s\n", title, printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "%s on %s\n", printable(s.Source), printable(s.MountPoint))
	line("server", "%s", s.Server.text())
	line("connections", "%d open, %d in use, at most %d; %d logins", s.Connections.Open, s.Connections.Busy, s.Connections.Limit, s.Connections.Logins)
	t := s.Traffic
	line("traffic", "%s received, %s sent; %d round trips, %d saved by listings that were known", size(t.In), size(t.Out), t.RoundTrips, t.Saved)
	c := s.Cache
	line("listings", "%d with %d names; %s of the questions answered", c.Listings, c.Entries, share(c.ListHits, c.ListMiss))
	line("files", "%s in %s; %s of the reads answered", c.kept(), c.place(), share(c.ReadHits, c.ReadWaits))
	for _, t := range s.Transfers {
		verb := "reading"
		if t.Upload {
			verb = "sending"
		}
		line(verb, "%s", t.text(s.rate(t, before)))
	}
	for _, p := range s.Pending {
		why := ""
		if p.Error != "" {
			why = ": " + p.Error
		}
		line("not sent yet", "%s, %s%s", p.Path, size(p.Size), why)
	}
	for _, e := range s.Errors {
		times := ""
		if e.Times > 1 {
			times = fmt.Sprintf(" (%d times)", e.Times)
		}
		line("error", "%s %s%s", e.Time.Format(time.TimeOnly), e.Text, times)
	}
	line("mounted", "%s ago by process %d, ftpfs %s", time.Duration(s.Age)*time.Second, s.Pid, s.Version)
	return b.String()
}

func (s statusServer) text() string {
	if !s.Reached {
		return "not reached yet"
	}
	parts := []string{strings.TrimSpace(s.Greets)}
	if parts[0] == "" {
		parts[0] = "without a greeting"
	}
	if s.TLS != "" {
		parts = append(parts, s.TLS)
	} else {
		parts = append(parts, "not encrypted")
	}
	if s.Mode != "" {
		parts = append(parts, "data by "+strings.ToUpper(s.Mode))
	}
	if s.ListsBy != "" {
		parts = append(parts, "lists by "+s.ListsBy)
	}
	return strings.Join(parts, "; ")
}

// text shows how far a transfer is.
func (t statusTransfer) text(rate float64) string {
	if t.Total <= 0 {
		return fmt.Sprintf("%s, %s, %s/s", t.Path, size(t.Moved), size(int64(rate)))
	}
	return fmt.Sprintf("%s, %s of %s %s %s/s", t.Path, size(t.Moved), size(t.Total), bar(t.Moved, t.Total), size(int64(rate)))
}

// rate is that of t since before, in bytes per second.
func (s status) rate(t statusTransfer, before *status) float64 {
	if before == nil {
		return t.Rate
	}
	seconds := s.Age - before.Age
	for _, old := range before.Transfers {
		if old.Path == t.Path && old.Begun.Equal(t.Begun) && seconds > 0 {
			return float64(t.Moved-old.Moved) / seconds
		}
	}
	return t.Rate
}

// bar is a picture of part in whole.
func bar(part, whole int64) string { return barOf(part, whole, mostCells) }

// barOf is a picture of part in whole, with a number of cells.
func barOf(part, whole int64, cells int) string {
	full := max(0, min(cells, int(float64(cells)*float64(part)/float64(max(whole, 1)))))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]"
}

// share is how many of all were hits, in per cent.
func share(hits, misses uint64) string {
	if hits+misses == 0 {
		return "none"
	}
	return fmt.Sprintf("%d %%", hits*100/(hits+misses))
}

// size writes a number of bytes with the unit that suits it.
func size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1<<10 && unit < 4 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}
