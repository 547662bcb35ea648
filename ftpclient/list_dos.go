package ftpclient

import (
	"strconv"
	"strings"
	"time"
)

// parseDOS reads a line as Windows servers write it:
//
//	09-13-2010  08:08PM       <DIR>          name
//	09-06-06  19:00                   69 name
func parseDOS(line string) (Entry, bool) {
	s := strings.TrimLeft(line, " ")
	day, at := field(s, 0)
	clock, at := field(s, at)
	size, at := field(s, at)
	if at >= len(s) {
		return Entry{}, false
	}
	e := Entry{Size: -1}
	var ok bool
	if e.ModTime, ok = dosTime(day, clock); !ok {
		return Entry{}, false
	}
	if !e.ModTime.IsZero() {
		e.Precision = time.Minute
	}
	e.Name = s[at+1:]
	switch {
	case isDigits(size):
		e.Size = parseSize(size)
	case strings.EqualFold(size, "<DIR>"):
		e.Type = TypeDir
		// The name begins ten blanks after the mark; where fewer are written, at
		// the first non-blank.
		const gap = 9
		e.Name = e.Name[min(gap, len(e.Name)-len(strings.TrimLeft(e.Name, " "))):]
	default:
		return Entry{}, false
	}
	return e, strings.Trim(e.Name, " ") != ""
}

// dosTime reads MM-DD-YY or MM-DD-YYYY with HH:MM, HH:MMAM or HH:MMPM. The time is
// zero if the day does not exist: it may be written in another order.
func dosTime(day, clock string) (time.Time, bool) {
	parts := strings.Split(day, "-")
	if len(parts) != 3 || len(parts[2]) != 2 && len(parts[2]) != 4 || !isDigits(parts[2]) {
		return time.Time{}, false
	}
	month, dom := small(parts[0]), small(parts[1])
	year, _ := strconv.Atoi(parts[2])
	if len(parts[2]) == 2 {
		year += 1900
		if year < 1970 {
			year += 100
		}
	}
	hour, minute, ok := dosClock(clock)
	if !ok || month < 1 || month > 31 || dom < 1 || dom > 31 {
		return time.Time{}, false
	}
	if month > 12 {
		return time.Time{}, true
	}
	return date(year, time.Month(month), dom, hour, minute), true
}

func dosClock(s string) (hour, minute int, ok bool) {
	s = strings.ToUpper(s)
	s, pm := strings.CutSuffix(s, "PM")
	s, am := strings.CutSuffix(s, "AM")
	h, m, _ := strings.Cut(s, ":")
	hour, minute = small(h), small(m)
	if hour < 0 || len(m) != 2 || minute < 0 || minute > 59 || am && pm {
		return 0, 0, false
	}
	if am || pm {
		if hour < 1 || hour > 12 {
			return 0, 0, false
		}
		hour %= 12
		if pm {
			hour += 12
		}
	}
	return hour, minute, hour < 24
}
