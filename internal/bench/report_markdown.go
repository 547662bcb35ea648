package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// writeMarkdown writes the whole result.
func (r *Result) writeMarkdown(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.circumstances())
	b.WriteString("A round trip is the wall time divided by the link's round-trip time. " +
		"Figures are medians, with the least and the most of several runs in parentheses. " +
		"Contestants take turns; each turn has a mount of its own. " +
		"In **bold**: ftpfs does not reach what it has to.\n")
	for _, group := range r.groups() {
		fmt.Fprintf(&b, "\n## %s\n\n", group.title)
		group.table(&b)
	}
	r.programs(&b)
	r.misses(&b)
	r.failures(&b)
	_, err := io.WriteString(to, b.String())
	return err
}

// circumstances tells in a sentence where and when the figures come from.
func (r *Result) circumstances() string {
	m := r.Machine
	s := fmt.Sprintf("Measured on %s: %s, %d cores, %.0f GiB, Linux %s. The link has %v of round-trip time and %.0f Mbit/s.",
		r.Date.Format("2 January 2006"), m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.Kernel, r.RTT, r.Rate/1e6)
	if m.TCP != "" {
		s += fmt.Sprintf(" TCP's congestion control is %s.", m.TCP)
	}
	if r.Loss > 0 {
		s += fmt.Sprintf(" It loses %.3g %% of the packets.", 100*r.Loss)
	}
	if m.busy() {
		s += fmt.Sprintf(" The machine was busy with other work (load %.1f): the figures say little.", m.Load)
	}
	return s
}

// A group is the rows that share a table.
type group struct {
	title string
	rows  []*Row
}

func (r *Result) groups() []group {
	var all []group
	for _, row := range r.Rows {
		if len(row.Cells) == 0 {
			continue
		}
		title := row.Server + " over the link"
		if row.Network == loopback {
			title = row.Server + " on loopback"
		}
		i := slices.IndexFunc(all, func(g group) bool { return g.title == title })
		if i < 0 {
			i = len(all)
			all = append(all, group{title: title})
		}
		all[i].rows = append(all[i].rows, row)
	}
	return all
}

// columns are the contestants that have a cell in the group, in their own order.
func (g group) columns() []string {
	var names []string
	for _, c := range contestants {
		if slices.ContainsFunc(g.rows, func(r *Row) bool { return r.cell(c.name) != nil }) {
			names = append(names, c.name)
		}
	}
	return names
}

func (g group) table(to io.Writer) {
	columns := g.columns()
	fmt.Fprintf(to, "| | unit | FTP allows | has to reach | %s |\n", strings.Join(columns, " | "))
	fmt.Fprintf(to, "|---|---|---|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, row := range g.rows {
		target := ""
		if row.Target != 0 {
			target = number(row.Target)
		}
		fmt.Fprintf(to, "| %s | %s | %s | %s |", row.Title, row.Unit, row.Floor, target)
		for _, name := range columns {
			fmt.Fprintf(to, " %s |", row.text(name))
		}
		fmt.Fprintln(to)
	}
}

// text is what a table says of a contestant.
func (r *Row) text(contestant string) string {
	c := r.cell(contestant)
	switch {
	case c == nil:
		return ""
	case len(c.Values) == 0:
		return "fails"
	}
	s := number(median(c.Values))
	if c == r.own() && r.misses() {
		s = "**" + s + "**"
	}
	if least, most := number(slices.Min(c.Values)), number(slices.Max(c.Values)); least != most {
		s += " (" + least + "–" + most + ")"
	}
	return s
}

// number writes a figure as precisely as it deserves.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func (r *Result) programs(to io.Writer) {
	fmt.Fprint(to, "\n## Contestants\n\n| | settings | version |\n|---|---|---|\n")
	for _, c := range r.Contestants {
		fmt.Fprintf(to, "| %s | %s | %s |\n", c.Name, c.About, cmp.Or(c.Version, "absent"))
	}
}

// misses lists the rows in which ftpfs does not reach what it has to, with its commands.
func (r *Result) misses(to io.Writer) {
	var lines []string
	for _, row := range r.Rows {
		if !row.misses() {
			continue
		}
		c := row.own()
		line := fmt.Sprintf("- %s, %s: %s instead of %s %s", row.Workload, row.Server, row.text(c.Contestant), number(row.Target), row.Unit)
		if c.Commands != nil {
			line += "; sent " + c.Commands.String()
		}
		lines = append(lines, line)
	}
	section(to, "Not reached", lines)
}

func (r *Result) failures(to io.Writer) {
	var lines []string
	for _, row := range r.Rows {
		for _, c := range row.Cells {
			if c.Failure != "" {
				lines = append(lines, fmt.Sprintf("- %s, %s, %s: %s", row.Workload, row.Server, c.Contestant, c.Failure))
			}
		}
	}
	section(to, "Failures", slices.Compact(lines))
}

func section(to io.Writer, title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(to, "\n## %s\n\n%s\n", title, strings.Join(lines, "\n"))
	}
}
