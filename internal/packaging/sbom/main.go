// Command sbom prints the bill of materials of a program built by Go, as CycloneDX 1.6 in JSON: the
// modules that are in the binary, and the Go release that it was built by, as Go has written them into it.
//
//	sbom bin/ftpfs 1.2 >ftpfs.cdx.json
//
// The same binary and version give the same bytes. SOURCE_DATE_EPOCH, seconds since 1970, is the
// time told; without it none is. Which module needs which is not in a binary, and not told.
package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY VERSION")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1], os.Args[2], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// What CycloneDX calls its parts.
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp,omitempty"`
		Component component `json:"component"`
	}
	component struct {
		Ref     string `json:"bom-ref"`
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
		Hashes  []hash `json:"hashes,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// write prints the bill of materials of the binary, which is of the given version.
func write(w io.Writer, binary, version, epoch string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(program)
	main := module("application", info.Main.Path, version)
	main.Name = path.Base(info.Path)
	main.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata:   metadata{Component: main},
		Components: []component{module("library", "std", info.GoVersion)},
	}
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		b.Metadata.Timestamp = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	for _, m := range info.Deps {
		m = cmp.Or(m.Replace, m)
		b.Components = append(b.Components, module("library", m.Path, m.Version))
	}
	all := dependency{Ref: main.Ref}
	for _, c := range b.Components {
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{all}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(b)
}

// module is a Go module as a component. Package URLs of Go have lower case and escaped elements.
func module(kind, name, version string) component {
	elements := strings.Split(strings.ToLower(name), "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	purl := "pkg:golang/" + strings.Join(elements, "/") + "@" + strings.ReplaceAll(url.PathEscape(version), "+", "%2B")
	return component{Ref: purl, Type: kind, Name: name, Version: version, PURL: purl}
}
