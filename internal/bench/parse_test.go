package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestParseCPU(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"42 (a b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 9": 1750 * time.Millisecond,
		"42 (ftpfs) S 1": 0,
		"":               0,
	} {
		if got := parseCPU(stat); got != want {
			t.Errorf("parseCPU(%q) = %v, want %v", stat, got, want)
		}
	}
}

func TestParsePeak(t *testing.T) {
	if got := parsePeak("Name:\tftpfs\nVmPeak:\t  900 kB\nVmHWM:\t   16 kB\n"); got != 16<<10 {
		t.Errorf("got %d", got)
	}
	if got := parsePeak("Name:\tftpfs\n"); got != 0 {
		t.Errorf("got %d without the line", got)
	}
}

func TestThisProcess(t *testing.T) {
	stat, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if parsePeak(string(stat)) == 0 {
		t.Error("this process has no peak of memory")
	}
	if m := thisMachine(); m.CPU == "" || m.Cores == 0 || m.Memory == 0 || m.Kernel == "" {
		t.Errorf("%+v", m)
	}
}

func TestTally(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	before := `time=1 level=DEBUG msg=ftp conn=1 line="> USER user"` + "\n"
	after := `time=1 level=DEBUG msg=ftp conn=1 line="> RETR /a \"b\""
time=1 level=DEBUG msg=ftp conn=1 line="< 150 Here it comes."
time=1 level=DEBUG msg=ftp conn=2 line="> RETR /c"
time=1 level=DEBUG msg=ftp conn=2 line="> EPSV"
time=1 level=DEBUG msg=fuse request="Read > EPSV"
time=1 level=DEBUG msg=ftp conn=2 line="> broken
`
	if err := os.WriteFile(log, []byte(before+after), 0o600); err != nil {
		t.Fatal(err)
	}
	var got tally
	if err := got.count(log, int64(len(before))); err != nil {
		t.Fatal(err)
	}
	if want := (tally{"RETR": 2, "EPSV": 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s := got.String(); s != "3: RETR 2, EPSV 1" {
		t.Errorf("got %q", s)
	}
	if s := (tally{}).String(); s != "no command" {
		t.Errorf("got %q", s)
	}
}

func TestVersionIn(t *testing.T) {
	for said, want := range map[string]string{
		"rclone v1.60.1-DEV\n- os/version":          "1.60.1-DEV",
		"LFTP | Version 4.9.2 | Copyright (c) 1996": "4.9.2",
		"curl 7.88.1 (x86_64-pc-linux-gnu)":         "7.88.1",
		"":                                          "unknown",
	} {
		if got := versionIn(said); got != want {
			t.Errorf("versionIn(%q) = %q, want %q", said, got, want)
		}
	}
}

// A file's bytes follow from its name alone.
func TestContent(t *testing.T) {
	a := file{"a", 1000}
	if a.sum() == (file{"b", 1000}).sum() || a.sum() != (file{"a", 1000}).sum() {
		t.Error("content does not follow from the name")
	}
	dir := t.TempDir()
	if err := store(dir, a, file{"d/b", 10}); err != nil {
		t.Fatal(err)
	}
	if !hasSize(filepath.Join(dir, "a"), 1000) || !hasSum(filepath.Join(dir, "a"), a.sum()) {
		t.Error("a was not stored as it shall be")
	}
	if hasSum(filepath.Join(dir, "a"), file{"b", 1000}.sum()) || hasSum(filepath.Join(dir, "none"), a.sum()) {
		t.Error("another sum was taken for a's")
	}
}

func TestEveryWorkloadIsWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range workloads {
		if seen[w.name] || w.run == nil || len(w.figures) == 0 || w.on == "" {
			t.Errorf("%+v", w)
		}
		seen[w.name] = true
		for _, name := range append(w.also, w.instead...) {
			if contestantNamed(name) == nil {
				t.Errorf("%s: no contestant is called %q", w.name, name)
			}
		}
	}
}
