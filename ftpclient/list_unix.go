package ftpclient

import (
	"strings"
	"time"
)

// readUnix reads listings as ls -l writes them:
//
//	drwxr-xr-x   2 owner group     4096 Mar  2 15:13 name
//
// perhaps with inode and blocks before, in other languages and with other styles of time.
func readUnix(h hints) func(string) (Entry, meaning) {
	first := true
	return func(line string) (Entry, meaning) {
		e, ok := parseUnix(line, h.now)
		title := first && isTotal(line, "") || isTotal(line, "total")
		first = false
		switch {
		case ok:
			return e, child
		case title:
			return Entry{}, heading
		}
		return Entry{}, strange
	}
}

// isTotal recognises the head of ls -l: "total 12"; the word is any if none is given, since
// it is of the server's language.
func isTotal(line, wanted string) bool {
	word, n, ok := strings.Cut(strings.TrimSpace(line), " ")
	return ok && isDigits(strings.TrimSpace(n)) && (wanted == "" && isWord(strings.TrimSuffix(word, ":")) || strings.EqualFold(word, wanted))
}

// parseUnix reads one line. Owner and group may be missing or hold blanks, so the line is
// held by its ends: the permissions and link count, and the first size that a date follows.
// Exactly one blank precedes the name, which may begin or end with more. Where no month is
// known any word in its place will do; the time then is unknown.
func parseUnix(line string, now time.Time) (Entry, bool) {
	e := Entry{Size: -1}
	at, ok := e.setHead(line)
	if !ok {
		return Entry{}, false
	}
	links, at := field(line, at)
	if !isDigits(links) {
		return Entry{}, false
	}
	for _, known := range []bool{true, false} {
		if done := e; done.setTail(line, at, now, known) {
			return done, done.Name != ""
		}
	}
	return Entry{}, false
}

// setHead reads the permissions, and skips what ls -i and ls -s write before them. It
// returns where they end.
func (e *Entry) setHead(line string) (end int, ok bool) {
	perms, at := field(line, 0)
	for range 2 {
		if !isDigits(perms) {
			break
		}
		perms, at = field(line, at)
	}
	return at, e.setPerms(perms)
}

// setTail reads owners, size, date and name. known: only months that are known.
func (e *Entry) setTail(line string, at int, now time.Time, known bool) bool {
	ownersAt := at
	for size, at := field(line, at); size != ""; size, at = field(line, at) {
		if !e.isSize(size) {
			continue
		}
		t, precision, end, ok := unixTime(line, at, now, known)
		if !ok {
			continue
		}
		e.setTime(t, precision)
		e.setOwners(line[ownersAt : at-len(size)])
		e.setName(line[end:], size)
		return true
	}
	return false
}

const permLetters = "rwxrwxrwx"

// setPerms reads "drwxr-xr-x" with an optional mark of an access list. A mode that
// lacks its last letter is left unknown.
func (e *Entry) setPerms(s string) bool {
	s = strings.TrimRight(s, "+.@")
	if len(s) != 10 && len(s) != 9 {
		return false
	}
	switch s[0] {
	case '-', 'f', 'C', 'M', 'm': // C: contiguous, M and m: migrated to a slower store
		e.Type = TypeFile
	case 'd':
		e.Type = TypeDir
	case 'l':
		e.Type = TypeLink
	case 'b', 'c', 'p', 's', 'D', 'P', 'n', 'w':
		e.Type = TypeOther
	default:
		return false
	}
	var bits uint64
	for i, c := range []byte(s[1:]) {
		bit := uint64(1) << (8 - i)
		// The letter in the place of x: setuid, setgid, sticky.
		special, lower, upper := uint64(0), byte('s'), byte('S')
		if i%3 == 2 {
			special = 0o4000 >> (i / 3)
		}
		if i == 8 {
			lower, upper = 't', 'T'
		}
		switch {
		case c == '-':
		case c == permLetters[i]:
			bits |= bit
		case special != 0 && c == lower:
			bits |= bit | special
		case special != 0 && (c == upper || i == 5 && c == 'l'): // l: mandatory locking
			bits |= special
		default:
			return false
		}
	}
	if e.HasMode = len(s) == 10; e.HasMode {
		e.Mode = unixMode(bits)
	}
	return true
}

// isSize tells whether s may stand in the column of the size: the number of bytes,
// or of a device, "8, 1" or "8,1".
func (e *Entry) isSize(s string) bool {
	if e.Type == TypeOther {
		major, minor, both := strings.Cut(s, ",")
		return isDigits(major) && (!both || isDigits(minor))
	}
	return isDigits(s)
}

// setOwners takes the text between link count and size. What follows the first
// blank belongs to the group, which may hold blanks itself.
func (e *Entry) setOwners(s string) {
	s = strings.TrimSpace(s)
	if e.Type == TypeOther && strings.HasSuffix(s, ",") {
		s = strings.TrimSpace(s[:strings.LastIndexByte(s, ' ')+1])
	}
	owner, group, _ := strings.Cut(s, " ")
	e.Owner, e.Group = owner, strings.TrimLeft(group, " ")
}

// setName takes what follows the date, cuts the slash that ls -F writes behind a directory,
// and splits "name -> target" of a link. Where the arrow occurs more than once, the size of
// the link, which is the length of its target, decides; else the first one.
func (e *Entry) setName(s, size string) {
	if e.Type != TypeOther {
		e.Size = parseSize(size)
	}
	e.Name = s
	switch e.Type {
	case TypeDir:
		e.Name = strings.TrimSuffix(s, "/")
		return
	case TypeLink:
	default:
		return
	}
	const arrow = " -> "
	name, target, ok := strings.Cut(s, arrow)
	if !ok {
		return
	}
	e.Name, e.Target = name, target
	if at := len(s) - len(arrow) - int(min(e.Size, int64(len(s)))); e.Size > 0 && at > 0 && s[at:at+len(arrow)] == arrow {
		e.Name, e.Target = s[:at], s[at+len(arrow):]
	}
}
