package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// manpagesCommand writes what --help tells as manual pages, for packages.
func manpagesCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "manpages DIR",
		Short:  "Write the manual pages of all commands to a directory",
		Long:   "Writes ftpfs.1, ftpfs-umount.1 and so on. Their date is $SOURCE_DATE_EPOCH, or else left out.",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fail(exitUsage, "ftpfs manpages needs one directory.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			date := ""
			if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
				date = time.Unix(seconds, 0).UTC().Format(time.DateOnly)
			}
			for name, page := range manpages(cmd.Root(), date) {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(page), 0o644); err != nil {
					return fail(exitUsage, "The manual page cannot be written: %w.", err)
				}
			}
			return nil
		},
	}
}

// manpages makes a page in the format of man(7) for root and for each of its commands, by
// file name.
func manpages(root *cobra.Command, date string) map[string]string {
	pages := make(map[string]string)
	name := root.Name()
	for _, cmd := range root.Commands() {
		if documented(cmd) {
			pages[pageName(cmd)+".1"] = manpage(cmd, date, nil)
		}
	}
	pages[name+".1"] = manpage(root, date, root.Commands())
	return pages
}

// documented tells whether a command has a page: those that cobra adds have none.
func documented(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() && cmd.Name() != "help" && cmd.Name() != "completion"
}

// pageName is the command with its parents, as in ftpfs-umount.
func pageName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "-")
}

// manpage is the page of cmd, with pointers to the pages of commands.
func manpage(cmd *cobra.Command, date string, commands []*cobra.Command) string {
	var p roff
	root := cmd.Root()
	p.macro(".TH", strings.ToUpper(pageName(cmd)), "1", date, "ftpfs "+root.Version, "User Commands")
	p.macro(".SH", "NAME")
	p.text(pageName(cmd) + ` \- ` + strings.ToLower(cmd.Short[:1]) + cmd.Short[1:])
	p.macro(".SH", "SYNOPSIS")
	p.synopsis(cmd)
	for _, c := range subcommands(cmd) {
		p.text(".br")
		p.synopsis(c)
	}
	p.macro(".SH", "DESCRIPTION")
	p.prose(cmp.Or(cmd.Long, cmd.Short+"."))
	p.macro(".SH", "OPTIONS")
	p.options(cmd)
	if commands == nil {
		for _, c := range subcommands(cmd) {
			p.macro(".SH", strings.ToUpper(c.CommandPath()))
			p.prose(cmp.Or(c.Long, c.Short+"."))
			p.options(c)
		}
	}
	if cmd.Example != "" {
		p.macro(".SH", "EXAMPLES")
		p.literal(cmd.Example)
	}
	p.macro(".SH", "SEE ALSO")
	var others []string
	for _, c := range root.Commands() {
		if documented(c) && c != cmd {
			others = append(others, reference(pageName(c), "1"))
		}
	}
	if cmd != root {
		others = append([]string{reference(root.Name(), "1")}, others...)
	}
	others = append(others, reference("ftpfs", "7"), reference("mount.ftpfs", "8"))
	p.text(strings.Join(others, ",\n"))
	return p.String()
}

func subcommands(cmd *cobra.Command) (list []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if documented(c) {
			list = append(list, c)
		}
	}
	return list
}

// roff is a page that is being written.
type roff struct{ strings.Builder }

// text adds lines that are roff already.
func (r *roff) text(s string) { fmt.Fprintln(r, s) }

func (r *roff) macro(name string, args ...string) {
	r.WriteString(name)
	for _, a := range args {
		fmt.Fprintf(r, ` "%s"`, strings.ReplaceAll(escape(a), `"`, `\(dq`))
	}
	r.WriteString("\n")
}

// escape makes s text that roff prints as it is.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func reference(page, section string) string { return `.BR ` + escape(page) + ` (` + section + `)` }

// synopsis writes the use of a command, its name in bold.
func (r *roff) synopsis(cmd *cobra.Command) {
	path := cmd.CommandPath()
	r.text(`\fB` + escape(path) + `\fR` + escape(strings.TrimPrefix(cmd.UseLine(), path)))
}

// heading is a line that names what the indented lines below it tell.
var heading = regexp.MustCompile(`^[A-Z][^.]*:$`)

// prose sets the text of a command: paragraphs, headings, and indented lines as they are.
func (r *roff) prose(s string) {
	for part := range strings.SplitSeq(strings.Trim(s, "\n"), "\n\n") {
		lines := strings.Split(part, "\n")
		if heading.MatchString(lines[0]) && len(lines) > 1 {
			r.macro(".SH", strings.ToUpper(strings.TrimSuffix(lines[0], ":")))
			lines = lines[1:]
		} else {
			r.text(".PP")
		}
		for len(lines) > 0 {
			n := 0
			for n < len(lines) && indented(lines[n]) == indented(lines[0]) {
				n++
			}
			if indented(lines[0]) {
				r.literal(strings.Join(lines[:n], "\n"))
			} else {
				for _, line := range lines[:n] {
					r.text(escape(line))
				}
			}
			lines = lines[n:]
		}
	}
}

func indented(line string) bool { return strings.HasPrefix(line, "  ") }

// literal sets lines as they are, without the indentation that all have.
func (r *roff) literal(s string) {
	r.text(".EX")
	for line := range strings.SplitSeq(s, "\n") {
		r.text(escape(strings.TrimPrefix(line, "  ")))
	}
	r.text(".EE")
}

// flagLine is a line of pflag's usages: flags, three blanks or more, meaning.
var flagLine = regexp.MustCompile(`^ *(-.*?) {3,}(.*)$`)

// options lists the flags of cmd as --help does, under its headings if there are several, but
// for the home directory of whoever writes the page.
func (r *roff) options(cmd *cobra.Command) {
	parts := flagParts(cmd.LocalFlags())
	for _, part := range parts {
		if len(parts) > 1 {
			r.macro(".SS", part.title)
		}
		usages := part.flags.FlagUsages()
		if home := homeDir(os.Getenv); len(home) > 1 {
			usages = strings.ReplaceAll(usages, home+"/", "~/")
		}
		for line := range strings.Lines(usages) {
			if m := flagLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
				r.text(".TP")
				r.text(`\fB` + escape(m[1]) + `\fR`)
				r.text(escape(m[2]))
			}
		}
	}
}
