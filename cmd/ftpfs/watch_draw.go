package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// How the view emphasises. Colours are left out by the terminal's library where they are not
// wanted (NO_COLOR) or not known.
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	red   = "\x1b[31m"
	plain = "\x1b[m"
)

const (
	mostPending = 5  // files named of those that are not sent yet
	mostCells   = 20 // of a bar, but for those of transfers
)

// draw is the view: what each mount is doing, in as many lines as the terminal has.
func (w watch) draw() string {
	var lines []string
	if w.all == nil && w.complaints == "" {
		lines = append(lines, "Asking the mounts ...")
	}
	for _, s := range w.all {
		lines = append(lines, s.draw(earlier(w.before, s), w.width)...)
		lines = append(lines, "")
	}
	for line := range strings.Lines(w.complaints) {
		lines = append(lines, red+strings.TrimSpace(line)+plain)
	}
	const keys = faint + "q quits" + plain
	if room := w.height - 1; w.height > 1 && len(lines) > room {
		more := len(lines) - room + 1
		lines = append(lines[:room-1], fmt.Sprintf("%s... %d more lines: ftpfs status shows all%s", faint, more, plain))
	}
	lines = append(lines, keys)
	if w.width > 0 {
		for i, line := range lines {
			lines[i] = ansi.Truncate(line, w.width, "~")
		}
	}
	return strings.Join(lines, "\n")
}

// draw shows one mount in lines of at most about width columns. Names and words of the server do
// not act on the terminal.
func (s status) draw(before *status, width int) (lines []string) {
	line := func(title, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("  %-13s%s", title, printable(fmt.Sprintf(format, args...))))
	}
	lines = append(lines, fmt.Sprintf("%s%s%s on %s", bold, printable(s.Source), plain, printable(s.MountPoint)))
	line("server", "%s", s.Server.text())
	c := s.Connections
	line("connections", "%s %d in use, %d open, at most %d", s.Connections.bar(), c.Busy, c.Open, c.Limit)
	if before != nil {
		seconds := max(s.Age-before.Age, 0.001)
		line("now", "%s/s received, %s/s sent", size(perSecond(s.Traffic.In-before.Traffic.In, seconds)), size(perSecond(s.Traffic.Out-before.Traffic.Out, seconds)))
	}
	line("traffic", "%s received, %s sent; %d round trips, %d saved", size(s.Traffic.In), size(s.Traffic.Out), s.Traffic.RoundTrips, s.Traffic.Saved)
	line("cache", "%s %s, %s of the reads and %s of the questions answered", barOf(s.Cache.Bytes, s.Cache.Limit, mostCells),
		s.Cache.kept(), share(s.Cache.ReadHits, s.Cache.ReadWaits), share(s.Cache.ListHits, s.Cache.ListMiss))
	for _, t := range s.Transfers {
		lines = append(lines, "  "+t.draw(s.rate(t, before), width-2))
	}
	n := len(s.Pending)
	if n > 0 {
		total := int64(0)
		for _, p := range s.Pending {
			total += p.Size
		}
		line("not sent yet", "%s, %s", files(n), size(total))
	}
	for i, p := range s.Pending {
		if i == mostPending {
			line("", "and %d more", n-mostPending)
			break
		}
		line("", "%s, %s", p.Path, size(p.Size))
		if p.Error != "" {
			lines = append(lines, "  "+red+strings.Repeat(" ", 13)+printable(p.Error)+plain)
		}
	}
	for _, e := range s.Errors {
		times := ""
		if e.Times > 1 {
			times = fmt.Sprintf(" (%d times)", e.Times)
		}
		lines = append(lines, fmt.Sprintf("  %-13s%s%s", "error", red, printable(e.Time.Format(time.TimeOnly)+" "+e.Text+times))+plain)
	}
	return lines
}

// draw shows a transfer: its name and a bar share what the figures leave of the line.
func (t statusTransfer) draw(rate float64, width int) string {
	verb := "reading"
	if t.Upload {
		verb = "sending"
	}
	figures := fmt.Sprintf("%s, %s/s", size(t.Moved), size(int64(rate)))
	if t.Total > 0 {
		figures = fmt.Sprintf("%d %% of %s, %s/s%s", min(t.Moved*100/t.Total, 100), size(t.Total), size(int64(rate)), t.remaining(rate))
	}
	room := width - len(verb) - max(len(figures), 40) - len("   []")
	left := min(max(room-mostCells, 12), max(room/2, 12))
	name := printable(t.Path)
	if wide := ansi.StringWidth(name); wide > left {
		name = ansi.TruncateLeft(name, wide-left+1, "~") // its end tells more
	}
	name += strings.Repeat(" ", max(left-ansi.StringWidth(name), 0))
	return fmt.Sprintf("%s %s %s %s", verb, name, barOf(t.Moved, t.Total, max(room-left, 5)), figures)
}

// remaining is how long the rest takes at a rate.
func (t statusTransfer) remaining(rate float64) string {
	if rate < 1 || t.Moved >= t.Total {
		return ""
	}
	seconds := float64(t.Total-t.Moved) / rate
	if seconds >= 100*3600 {
		return ", days left"
	}
	return ", " + (time.Duration(seconds) * time.Second).String() + " left"
}

// bar has a cell for each connection that there may be: in use, open, or not.
func (c statusConnections) bar() string {
	limit := max(min(c.Limit, mostCells), 0)
	busy := min(c.Busy, limit)
	idle := max(min(c.Open-c.Busy, limit-busy), 0)
	return "[" + strings.Repeat("#", busy) + strings.Repeat("-", idle) + strings.Repeat(".", limit-busy-idle) + "]"
}

func perSecond(n int64, seconds float64) int64 { return int64(float64(n) / seconds) }

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
