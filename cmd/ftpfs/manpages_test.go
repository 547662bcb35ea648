package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every command and every flag is in its page.
func TestManualPages(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	dir := t.TempDir()
	var p program
	if code, stdout, stderr := run(&p, "manpages", dir); code != 0 || stdout+stderr != "" {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	root := p.rootCommand()
	pages := map[string]string{}
	for _, cmd := range append(subcommands(root), root) {
		name := pageName(cmd) + ".1"
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		page := string(data)
		pages[name] = page
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(page, escape("--"+f.Name)) {
				t.Errorf("%s lacks --%s", name, f.Name)
			}
		})
		if strings.Contains(page, "somebody") || !strings.Contains(page, `1970\-01\-02`) {
			t.Errorf("%s depends on who wrote it, or has not the date asked for:\n%s", name, page)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != len(pages) {
		t.Errorf("%d pages, want %d, %v", len(files), len(pages), err)
	}
	for _, part := range []string{".SH \"EXIT CODES\"", ".SH \"LIMITATIONS\"", ".SH \"EXAMPLES\"", ".SS \"Encryption\"", ".BR ftpfs\\-umount (1)"} {
		if !strings.Contains(pages["ftpfs.1"], part) {
			t.Errorf("ftpfs.1 lacks %s", part)
		}
	}
}

// Pages that were written by hand name no flag that is not there.
func TestManualPagesByHand(t *testing.T) {
	var p program
	root := p.rootCommand()
	known := map[string]bool{}
	for _, cmd := range append(root.Commands(), root) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	names, err := filepath.Glob("../../internal/packaging/man/*")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\\-\\-([a-z\\-]+)`).FindAllStringSubmatch(string(page), -1) {
			if flag := strings.ReplaceAll(m[1], `\-`, "-"); !known[flag] {
				t.Errorf("%s names --%s", name, flag)
			}
		}
	}
}

func TestRoffPrintsTextAsItIs(t *testing.T) {
	for s, want := range map[string]string{
		`.profile`: `\&.profile`,
		`'a' \ b`:  `\(aqa\(aq \e b`,
		`--x ~/a`:  `\-\-x \(ti/a`,
	} {
		if got := escape(s); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}
