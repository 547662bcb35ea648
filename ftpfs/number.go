package ftpfs

import (
	"hash/fnv"

	"ftpfs/ftpclient"
)

// Inode numbers: by the identities that the server tells, or by places.

// most is how often a server may tell that an unchanged file is another one,
// unless it tells more often that it is the same.
const most = 3

// compare looks whether a file that has not changed is still said to be the same.
func (ns *nodes) compare(was, is ftpclient.Entry) {
	before, known := ns.identities.of(was)
	now, ok := ns.identities.of(is)
	switch {
	case !known, !ok, !sameVersion(was, is):
	case before == now:
		ns.same++
	default:
		if ns.others++; ns.others >= most && ns.others > ns.same {
			ns.identities.wrong.Store(true)
		}
	}
}

// number gives the inode number of an entry: that of its identity, or else of
// its place, so that it is the same after a remount, unless the name was given
// another one here, or the number another name. It wants nodes.mu held.
func (ns *nodes) number(dir *node, e ftpclient.Entry) uint64 {
	at := place{dir.ino, e.Name}
	if ino, ok := ns.moved.Get(at); ok {
		return ino
	}
	if ino, ok := ns.identities.of(e); ok && ns.allows(ino, at, e) {
		return ino
	}
	for salt := uint64(0); ; salt++ {
		ino := hashPlace(at, salt)
		if _, taken := ns.taken[ino]; !taken && ns.live[ino] == nil && ino > rootID {
			return ino
		}
	}
}

// mostTwins is how many nodes may have one number: more names than a file has.
const mostTwins = 200

// allows tells whether an entry may have the number of its identity: the others
// that have it have to look like the same file, and be no crowd. It wants nodes.mu
// held.
func (ns *nodes) allows(ino uint64, at place, e ftpclient.Entry) bool {
	if to, taken := ns.taken[ino]; taken && to != at && ns.live[ino] == nil {
		return false
	}
	twins := 0
	for n := ns.live[ino]; n != nil; n = n.twin {
		if twins++; twins >= mostTwins || !mayBeOne(*n.entry, e) {
			return false
		}
	}
	return true
}

func hashPlace(at place, salt uint64) uint64 {
	h := fnv.New64a()
	var b [16]byte
	for i := range 8 {
		b[i] = byte(at.dir >> (8 * i))
		b[8+i] = byte(salt >> (8 * i))
	}
	h.Write(b[:])
	h.Write([]byte(at.name))
	return h.Sum64()
}

// inode returns the number that an entry of dir has or would have, for readdir.
// It wants nodes.mu held.
func (ns *nodes) inode(dir *node, e ftpclient.Entry) uint64 {
	if n := dir.children[e.Name]; n != nil {
		return n.ino
	}
	if ino, ok := ns.identities.of(e); ok && e.ModTime.IsZero() { // too early to compare more
		if n := ns.live[ino]; n != nil && n.entry.Unique == e.Unique && n.entry.Type == e.Type {
			return ino
		}
	}
	return ns.number(dir, e)
}
