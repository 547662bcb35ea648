package faults

import (
	"maps"
	"slices"

	"ftpfs/ftpclient"
)

// An operation is what a program does in a mount whose server has initial. Its calls are made
// one after another until one fails.
type operation struct {
	name   string
	server string // a real one to run it on; "" is the embedded one
	open   string // how file is opened beforehand; "" not
	file   string // "" is dir/file
	calls  []call
	want   string                       // what the last call gives
	after  func(tree map[string]string) // what it makes of the server's tree; nil: nothing
	stores int64                        // bytes that it uploads
	keeps  bool                         // what was written is not lost when the operation fails
	watch  string                       // what of the file watched is compared, too; "" nothing
	mode   ftpclient.Mode               // of data connections; 0 is passive
	tls    bool                         // control and data connections are under TLS
	every  int                          // of so many cells one is tried; 0: of each
}

// kind tells which errno an operation may end with.
func (o operation) changes() bool { return o.after != nil }

const fileSize = 200_000

// initial is what the server has at first.
var initial = map[string]string{
	"dir":      "dir",
	"dir/file": string(pattern(fileSize, 'f')),
	"dir/old":  "old content",
	"dir/sub":  "dir",
	"dir/link": "link old", // where the server has links
}

const (
	newSize = 150_000
	cutSize = 50 // few, since what drips is waited for
)

var written = digest(pattern(newSize, 'w'))

// operations are all requests of the kernel's that can need the server. "write" and "flush" are
// parts of one: what a write meets of the server is told by it or by the close.
var operations = []operation{
	{name: "lookup", calls: []call{{Verb: "stat", Path: "dir/file"}}, want: "100000 200000"},
	{name: "getattr", open: "open", calls: []call{{Verb: "fstat"}}, want: "100000 200000"},
	{name: "readdir", calls: []call{{Verb: "list", Path: "dir"}}, want: "file\nold\nsub\n"},
	{name: "open", calls: []call{{Verb: "open", Path: "dir/file"}, {Verb: "close"}}},
	{name: "read", open: "open", calls: []call{{Verb: "read"}}, want: digest(pattern(fileSize, 'f'))},
	{name: "create", calls: []call{{Verb: "create", Path: "dir/new"}, {Verb: "close"}}, after: set("dir/new", digest(nil))},
	{name: "write", calls: []call{{Verb: "create", Path: "dir/new"}, {Verb: "write", Size: newSize}, {Verb: "close"}}, after: set("dir/new", written), stores: newSize},
	{name: "flush", open: "replace", calls: []call{{Verb: "write", Size: newSize}, {Verb: "close"}}, after: set("dir/file", written), stores: newSize, keeps: true},
	{name: "fsync", open: "replace", calls: []call{{Verb: "write", Size: newSize}, {Verb: "fsync"}}, after: set("dir/file", written), stores: newSize, keeps: true},
	{name: "append", open: "open-append", file: "dir/old", calls: []call{{Verb: "write", Size: 1000}, {Verb: "close"}}, after: set("dir/old", digest(append([]byte(initial["dir/old"]), pattern(1000, 'w')...))), stores: 1000, keeps: true},
	{name: "truncate", calls: []call{{Verb: "truncate", Path: "dir/file", Size: cutSize}}, after: set("dir/file", digest(pattern(cutSize, 'f'))), stores: cutSize},
	{name: "chmod", calls: []call{{Verb: "chmod", Path: "dir/old", Mode: 0o600}}, watch: watchMode, after: set(watchMode, "600")},
	{name: "utimes", calls: []call{{Verb: "utimes", Path: "dir/old", Size: 1_000_000_000}}, watch: watchTime, after: set(watchTime, "1000000000")},
	{name: "rename", calls: []call{{Verb: "rename", Path: "dir/old", To: "dir/moved"}}, after: move("dir/old", "dir/moved")},
	{name: "rename-over", calls: []call{{Verb: "rename", Path: "dir/old", To: "dir/file"}}, after: move("dir/old", "dir/file")},
	{name: "rename-dir", calls: []call{{Verb: "rename", Path: "dir/sub", To: "dir/sub2"}}, after: move("dir/sub", "dir/sub2")},
	{name: "unlink", calls: []call{{Verb: "unlink", Path: "dir/old"}}, after: remove("dir/old")},
	{name: "mkdir", calls: []call{{Verb: "mkdir", Path: "dir/made"}}, after: set("dir/made", "dir")},
	{name: "rmdir", calls: []call{{Verb: "rmdir", Path: "dir/sub"}}, after: remove("dir/sub")},
	{name: "symlink", server: "proftpd", calls: []call{{Verb: "symlink", Path: "dir/new", To: "old"}}, after: set("dir/new", "link old")},
	{name: "readlink", server: "proftpd", calls: []call{{Verb: "readlink", Path: "dir/link"}}, want: "old"},
}

// variants are other servers and other ways to have data connections. A part of their cells is
// tried, with the operations that have most to do with them.
var variants = []operation{
	{name: "active", mode: ftpclient.ModeActive},
	{name: "TLS", tls: true},
	{name: "vsftpd", server: "vsftpd"},
	{name: "pure-ftpd", server: "pure-ftpd"},
}

func init() {
	for _, v := range variants {
		for _, op := range operations {
			if slices.Contains([]string{"readdir", "read", "write", "rename", "unlink"}, op.name) {
				op.name += " (" + v.name + ")"
				op.server, op.mode, op.tls, op.every = v.server, v.mode, v.tls, 7
				operations = append(operations, op)
			}
		}
	}
}

func set(path, to string) func(map[string]string) {
	return func(tree map[string]string) { tree[path] = to }
}

func move(from, to string) func(map[string]string) {
	return func(tree map[string]string) { tree[to] = tree[from]; delete(tree, from) }
}

func remove(path string) func(map[string]string) {
	return func(tree map[string]string) { delete(tree, path) }
}

// done is the tree that the operation makes of another one.
func (o operation) done(before map[string]string) map[string]string {
	tree := maps.Clone(before)
	if o.after != nil {
		o.after(tree)
	}
	return tree
}
