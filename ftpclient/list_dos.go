package ftpclient

import "strings"

// readDOS reads listings as Windows servers write them:
//
//	09-13-2010  08:08PM       <DIR>          name
//	09-06-06  19:00                   69 name
//	2002-09-02  19:06              9,730 name
//	05-11-2020  10:13 AM    <SYMLINKD>     name [target]
//
// The month comes first unless the first lines show that it cannot: then the day does.
func readDOS(h hints) func(string) (Entry, meaning) {
	order := dosOrder(h)
	return func(line string) (Entry, meaning) {
		if e, ok := parseDOS(line, order); ok {
			return e, child
		}
		return Entry{}, strange
	}
}

// dosOrder is the order of dates that do not begin with the year; the zero value if the
// lines contradict each other.
func dosOrder(h hints) dateOrder {
	var dates []ymd
	for _, line := range h.head {
		text, _ := field(line, 0)
		if d, ok := dosDate(text); ok && d.long != 0 {
			dates = append(dates, d)
		}
	}
	fits := func(o dateOrder) bool {
		for _, d := range dates {
			if d.in(o, midnight).IsZero() {
				return false
			}
		}
		return true
	}
	switch {
	case fits(monthFirst):
		return monthFirst
	case fits(dayFirst):
		return dayFirst
	}
	return dateOrder{}
}

func dosDate(s string) (ymd, bool) {
	d, ok := parseYMD(s, "-")
	if !ok {
		d, ok = parseYMD(s, "/")
	}
	return d, ok
}

// dosMarks stand in the place of the size.
var dosMarks = map[string]Type{
	"<DIR>": TypeDir, "<JUNCTION>": TypeLink, "<SYMLINKD>": TypeLink, "<SYMLINK>": TypeLink,
}

func parseDOS(line string, order dateOrder) (Entry, bool) {
	day, at := field(line, 0)
	clockText, at := field(line, at)
	size, next := field(line, at)
	if half := strings.ToUpper(size); half == "AM" || half == "PM" {
		clockText += half
		size, next = field(line, next)
	}
	at = next
	date, ok := dosDate(day)
	c, isClock := dosClock(clockText)
	if !ok || !isClock || at >= len(line) {
		return Entry{}, false
	}
	e := Entry{Size: -1, Name: line[at+1:]}
	if date.long == 0 {
		order = yearFirst
	}
	if order != (dateOrder{}) {
		e.setTime(date.in(order, c), c.precision)
	}
	mark, marked := dosMarks[strings.ToUpper(size)]
	switch {
	case marked:
		e.Type = mark
		// The name begins 15 bytes after the mark; where fewer blanks are written, at the
		// first non-blank.
		gap := 14 - len(size)
		e.Name = e.Name[min(gap, len(e.Name)-len(strings.TrimLeft(e.Name, " "))):]
		if mark == TypeLink {
			e.setDOSTarget()
		}
	case isGrouped(size):
		e.Size = parseSize(strings.ReplaceAll(size, ",", ""))
	default:
		return Entry{}, false
	}
	return e, strings.Trim(e.Name, " ") != ""
}

// setDOSTarget splits "name [target]" of a link. A relative target is written with slashes.
func (e *Entry) setDOSTarget() {
	at := strings.LastIndex(e.Name, " [")
	if at <= 0 || !strings.HasSuffix(e.Name, "]") {
		return
	}
	e.Target = e.Name[at+2 : len(e.Name)-1]
	e.Name = e.Name[:at]
	if !strings.Contains(e.Target, ":") && !strings.HasPrefix(e.Target, `\`) {
		e.Target = strings.ReplaceAll(e.Target, `\`, "/")
	}
}

// isGrouped recognises a number, perhaps with commas between thousands.
func isGrouped(s string) bool {
	groups := strings.Split(s, ",")
	for i, g := range groups {
		if !isDigits(g) || i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return false
		}
	}
	return true
}

// dosClock reads HH:MM, HH:MM:SS, and HH:MMAM or HH:MMPM.
func dosClock(s string) (clock, bool) {
	s = strings.ToUpper(s)
	s, pm := strings.CutSuffix(s, "PM")
	s, am := strings.CutSuffix(s, "AM")
	c, ok := parseClock(s)
	if !ok || am && pm || (am || pm) && (c.hour < 1 || c.hour > 12) {
		return clock{}, false
	}
	if am || pm {
		c.hour %= 12
	}
	if pm {
		c.hour += 12
	}
	return c, true
}
