package ftpfs

import (
	"context"
	"testing"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// waiter is a new file whose upload waits, on no server.
func waiter(t *testing.T) (*uploads, *node, *content) {
	t.Helper()
	files, err := cache.OpenFiles(cache.FilesConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ns := newNodes()
	n := ns.enter(ns.root, ftpclient.Entry{Name: "file", Type: ftpclient.TypeFile})
	base, cancel := context.WithCancel(context.Background())
	tree := &tree{temps: newTemps(), moves: newMoves()}
	u := &uploads{contents: &contents{tree: tree, nodes: ns, files: files, base: base}, delay: time.Hour, waiting: make(map[*content]*attempt)}
	t.Cleanup(func() {
		cancel()
		u.giveUp()
		files.Close()
	})
	c, err := u.create(n, 0o644)
	if err == nil {
		_, err = c.write([]byte("data"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u, n, c
}

// publish is what an upload does with c.
func publish(c *content) ftpclient.Entry {
	e := ftpclient.Entry{Name: "file", Type: ftpclient.TypeFile, Size: c.file.Size(), ModTime: time.Unix(1e9, 0)}
	gen, _ := c.file.Dirty()
	c.file.Clean(gen, version(e))
	c.mu.Lock()
	c.base, c.fresh = e, false
	c.mu.Unlock()
	return e
}

// A file that is closed when its upload behind has just ended is closed once: who
// opens it next keeps it.
func TestContentIsClosedOnce(t *testing.T) {
	u, n, c := waiter(t)
	if !u.release(t.Context(), n, c, true) {
		t.Fatal("it does not wait for its upload")
	}
	u.later(n, c)
	reader, err := u.open(n, ftpclient.Entry{Size: 4}, false)
	if err != nil || reader != c {
		t.Fatal("another content", err)
	}
	e := publish(c)
	if u.release(t.Context(), n, c, false) {
		t.Fatal("a published file waits")
	}
	next, err := u.open(n, e, false)
	if err != nil {
		t.Fatal(err)
	}
	if !u.settled(n, c, nil) {
		t.Fatal("it still waits")
	}
	if _, err := next.file.ReadAt(t.Context(), make([]byte, 4), 0); err != nil {
		t.Errorf("what is open cannot be read: %v", err)
	}
	u.release(t.Context(), n, next, false)
	if n.content != nil || n.pins != 0 {
		t.Errorf("%v, %d pins are left", n.content, n.pins)
	}
}

// What is written and closed while an upload behind ends is not lost.
func TestContentIsChangedWhenItsUploadEnds(t *testing.T) {
	u, n, c := waiter(t)
	if !u.release(t.Context(), n, c, true) {
		t.Fatal("it does not wait for its upload")
	}
	u.later(n, c)
	e := publish(c)
	if _, err := u.open(n, e, true); err != nil {
		t.Fatal(err)
	}
	c.write([]byte("more"), 4)
	if !u.release(t.Context(), n, c, true) {
		t.Fatal("it does not wait for its upload")
	}
	publish(c) // by the attempt under way
	if !u.settled(n, c, nil) {
		t.Fatal("it still waits")
	}
	u.later(n, c)
	if _, err := c.file.ReadAt(t.Context(), make([]byte, 8), 0); err != nil {
		t.Errorf("it is closed before the upload: %v", err)
	}
	if !u.settled(n, c, nil) || n.content != nil || n.pins != 0 || len(u.waiting) > 0 {
		t.Errorf("%v, %d pins and %d uploads are left", n.content, n.pins, len(u.waiting))
	}
}

// Of a file that is given up nothing is that somebody wrote meanwhile.
func TestLaterChangesAreNotGivenUp(t *testing.T) {
	u, n, c := waiter(t)
	gen, _ := c.file.Dirty()
	c.changes++
	if u.discard(n, c, gen) {
		t.Error("a change under way was given up")
	}
	c.changes--
	c.write([]byte("more"), 4)
	if u.discard(n, c, gen) || !c.local() {
		t.Error("a change was given up")
	}
	u.nodes.drop(n)
	u.release(t.Context(), n, c, true)
}
