package ftpfs

import (
	"bytes"
	"context"
	"testing"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A file that is stored while its directory is listed is in one of the two.
func TestNoFileIsMissingWhileItIsStored(t *testing.T) {
	u, n, c := waiter(t)
	tree := &tree{dirs: cache.NewDirs[ftpclient.Entry](cache.DirsConfig{TTL: time.Hour})}
	f := &FS{nodes: u.nodes, tree: tree}
	d := &dirHandle{fs: f, node: n.parent, dir: "/", here: f.freshChildren(n.parent)}
	listing, err := tree.dirs.Load(t.Context(), "/", 0, func(context.Context, func([]cache.Early[ftpclient.Entry])) (cache.Filled[ftpclient.Entry], error) {
		return cache.Filled[ftpclient.Entry]{Complete: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e := publish(c)
	tree.put("/file", e)
	u.leave(n, c)
	u.nodes.forget(n.id, 1) // nobody has it open, and the kernel does not know it
	d.begin(nil)
	d.complete(listing)
	if !bytes.Contains(d.data, []byte("file")) {
		t.Error("it is in neither")
	}
	tree.dirs.Remove("/", "file")
	d.begin(nil)
	d.complete(listing)
	if bytes.Contains(d.data, []byte("file")) {
		t.Error("it is there though it was removed")
	}
}
