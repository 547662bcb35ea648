// Package imports holds the packages to the structure that they are meant to
// have: who may know whom.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// imports gives the imports of each file below dir, without its tests.
func imports(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	err := filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			found[rel] = append(found[rel], imported)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no files below %s", dir)
	}
	return found
}

// standard tells whether an import is of the standard library.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return first != "ftpfs" && !strings.Contains(first, ".")
}

func TestWhoKnowsWhom(t *testing.T) {
	for _, rule := range []struct {
		dir     string
		allowed []string // besides the standard library
	}{
		{"ftpclient", []string{"golang.org/x/text/encoding", "golang.org/x/text/encoding/htmlindex", "golang.org/x/text/encoding/ianaindex", "golang.org/x/text/encoding/unicode"}},
		{"cache", []string{"golang.org/x/sys/unix", "github.com/hashicorp/golang-lru/v2", "github.com/hashicorp/golang-lru/v2/simplelru"}},
		{"ftpfs", []string{"ftpfs/ftpclient", "ftpfs/cache", "bazil.org/fuse", "golang.org/x/sys/unix", "github.com/hashicorp/golang-lru/v2", "github.com/hashicorp/golang-lru/v2/simplelru"}},
		{"internal/csi", []string{"github.com/container-storage-interface/spec/lib/go/csi", "google.golang.org/grpc", "google.golang.org/grpc/codes", "google.golang.org/grpc/status"}},
		{"internal/dialer", []string{"golang.org/x/net/http/httpproxy", "golang.org/x/net/proxy"}},
		{"internal/ftptest", []string{"github.com/fclairamb/ftpserverlib", "github.com/spf13/afero", "golang.org/x/sys/unix"}},
		{"internal/keyring", []string{"github.com/godbus/dbus/v5"}},
		{"internal/netlab", []string{"github.com/vishvananda/netlink", "golang.org/x/sys/unix"}},
	} {
		for file, list := range imports(t, rule.dir) {
			for _, imported := range list {
				if !standard(imported) && !slices.Contains(rule.allowed, imported) {
					t.Errorf("%s imports %s", file, imported)
				}
			}
		}
	}
	for file, list := range imports(t, "cmd") {
		for _, imported := range list {
			if imported == "bazil.org/fuse" || imported == "ftpfs/cache" {
				t.Errorf("%s imports %s", file, imported)
			}
		}
	}
}

// Of the file system only what answers the kernel knows its protocol.
func TestTheKernelIsKnownToFewFiles(t *testing.T) {
	few := []string{"attr.go", "create.go", "delay.go", "device.go", "dir.go", "dispatch.go", "duplicate.go", "file.go", "fs.go",
		"handle.go", "notify.go", "read.go", "readdir.go", "refresh.go", "rename.go", "rename2.go", "serve.go", "setattr.go", "stat.go", "statfs.go",
		"symlink.go", "xattr.go"}
	for name, list := range imports(t, "ftpfs") {
		knows := slices.ContainsFunc(list, func(imported string) bool { return strings.HasPrefix(imported, "bazil.org/fuse") })
		if expected := slices.Contains(few, path.Base(name)); knows != expected {
			t.Errorf("%s imports bazil.org/fuse: %t", name, knows)
		}
	}
}
