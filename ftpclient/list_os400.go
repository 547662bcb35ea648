package ftpclient

import "strings"

// readOS400 reads listings of OS/400 (IBM i) in its own form, whose columns have fixed
// widths; the owner, and size and time together, may be missing:
//
//	PEP              4019 04/03/18 18:58:16 *STMF      einladung.zip
//
// The order of year, month and day is a setting of the server. Unless the first lines show
// it, times are unknown. Sizes of what is not a stream of bytes are unknown, too.
func readOS400(h hints) func(string) (Entry, meaning) {
	var dates []ymd
	for _, line := range h.head {
		if r, ok := parseOS400(line); ok && r.dated {
			dates = append(dates, r.date)
		}
	}
	order, certain := orderOf(dates, h.now)
	return func(line string) (Entry, meaning) {
		r, ok := parseOS400(line)
		if !ok {
			return Entry{}, strange
		}
		e := Entry{Size: -1, Name: r.name, Owner: r.owner}
		switch r.object {
		case "*DIR", "*DDIR", "*LIB", "*FLR":
			e.Type = TypeDir
			e.Name = strings.TrimSuffix(e.Name, "/")
		case "*STMF", "*DSTMF", "*DOC":
			e.Size = parseSize(r.size)
		case "*FILE", "*MEM":
		case "*SYMLNK":
			e.Type = TypeLink
		default:
			e.Type = TypeOther
		}
		if certain && r.dated {
			e.setTime(r.date.in(order, r.clock), r.clock.precision)
		}
		return e, child
	}
}

// os400Row is one line, taken apart.
type os400Row struct {
	owner, size, object, name string
	dated                     bool
	date                      ymd
	clock                     clock
}

func parseOS400(line string) (r os400Row, ok bool) {
	const typeWidth = 10
	at := strings.Index(line, " *")
	if at < 0 || len(line) < at+1+typeWidth+2 {
		return r, false
	}
	r.object, _ = field(line, at)
	r.name = line[at+1+typeWidth+1:]
	if len(r.object) > typeWidth || strings.Trim(r.object[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" ||
		strings.Trim(line[at+1+len(r.object):at+1+typeWidth+1], " ") != "" || strings.HasPrefix(r.name, " ") {
		return r, false
	}
	if strings.Trim(line[min(at, 10):at], " ") == "" { // nothing but the owner
		r.owner = strings.TrimSpace(line[:at])
		return r, true
	}
	rest, clockText := lastField(line[:at])
	rest, dateText := lastField(rest)
	rest, r.size = lastField(rest)
	r.owner = rest
	var isDate, isClock bool
	for _, sep := range []string{"/", ".", "-"} {
		if !isDate {
			r.date, isDate = parseYMD(dateText, sep)
		}
	}
	r.clock, isClock = parseClock(strings.ReplaceAll(clockText, ".", ":"))
	r.dated = true
	return r, isDate && isClock && isDigits(r.size)
}
