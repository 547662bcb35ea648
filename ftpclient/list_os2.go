package ftpclient

import (
	"strconv"
	"strings"
)

// readOS2 reads listings of OS/2 servers. Some write 2003 as 103:
//
//	33280      A          02-09-97   13:49  OS2LDR
//	    0           DIR   05-12-97   16:44  PSFONTS
func readOS2(hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		size, at := field(line, 0)
		e := Entry{Size: -1}
		if isDigits(size) {
			e.Size = parseSize(size)
		} else {
			at = 0
		}
		for {
			text, next := field(line, at)
			at = next
			if text == "DIR" {
				e.Type, e.Size = TypeDir, -1
				continue
			}
			if text != "" && strings.Trim(text, "RHSA") == "" { // read-only, hidden, system, archive
				continue
			}
			if !e.setOS2Time(text, line, at) {
				return Entry{}, strange
			}
			break
		}
		_, at = field(line, at)
		// Two blanks precede the name, which may begin with more.
		e.Name = strings.TrimPrefix(line[at:], "  ")
		if e.Name == line[at:] || e.Name == "" || e.Type == TypeFile && !isDigits(size) {
			return Entry{}, strange
		}
		return e, child
	}
}

// setOS2Time reads MM-DD-YY with the time of day that follows it at at.
func (e *Entry) setOS2Time(day, line string, at int) bool {
	clockText, _ := field(line, at)
	c, ok := parseClock(clockText)
	if head, year := day[:min(len(day), 6)], day[min(len(day), 6):]; len(year) == 3 && isDigits(year) {
		n, _ := strconv.Atoi(year)
		day = head + strconv.Itoa(1900+n)
	}
	date, isDate := parseYMD(day, "-")
	if !ok || !isDate || date.long == 0 {
		return false
	}
	e.setTime(date.in(monthFirst, c), c.precision)
	return true
}
