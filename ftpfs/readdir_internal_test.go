package ftpfs

import (
	"bytes"
	"testing"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A file that is stored while its directory is listed is in one of the two.
func TestNoFileIsMissingWhileItIsStored(t *testing.T) {
	u, n, c := waiter(t)
	f := &FS{nodes: u.nodes}
	d := &dirHandle{fs: f, node: n.parent, here: f.freshChildren(n.parent)}
	listing := cache.Listing[ftpclient.Entry]{Complete: true} // of before
	publish(c)
	d.begin(nil)
	d.complete(listing)
	if !bytes.Contains(d.data, []byte("file")) {
		t.Error("it is in neither")
	}
	u.nodes.removed(n.parent, "file")
	d.begin(nil)
	d.complete(listing)
	if bytes.Contains(d.data, []byte("file")) {
		t.Error("it is there though it was removed")
	}
}
