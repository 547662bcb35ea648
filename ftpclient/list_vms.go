package ftpclient

import (
	"strconv"
	"strings"
)

// readVMS reads listings of VMS servers. An entry may take two lines:
//
//	Directory USER1:[TEMP]
//	1-JUN.LIS;1              9/9           2-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,RE)
//	UNZIP_AND_ATTACH_FILES.COM;12
//	                        14/15         24-JUL-2002 14:35:40  [TRANSLATED]    (RWE,RWE,RWE,RE)
//	Total of 2 files, 23/24 blocks
//
// Sizes are told in blocks, so those in bytes are unknown. A directory is named without
// ".DIR;1", and a file without its version unless it is an older one: the latest comes first.
func readVMS(hints) func(string) (Entry, meaning) {
	begun, latest := "", ""
	return func(line string) (Entry, meaning) {
		name, at := field(line, 0)
		if begun != "" && strings.HasPrefix(line, " ") {
			name, at = begun, 0
		}
		begun = ""
		if !isVMSName(name) {
			low := lower(strings.TrimSpace(line))
			if strings.HasPrefix(low, "directory ") || isTotal(low, "total") || strings.HasPrefix(low, "total of ") || strings.HasPrefix(low, "total ") && strings.HasSuffix(low, " files") {
				return Entry{}, heading
			}
			return Entry{}, strange
		}
		if strings.TrimLeft(line[at:], " ") == "" {
			begun = name
			return Entry{}, partial
		}
		e := Entry{Size: -1}
		if !e.setVMSFields(line[at:]) {
			return Entry{}, strange
		}
		base, version, _ := strings.Cut(name, ";")
		switch bare, isDir := strings.CutSuffix(lower(base), ".dir"); {
		case isDir && version == "1":
			e.Type, e.Name = TypeDir, base[:len(bare)]
		case base == latest:
			e.Name = name
		default:
			e.Name, latest = base, base
		}
		return e, child
	}
}

// isVMSName recognises NAME.TYPE;VERSION.
func isVMSName(s string) bool {
	base, version, ok := strings.Cut(s, ";")
	n, err := strconv.ParseUint(version, 10, 16)
	return ok && err == nil && n > 0 && strings.Contains(base, ".") && !strings.ContainsAny(base, "[]()<>:")
}

// setVMSFields reads what follows the name: size, date, owner and protection, in any order.
func (e *Entry) setVMSFields(s string) bool {
	var hasSize, hasDate bool
	date, c := "", midnight
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			break
		}
		if s[0] == '[' { // may hold blanks, and may be cut off
			end := strings.IndexAny(s, "](")
			if end < 0 {
				return false
			}
			e.setVMSOwner(strings.TrimSpace(s[1:end]))
			s = strings.TrimPrefix(s[end:], "]")
			continue
		}
		text, at := field(s, 0)
		s = s[at:]
		exact, isClock := parseClock(strings.SplitN(text, ".", 2)[0])
		used, _, _ := strings.Cut(text, "/")
		switch {
		case text[0] == '(':
			if !e.setVMSProtection(text) {
				return false
			}
		case isClock && hasDate:
			c = exact
		case strings.Count(text, "-") == 2 && !hasDate:
			date, hasDate = text, true
		case isDigits(used) && isDigits(strings.Replace(text, "/", "", 1)) && !hasSize:
			hasSize = true
		default:
			return false
		}
	}
	return hasSize && hasDate && e.setVMSDate(date, c)
}

// setVMSDate reads D-MMM-YYYY.
func (e *Entry) setVMSDate(s string, c clock) bool {
	parts := strings.Split(s, "-")
	day := small(parts[0])
	year, _ := numberOf(parts[2])
	if day < 1 || day > 31 || !isWord(parts[1]) || len(parts[2]) != 4 || year < 0 {
		return false
	}
	e.setTime(c.on(year, monthOf(parts[1]), day), c.precision)
	return true
}

// setVMSOwner reads GROUP,OWNER or one identifier.
func (e *Entry) setVMSOwner(s string) {
	if group, owner, both := strings.Cut(s, ","); both {
		e.Group, e.Owner = group, owner
		return
	}
	e.Owner = s
}

// setVMSProtection reads (SYSTEM,OWNER,GROUP,WORLD), each some letters of RWED. The
// system's are not among those of Unix.
func (e *Entry) setVMSProtection(s string) bool {
	s, closed := strings.CutSuffix(s[1:], ")")
	classes := strings.Split(s, ",")
	if !closed || len(classes) != 4 || strings.Trim(s, "RWED,") != "" {
		return false
	}
	var bits uint64
	for _, class := range classes[1:] {
		bits <<= 3
		for i, letter := range "EWR" {
			if strings.ContainsRune(class, letter) {
				bits |= 1 << i
			}
		}
	}
	e.Mode, e.HasMode = unixMode(bits), true
	return true
}
