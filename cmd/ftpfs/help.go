package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// flagSections are the headings of --help: each before the flag that is named, in the order
// in which flags are registered.
var flagSections = []struct{ first, title string }{
	{"foreground", "Running"},
	{"mode", "Connections"},
	{"tls", "Encryption"},
	{"listing", "Server"},
	{"port", "Login"},
	{"dir-cache-ttl", "Caches and transfers"},
	{"read-only", "Files"},
	{"option", "Other flags"},
}

// flagUsages lists flags under their headings, as wide as the terminal.
func flagUsages(s *pflag.FlagSet) string {
	width := 0
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		width = columns
	}
	title := "Flags"
	part := pflag.NewFlagSet("", pflag.ContinueOnError)
	part.SortFlags = false
	var b strings.Builder
	end := func() {
		if part.HasAvailableFlags() {
			fmt.Fprintf(&b, "%s:\n%s\n", title, strings.TrimRight(part.FlagUsagesWrapped(width), "\n"))
		}
		part = pflag.NewFlagSet("", pflag.ContinueOnError)
		part.SortFlags = false
	}
	s.VisitAll(func(flag *pflag.Flag) {
		for _, section := range flagSections {
			if flag.Name == section.first {
				end()
				if b.Len() > 0 {
					b.WriteString("\n")
				}
				title = section.title
			}
		}
		part.AddFlag(flag)
	})
	end()
	return strings.TrimRight(b.String(), "\n")
}

// useFlagSections makes root and its commands show their flags by flagUsages.
func useFlagSections(root *cobra.Command) {
	cobra.AddTemplateFunc("flagUsages", flagUsages)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), `Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}`, `{{flagUsages .LocalFlags}}`, 1))
}
