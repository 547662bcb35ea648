package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report prints the result and writes its files, as the options say.
func (r *Result) report(o options) error {
	print := r.writeMarkdown
	if o.json {
		print = r.writeJSON
	}
	if err := print(os.Stdout); err != nil || o.output == "" {
		return err
	}
	return r.publish(o.output, o.readme)
}

// reportFrom reports an earlier result.
func reportFrom(o options) error {
	in, err := os.Open(o.from)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := readJSON(in)
	if err != nil {
		return fmt.Errorf("%s: %w", o.from, err)
	}
	return r.report(o)
}

// publish writes the result into a directory: as JSON, as Markdown and as charts. They are
// shown in the file readme, if there is to be one.
func (r *Result) publish(dir, readme string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var json, text bytes.Buffer
	if err := r.writeJSON(&json); err != nil {
		return err
	}
	pictures, err := r.writeCharts(dir)
	if err != nil {
		return err
	}
	fmt.Fprint(&text, "# How fast ftpfs is\n\nWritten by `make bench`.\n\n")
	for _, p := range pictures {
		fmt.Fprintf(&text, "![%s](%s)\n\n", strings.TrimSuffix(p, ".svg"), p)
	}
	if err := r.writeMarkdown(&text); err != nil {
		return err
	}
	if readme != "" {
		if err := r.show(dir, pictures, readme); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "results.json"), json.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, "README.md"), text.Bytes(), 0o644))
}

// The marks between which a file shows the charts.
const (
	firstMark = "<!-- measured by make bench -->\n"
	lastMark  = "<!-- measured until here -->\n"
)

// show puts the charts into a file that has the marks.
func (r *Result) show(dir string, pictures []string, file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), firstMark)
	_, after, alsoFound := strings.Cut(rest, lastMark)
	if !found || !alsoFound {
		return fmt.Errorf("%s has not the marks %q and %q", file, strings.TrimSpace(firstMark), strings.TrimSpace(lastMark))
	}
	dir, err = filepath.Rel(filepath.Dir(file), dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, p := range pictures {
		fmt.Fprintf(&b, "![%s](%s)\n\n", strings.TrimSuffix(p, ".svg"), filepath.Join(dir, p))
	}
	fmt.Fprintf(&b, "%s Versions: %s. All rows: [%s](%s).\n", r.circumstances(), r.versions(), dir, filepath.Join(dir, "README.md"))
	return os.WriteFile(file, []byte(before+firstMark+b.String()+lastMark+after), 0o644)
}

// versions names each program once.
func (r *Result) versions() string {
	var all []string
	for _, c := range r.Contestants {
		program := contestantNamed(c.Name)
		if program == nil || program.program == "" {
			continue
		}
		said := program.program + " " + cmp.Or(c.Version, "absent")
		if i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, program.program+" ") }); i < 0 {
			all = append(all, said)
		} else if c.Version != "" {
			all[i] = said // the program is there, if not all of its flags
		}
	}
	return strings.Join(all, ", ")
}
