package main

import (
	"os"
	"slices"
	"strings"
	"sync"

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

// flagPart is what stands below one heading.
type flagPart struct {
	title string
	flags *pflag.FlagSet
}

// flagParts divides flags by their headings, and leaves out those that are hidden.
func flagParts(s *pflag.FlagSet) (parts []flagPart) {
	begin := func(title string) {
		part := flagPart{title, pflag.NewFlagSet("", pflag.ContinueOnError)}
		part.flags.SortFlags = false
		parts = append(parts, part)
	}
	begin("Flags")
	s.VisitAll(func(flag *pflag.Flag) {
		for _, section := range flagSections {
			if flag.Name == section.first {
				begin(section.title)
			}
		}
		if flag.Value.Type() == "bool" {
			own := *flag
			own.Value, flag = onOff{flag.Value}, &own
		}
		parts[len(parts)-1].flags.AddFlag(flag)
	})
	return slices.DeleteFunc(parts, func(p flagPart) bool { return !p.flags.HasAvailableFlags() })
}

// An onOff is the value of a flag that is on when it is given: --name=true|false need not be told of each.
type onOff struct{ pflag.Value }

// flagUsages lists flags under their headings, as wide as the terminal.
func flagUsages(s *pflag.FlagSet) string {
	width := 0
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		width = columns
	}
	var usages []string
	for _, p := range flagParts(s) {
		usages = append(usages, p.title+":\n"+strings.TrimRight(p.flags.FlagUsagesWrapped(width), "\n"))
	}
	return strings.Join(usages, "\n\n")
}

// addFlagUsages makes flagUsages known to all commands there will ever be.
var addFlagUsages = sync.OnceFunc(func() { cobra.AddTemplateFunc("flagUsages", flagUsages) })

// useFlagSections makes root and its commands show their flags by flagUsages.
func useFlagSections(root *cobra.Command) {
	addFlagUsages()
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), `Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}`, `{{flagUsages .LocalFlags}}`, 1))
}
