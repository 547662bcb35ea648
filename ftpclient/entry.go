package ftpclient

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Type says what an Entry is.
type Type uint8

const (
	TypeFile  Type = iota // a regular file
	TypeDir               // a directory
	TypeLink              // a symbolic link
	TypeOther             // a device, pipe, socket or whatever else the server names
)

func (t Type) String() string {
	switch t {
	case TypeFile:
		return "file"
	case TypeDir:
		return "directory"
	case TypeLink:
		return "symbolic link"
	}
	return "other"
}

// Entry is one file as the server describes it. What the server does not tell
// has the value named below, never a guess.
type Entry struct { // of which there are many: 128 bytes
	Name      string        // last path element, raw bytes
	Size      int64         // bytes; -1 unknown
	ModTime   time.Time     // UTC; zero unknown
	Precision time.Duration // of ModTime: 1s, 1min, 24h...; 0 unknown
	Mode      fs.FileMode   // permission bits plus setuid, setgid and sticky
	HasMode   bool          // Mode is known
	Type      Type          // file, directory, link or else
	Followed  bool          // the name is a symbolic link's, all else what that leads to: see Follow
	Owner     string        // name or number; "" unknown
	Group     string        // name or number; "" unknown
	Target    string        // of a link, as the server writes it; "" unknown
	Unique    string        // the server's identity of the file (RFC 3659 section 7.5.2); "" unknown
}

// Listing is the content of one directory. Every line of the server is an entry, a
// line that names no child (the directory itself, its parent, a total), or counted
// in Unparsed.
type Listing struct {
	Entries        []Entry  // in the server's order
	Unparsed       int      // lines that were not understood, or whose name cannot be a file's
	UnparsedSample []string // the first of them, at most 5, each cut to 200 bytes
	Truncated      bool     // the server said that it left entries out

	self bool // there was a row of the directory itself, "."
}

const (
	maxSamples   = 5
	maxSampleLen = 200
	maxShared    = 10_000 // owners and groups, which mostly repeat
	maxTarget    = 4095   // bytes of a path, as on Linux
	maxFact      = 255    // bytes of an owner, a group or an identity
)

// collector makes a listing of lines.
type collector struct {
	listing Listing           // entries: the latest
	full    [][]Entry         // those before: to let one slice grow would need twice the memory
	owners  map[string]string // one copy of each
	arrived func([]Entry)     // nil: nobody wants to know
	told    int               // of the latest entries
}

// chunk is how many entries are gathered in one slice.
const chunk = 8192

// finish returns the listing as a whole. Its entries are others than those told.
func (l *collector) finish() Listing {
	if len(l.full) > 0 || l.told > 0 {
		l.listing.Entries = slices.Concat(append(l.full, l.listing.Entries)...)
	}
	return l.listing
}

// tell tells of the entries that have come since it last did.
func (l *collector) tell() {
	if latest := l.listing.Entries[l.told:]; l.arrived != nil && len(latest) > 0 {
		l.arrived(latest)
		l.told += len(latest)
	}
}

// add takes an entry over if its name may be a child's. The strings are copied,
// so that an entry does not keep its whole line in memory.
func (l *collector) add(e Entry, line string) {
	if e.Name == "." || e.Name == ".." {
		l.listing.self = l.listing.self || e.Name == "."
		return
	}
	if e.Name == "" || strings.ContainsAny(e.Name, "/\x00") {
		l.reject(line)
		return
	}
	e.Name = strings.Clone(e.Name)
	e.Target = strings.Clone(bounded(e.Target, maxTarget))
	e.Unique = strings.Clone(bounded(e.Unique, maxFact))
	e.Owner = l.share(bounded(e.Owner, maxFact))
	e.Group = l.share(bounded(e.Group, maxFact))
	if len(l.listing.Entries) == chunk {
		l.tell()
		l.told = 0
		l.full = append(l.full, l.listing.Entries)
		l.listing.Entries = make([]Entry, 0, chunk)
	}
	l.listing.Entries = append(l.listing.Entries, e)
}

// bounded is s unless it is longer than any is: then it is unknown.
func bounded(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}

func (l *collector) reject(line string) {
	l.listing.Unparsed++
	if s := &l.listing.UnparsedSample; len(*s) < maxSamples {
		*s = append(*s, strings.Clone(line[:min(len(line), maxSampleLen)]))
	}
}

// share returns s without a reference to the line it is part of.
func (l *collector) share(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := l.owners[s]; ok {
		return known
	}
	s = strings.Clone(s)
	if l.owners == nil {
		l.owners = map[string]string{}
	}
	if len(l.owners) < maxShared {
		l.owners[s] = s
	}
	return s
}

// unixMode converts the twelve low bits of a Unix mode.
func unixMode(bits uint64) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	if bits&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if bits&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
