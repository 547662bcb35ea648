package ftpclient

import (
	"strconv"
	"strings"
	"time"
)

// parseUnix reads a line as ls -l writes it:
//
//	drwxr-xr-x   2 owner group     4096 Mar  2 15:13 name
//
// Owner and group may be missing or hold blanks, so the line is held by its ends: the
// permissions and link count, and the first size that a date follows. Exactly one
// blank precedes the name, which may begin or end with more.
func parseUnix(line string, now time.Time) (Entry, bool) {
	s := strings.TrimLeft(line, " ")
	perms, at := field(s, 0)
	e := Entry{Size: -1}
	if !e.setPerms(perms) {
		return Entry{}, false
	}
	// Some Macintosh servers write "folder" instead of the links of a directory.
	links, at := field(s, at)
	if !isDigits(links) && links != "folder" {
		return Entry{}, false
	}
	ownersAt := at
	size, at := field(s, at)
	for size != "" {
		month, next := field(s, at)
		if m := monthOf(month); m != 0 && e.isSize(size) {
			if t, precision, end, ok := unixTime(s, next, m, now); ok {
				e.ModTime, e.Precision = t, precision
				e.setOwners(s[ownersAt : at-len(size)])
				e.setName(s[end:], size)
				return e, e.Name != ""
			}
		}
		size, at = month, next
	}
	return Entry{}, false
}

// field returns the next run of non-blanks at or after from, and where it ends.
func field(s string, from int) (string, int) {
	for from < len(s) && s[from] == ' ' {
		from++
	}
	end := from
	for end < len(s) && s[end] != ' ' {
		end++
	}
	return s[from:end], end
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
	case '-', 'f':
		e.Type = TypeFile
	case 'd':
		e.Type = TypeDir
	case 'l':
		e.Type = TypeLink
	case 'b', 'c', 'p', 's', 'D':
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

// setName takes what follows the date, and splits "name -> target" of a link. Where
// the arrow occurs more than once, the size of the link, which is the length of its
// target, decides; else the first one.
func (e *Entry) setName(s, size string) {
	if e.Type != TypeOther {
		e.Size = parseSize(size)
	}
	e.Name = s
	if e.Type != TypeLink {
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

// unixTime reads what follows the month: the day, then the hour or the year. It
// returns where the name begins.
func unixTime(s string, at int, m time.Month, now time.Time) (t time.Time, precision time.Duration, end int, ok bool) {
	dayText, at := field(s, at)
	day := small(dayText)
	last, at := field(s, at)
	if day < 1 || day > 31 || at >= len(s) {
		return time.Time{}, 0, 0, false
	}
	hh, mm, clock := strings.Cut(last, ":")
	hour, minute := small(hh), small(mm)
	switch {
	case clock && hour >= 0 && hour < 24 && len(mm) == 2 && minute >= 0 && minute < 60:
		t, precision = withoutYear(m, day, hour, minute, now), time.Minute
	case len(last) == 4 && isDigits(last):
		year, _ := strconv.Atoi(last)
		t, precision = date(year, m, day, 0, 0), 24*time.Hour
	default:
		return time.Time{}, 0, 0, false
	}
	if t.IsZero() {
		precision = 0
	}
	return t, precision, at + 1, true
}

// withoutYear finds the latest such moment that is not more than a day after now;
// the day is for the zone that the server's clock may be in. 29 February may lie up
// to eight years back.
func withoutYear(m time.Month, day, hour, minute int, now time.Time) time.Time {
	latest := now.UTC().Add(24 * time.Hour)
	for year := latest.Year(); year >= latest.Year()-8; year-- {
		if t := date(year, m, day, hour, minute); !t.IsZero() && !t.After(latest) {
			return t
		}
	}
	return time.Time{}
}

func monthOf(s string) time.Month {
	if len(s) != 3 {
		return 0
	}
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(s, m.String()[:3]) {
			return m
		}
	}
	return 0
}
