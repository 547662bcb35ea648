package ftpfs

import (
	"hash/fnv"
	"strings"
	"sync/atomic"

	"ftpfs/ftpclient"
)

// identities are what the server's unique facts (RFC 3659 section 7.5.2) say files are,
// unless they have turned out to be wrong.
type identities struct {
	seen  atomic.Bool // there is such a fact
	wrong atomic.Bool // and it is not to be believed
}

// of is a number for the file that e is, whatever its name. Only facts that are device and
// inode are believed, as proftpd, pure-ftpd and pyftpdlib write them, and not of links, whose
// fact may be that of their target.
func (i *identities) of(e ftpclient.Entry) (uint64, bool) {
	if e.Unique == "" || e.Type != ftpclient.TypeFile && e.Type != ftpclient.TypeDir || i.wrong.Load() || !isDeviceAndInode(e.Unique) {
		return 0, false
	}
	i.seen.Store(true)
	h := fnv.New64a()
	h.Write([]byte(e.Unique))
	number := h.Sum64()
	return number, number > rootID
}

// isDeviceAndInode recognises two hexadecimal numbers with a letter between them, the second
// not 0.
func isDeviceAndInode(fact string) bool {
	const hex = "0123456789abcdefABCDEF"
	device, inode, both := strings.Cut(strings.Replace(fact, "U", "g", 1), "g")
	return both && device != "" && strings.Trim(device, hex) == "" && strings.Trim(inode, hex) == "" && strings.Trim(inode, "0") != ""
}

// mayBeOne tells whether two entries that are said to be one file look like that: as hard links,
// or as a directory and a link to it that the server shows as a directory.
func mayBeOne(a, b ftpclient.Entry) bool {
	return a.Unique == b.Unique && a.Type == b.Type && !a.ModTime.IsZero() && a.ModTime.Equal(b.ModTime) &&
		(a.Type == ftpclient.TypeDir || a.Size > 0 && a.Size == b.Size) &&
		a.Mode == b.Mode && a.Owner == b.Owner && a.Group == b.Group
}

// one tells whether two entries are the same file.
func (i *identities) one(a, b ftpclient.Entry) bool {
	_, known := i.of(a)
	return known && mayBeOne(a, b)
}

// maxBlurred is how many entries of a listing may be told to be one with another that looks
// different: a file with two names may have changed while it was listed.
const maxBlurred = 1

// judge looks in a listing for facts that cannot be right.
func (i *identities) judge(entries []ftpclient.Entry) {
	first := make(map[uint64]int)
	blurred := 0
	for at, e := range entries {
		number, ok := i.of(e)
		if !ok {
			continue
		}
		before, twice := first[number]
		if !twice {
			first[number] = at
			continue
		}
		if mayBeOne(entries[before], e) {
			continue
		}
		if blurred++; blurred > maxBlurred || entries[before].Type != e.Type {
			i.wrong.Store(true)
			return
		}
	}
}
