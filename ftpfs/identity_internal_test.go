package ftpfs

import (
	"fmt"
	"testing"
	"time"

	"ftpfs/ftpclient"
)

// told is a file as a server with unique facts describes it.
func told(name, unique string, size int64) ftpclient.Entry {
	return ftpclient.Entry{Name: name, Unique: unique, Size: size, ModTime: time.Unix(1_000_000_000, 0), Precision: time.Second}
}

func TestIsDeviceAndInode(t *testing.T) {
	for fact, want := range map[string]bool{
		"FD00U4A3B1C": true, "fd00g4a3b1c": true, "801g1": true, "0U2": true,
		"": false, "g": false, "801g": false, "g1": false, "801g0": false, "0g000": false, "1": false,
		"801g1g2": false, "801Ug2": false, "80xg12": false, "801 g12": false, "keep": false,
	} {
		if isDeviceAndInode(fact) != want {
			t.Errorf("%q: %v", fact, !want)
		}
	}
}

// The number is that of the file, under whatever name, in every mount.
func TestNumbersByIdentity(t *testing.T) {
	one, two := newNodes(), newNodes()
	a := one.enter(one.root, told("a", "801g5", 3))
	b := one.enter(one.root, told("b", "801g6", 3))
	renamed := two.enter(two.enter(two.root, directory("dir")), told("renamed", "801g5", 7))
	if a.ino != renamed.ino || a.ino == b.ino {
		t.Errorf("%d and %d, in another mount %d", a.ino, b.ino, renamed.ino)
	}
	link := one.enter(one.enter(one.root, directory("dir")), told("link", "801g5", 3))
	if link.ino != a.ino || link == a {
		t.Errorf("a second name has the number %d, the first %d", link.ino, a.ino)
	}
	for _, other := range []ftpclient.Entry{
		told("longer", "801g5", 4), told("empty", "801g5", 0),
		{Name: "dir", Type: ftpclient.TypeDir, Unique: "801g5", ModTime: a.entry.ModTime},
		{Name: "newer", Unique: "801g5", Size: 3, ModTime: a.entry.ModTime.Add(time.Second)},
		{Name: "theirs", Unique: "801g5", Size: 3, ModTime: a.entry.ModTime, Owner: "other"},
		{Name: "symlink", Type: ftpclient.TypeLink, Unique: "801g5", Size: 3, ModTime: a.entry.ModTime},
	} {
		if n := one.enter(one.enter(one.root, directory("others")), other); n.ino == a.ino {
			t.Errorf("%s has the number of another file", other.Name)
		}
	}
	for _, n := range []*node{link, a} { // whichever goes first
		one.forget(n.id, 1)
	}
	if one.live[a.ino] != nil {
		t.Error("the number of files that are gone is taken")
	}
}

// What was made or renamed here keeps its number when the kernel has forgotten it and the
// server has told what it is.
func TestNumbersStayWhileMounted(t *testing.T) {
	ns := newNodes()
	ns.enter(ns.root, told("other", "801g9", 1))
	made := ns.enter(ns.root, told("made", "", 1))
	was := made.ino
	ns.forget(made.id, 1)
	made = ns.enter(ns.root, told("made", "801g7", 1))
	if made.ino != was {
		t.Errorf("%d, then %d", was, made.ino)
	}
	ns.move(ns.root, told("made", "801g7", 1), ns.root, "moved")
	ns.forget(made.id, 1)
	if moved := ns.enter(ns.root, told("moved", "801g7", 1)); moved.ino != was {
		t.Errorf("%d, renamed %d", was, moved.ino)
	}
	// A file that is replaced stays the same file to those who know it.
	other := ns.enter(ns.root, told("other", "801g10", 2))
	was = other.ino
	ns.forget(other.id, 2)
	if again := ns.enter(ns.root, told("other", "801g10", 2)); again.ino != was {
		t.Errorf("%d, then %d", was, again.ino)
	}
}

// An unlinked file that is open does not share its number with the next of its name.
func TestNumberOfTheNextOfItsName(t *testing.T) {
	ns := newNodes()
	open := ns.enter(ns.root, file("x"))
	ns.pin(open)
	ns.removed(ns.root, "x")
	next := ns.enter(ns.root, file("x"))
	if next.ino == open.ino {
		t.Error("two files have one number")
	}
	ns.forget(next.id, 1)
	if again := ns.enter(ns.root, file("x")); again.ino != next.ino {
		t.Errorf("%d, then %d", next.ino, again.ino)
	}
}

func TestWrongIdentities(t *testing.T) {
	dir := ftpclient.Entry{Name: "dir", Type: ftpclient.TypeDir, Unique: "801g5", ModTime: time.Unix(1_000_000_000, 0)}
	for name, tt := range map[string]struct {
		entries []ftpclient.Entry
		wrong   bool
	}{
		"hard links":       {[]ftpclient.Entry{told("a", "801g5", 3), told("b", "801g5", 3), told("c", "801g6", 3)}, false},
		"one that grew":    {[]ftpclient.Entry{told("a", "801g5", 3), told("b", "801g5", 4), told("c", "801g6", 3)}, false},
		"all equal":        {[]ftpclient.Entry{told("a", "801g5", 3), told("b", "801g5", 4), told("c", "801g5", 5)}, true},
		"empty files":      {[]ftpclient.Entry{told("a", "801g5", 0), told("b", "801g5", 0), told("c", "801g5", 0)}, true},
		"file, directory":  {[]ftpclient.Entry{dir, told("a", "801g5", 3)}, true},
		"another form":     {[]ftpclient.Entry{told("a", "x", 3), told("b", "x", 4), told("c", "x", 5)}, false},
		"nothing":          {[]ftpclient.Entry{told("a", "", 3), told("b", "", 4), told("c", "", 5)}, false},
		"link to a target": {[]ftpclient.Entry{told("a", "801g5", 3), {Name: "l", Type: ftpclient.TypeLink, Unique: "801g5"}}, false},
	} {
		var i identities
		i.judge(tt.entries)
		if i.wrong.Load() != tt.wrong {
			t.Errorf("%s: %v", name, !tt.wrong)
		}
	}
}

// A server whose facts are new in each listing is found out; numbers go by place then.
func TestIdentitiesThatChange(t *testing.T) {
	ns, plain := newNodes(), newNodes()
	for round := range 4 {
		for i := range 2 {
			ns.enter(ns.root, told(fmt.Sprint(i), fmt.Sprintf("801g%d%d", i+1, round), 3))
		}
	}
	if !ns.identities.wrong.Load() {
		t.Error("believed")
	}
	if a, b := ns.enter(ns.root, told("x", "801g99", 3)), plain.enter(plain.root, file("x")); a.ino != b.ino {
		t.Errorf("%d, not %d", a.ino, b.ino)
	}
}
