package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each line of fstab that the documents show is taken by the helper of mount(8), when it is
// told to pretend.
func TestFstabOfTheDocuments(t *testing.T) {
	name, _ := writeConfig(t, "[profiles.work]\nurl = \"ftp://h/\"\n")
	t.Setenv(configEnv, name)
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if !strings.HasPrefix(line, "    ") || len(fields) != 6 || !strings.HasPrefix(fields[2], "fuse") {
				continue
			}
			found++
			p := program{mount: mountServer}
			var stderr bytes.Buffer
			if code := p.helper([]string{fields[0], fields[1], "-f", "-n", "-o", fields[3], "-t", fields[2]}, &stderr); code != 0 {
				t.Errorf("%s: %s%d %s", name, line, code, stderr.String())
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d lines were found: the test is wrong", found)
	}
}
