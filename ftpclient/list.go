package ftpclient

import (
	"strconv"
	"strings"
	"time"
)

// lineParser takes over one line of a listing.
type lineParser func(l *collector, line string)

// mlsdLine reads a line of the answer to MLSD (RFC 3659 section 7).
func mlsdLine(l *collector, line string) {
	f, err := readFacts(line)
	switch {
	case err != nil:
		l.reject(line)
	case f.self:
	default:
		l.add(f.entry, line)
	}
}

// listLine reads a line of the answer to LIST. The form is recognised line by line. Times
// are taken as UTC; a date without a year is the latest such date that is not more than a
// day after now.
func listLine(now time.Time) lineParser {
	return func(l *collector, line string) {
		e, ok := parseUnix(line, now)
		if !ok {
			e, ok = parseDOS(line)
		}
		switch {
		case ok:
			l.add(e, line)
		case !isTotal(line):
			l.reject(line)
		}
	}
}

// isTotal recognises the head of ls -l: "total 12".
func isTotal(line string) bool {
	n, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(line)), "total ")
	return ok && isDigits(strings.TrimSpace(n))
}

// parseSize returns -1 for what is not a size that fits.
func parseSize(s string) int64 {
	if !isDigits(s) {
		return -1
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// small reads a number of one or two digits; -1 for anything else.
func small(s string) int {
	if len(s) > 2 || !isDigits(s) {
		return -1
	}
	n, _ := strconv.Atoi(s)
	return n
}

// date returns the zero time for a day that does not exist, as 30 February.
func date(year int, month time.Month, day, hour, minute int) time.Time {
	t := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	if t.Day() != day || t.Month() != month {
		return time.Time{}
	}
	return t
}
