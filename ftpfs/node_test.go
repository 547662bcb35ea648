package ftpfs

import (
	"testing"

	"ftpfs/ftpclient"
)

func file(name string) ftpclient.Entry { return ftpclient.Entry{Name: name} }

func directory(name string) ftpclient.Entry {
	return ftpclient.Entry{Name: name, Type: ftpclient.TypeDir}
}

func wantPath(t *testing.T, ns *nodes, n *node, want string) {
	t.Helper()
	if got, named := ns.path(n); !named || got != want {
		t.Errorf("path = %q, %v, want %q", got, named, want)
	}
}

func TestInodeNumbersAreThoseOfThePlace(t *testing.T) {
	one, two := newNodes(), newNodes()
	a := one.enter(one.enter(one.root, directory("dir")), file("a"))
	two.enter(two.root, file("b"))
	b := two.enter(two.enter(two.root, directory("dir")), file("a"))
	if a.ino != b.ino {
		t.Errorf("the same file has numbers %d and %d in two mounts", a.ino, b.ino)
	}
	if a.ino == two.enter(two.root, file("a")).ino {
		t.Error("files of one name in two directories share a number")
	}
}

func TestRenameKeepsNumbers(t *testing.T) {
	ns := newNodes()
	dir := ns.enter(ns.root, directory("old"))
	child := ns.enter(dir, file("child"))
	dirIno, childIno := dir.ino, child.ino
	ns.move(ns.root, directory("old"), ns.root, "new")
	wantPath(t, ns, child, "/new/child")

	// The kernel forgets all of it and looks again.
	ns.forget(child.id, 1)
	ns.forget(dir.id, 1)
	if ns.get(child.id) != nil || ns.get(dir.id) != nil {
		t.Fatal("forgotten nodes are still there")
	}
	dir = ns.enter(ns.root, directory("new"))
	child = ns.enter(dir, file("child"))
	if dir.ino != dirIno || child.ino != childIno {
		t.Errorf("numbers changed by a rename: %d, %d, were %d, %d", dir.ino, child.ino, dirIno, childIno)
	}

	other := ns.enter(ns.root, directory("old"))
	if other.ino == dirIno {
		t.Error("a new directory has the number of the one that was renamed")
	}
	ns.removed(ns.root, "new")
	if ns.moved.Len() != 0 || len(ns.taken) != 0 {
		t.Errorf("%d numbers are remembered for names that are gone", ns.moved.Len())
	}
}

func TestRenameOver(t *testing.T) {
	ns := newNodes()
	from, to := ns.enter(ns.root, file("from")), ns.enter(ns.root, file("to"))
	ns.pin(to) // open
	ns.move(ns.root, file("from"), ns.root, "to")
	wantPath(t, ns, from, "/to")
	if _, named := ns.path(to); named {
		t.Error("the replaced file still has a name")
	}
	if ns.known(ns.root, "to") != from || ns.known(ns.root, "from") != nil {
		t.Error("the names lead elsewhere")
	}
	ns.forget(to.id, 1)
	if ns.get(to.id) == nil {
		t.Error("an open file was dropped")
	}
	ns.unpin(to)
	if ns.get(to.id) != nil {
		t.Error("a closed and forgotten file was kept")
	}
	if ns.known(ns.root, "to") != from {
		t.Error("the end of the replaced file took the name from the new one")
	}
}

func TestAnotherKindIsAnotherNode(t *testing.T) {
	ns := newNodes()
	n := ns.enter(ns.root, file("x"))
	d := ns.enter(ns.root, directory("x"))
	if n == d || n.id == d.id {
		t.Error("a directory took over the node of a file")
	}
	if _, named := ns.path(n); named {
		t.Error("the file that a directory replaced still has a name")
	}
}

func TestParentsOutliveTheirChildren(t *testing.T) {
	ns := newNodes()
	dir := ns.enter(ns.root, directory("dir"))
	child := ns.enter(dir, file("child"))
	ns.forget(dir.id, 1)
	wantPath(t, ns, child, "/dir/child")
	ns.forget(child.id, 1)
	if len(ns.byID) != 1 {
		t.Errorf("%d nodes are left, want the root alone", len(ns.byID))
	}
}
