package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The bill of materials of this very test names each module that Go has put into it.
func TestBillOfMaterials(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var out, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&out, &again} {
		if err := write(w, binary, "1.2", "1790000000"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("not the same bytes twice")
	}
	var b bom
	if err := json.Unmarshal(out.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if m := b.Metadata; m.Timestamp != "2026-09-21T14:13:20Z" || m.Component.Version != "1.2" || len(m.Component.Hashes) != 1 {
		t.Errorf("%+v", m)
	}
	if len(b.Components) != 1+len(info.Deps) || b.Components[0].Name != "std" || b.Components[0].Version != info.GoVersion {
		t.Errorf("%d modules are in the program, told are %+v", len(info.Deps), b.Components)
	}
	if len(b.Dependencies) != 1 || len(b.Dependencies[0].DependsOn) != len(b.Components) {
		t.Errorf("%+v", b.Dependencies)
	}
	if err := write(&out, os.DevNull, "1.2", ""); err == nil {
		t.Error("a file that is no program has modules")
	}
}

func TestPackageURL(t *testing.T) {
	got := module("library", "github.com/BurntSushi/to ml/v2", "v2.0.0+incompatible").PURL
	if want := "pkg:golang/github.com/burntsushi/to%20ml/v2@v2.0.0%2Bincompatible"; got != want || strings.Contains(got, "+") {
		t.Errorf("%s", got)
	}
}
