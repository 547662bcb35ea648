package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// applyOptions sets what -o names. A name is that of a flag,
// or one that other programs have for the same: see foreignOptions. - and _ are alike.
func (f *flags) applyOptions(s *pflag.FlagSet) error {
	o := optionSetter{flags: f, set: s}
	for _, list := range f.options {
		for _, item := range splitOptions(list) {
			if err := o.apply(item); err != nil {
				return err
			}
		}
	}
	return o.together()
}

// optionSetter sets the flags of one command line by -o, in the order in which they are given.
type optionSetter struct {
	flags *flags
	set   *pflag.FlagSet
	later gathered
}

func (o *optionSetter) apply(item string) error {
	name, text, hasText := strings.Cut(item, "=")
	name = strings.ReplaceAll(name, "_", "-")
	if known, ok := foreignNames[name]; ok {
		if !hasText && known.needsValue {
			return fail(exitUsage, "The option %q needs a value.", name)
		}
		if err := known.apply(o, text); err != nil {
			return fail(exitUsage, "The option %s cannot be used: %w.", describe(name, text, hasText), cause(err))
		}
		return nil
	}
	switch flag := o.set.Lookup(name); {
	case flag != nil && isSetting(name):
		return o.setFlag(flag, text, hasText)
	case strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-"):
		return nil // comments for systemd and others
	case o.flags.sloppy:
		return nil
	}
	return fail(exitUsage, "There is no option %q.%s See ftpfs --help.", name, nearestOption(o.set, name))
}

func (o *optionSetter) setFlag(flag *pflag.Flag, text string, hasText bool) error {
	if !hasText {
		if flag.NoOptDefVal == "" {
			kind, _ := pflag.UnquoteUsage(flag)
			return fail(exitUsage, "The option %q needs a value: -o %s=%s.", flag.Name, flag.Name, kind)
		}
		text = flag.NoOptDefVal
	}
	if err := o.set.Set(flag.Name, text); err != nil {
		return fail(exitUsage, "The option %s=%s is wrong: %w. See ftpfs --help.", flag.Name, text, cause(err))
	}
	return nil
}

// describe writes an option as it was given, without what may be secret.
func describe(name, text string, hasText bool) string {
	switch {
	case !hasText:
		return fmt.Sprintf("%q", name)
	case name == "user" || name == "pass" || strings.HasPrefix(name, "proxy"):
		return name + "=…"
	}
	return name + "=" + text
}

// splitOptions takes a list apart at its commas. A comma that belongs to a value is written
// \, as for FUSE, or in double quotes, as for mount(8).
func splitOptions(list string) []string {
	var all []string
	var item strings.Builder
	quoted := false
	end := func() {
		if item.Len() > 0 {
			all = append(all, item.String())
		}
		item.Reset()
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && i+1 < len(list) && (list[i+1] == ',' || list[i+1] == '\\'):
			i++
			item.WriteByte(list[i])
		case c == '"' && (quoted || strings.HasSuffix(item.String(), "=") && strings.Contains(list[i+1:], `"`)):
			quoted = !quoted
		case c == ',' && !quoted:
			end()
		default:
			item.WriteByte(c)
		}
	}
	end()
	return all
}

// nearestOption suggests the flag, or the name of another program's, that is most like name.
func nearestOption(s *pflag.FlagSet, name string) string {
	var names []string
	s.VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag.Name) && !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	for _, g := range foreignOptions {
		for _, known := range g.options {
			names = append(names, strings.Fields(known.names)...)
		}
	}
	return suggest(name, names)
}
