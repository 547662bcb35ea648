package ftpclient

import (
	"strings"
	"time"
)

// unixTime reads the date that follows the size in a Unix listing, at or after at. It
// returns where the name begins, one blank behind the date. known: the month has to be known.
//
//	Mar  2 15:13            2. Mär 2003        2003-03-02 15:13
//	Mar  2 2003             8月 17日 20:10      2003-03-02 15:13:08.000000000 +0100
//	Mar  2 15:13:08 2003    Mar 02, 2003 15:13  03-02 15:13
func unixTime(s string, at int, now time.Time, known bool) (t time.Time, precision time.Duration, end int, ok bool) {
	t, precision, end, ok = wordTime(s, at, now, known)
	if !ok {
		t, precision, end, ok = numberTime(s, at, now)
	}
	return t, precision, end + 1, ok && end < len(s)
}

// wordTime reads a date whose month is a word. The time is zero if the month is not known.
func wordTime(s string, at int, now time.Time, known bool) (t time.Time, precision time.Duration, end int, ok bool) {
	first, at := field(s, at)
	second, at := field(s, at)
	year := -1
	if _, marked := numberOf(second); marked && len(first) >= 4 { // 2003年 3月 20日
		if year, _ = numberOf(first); year < 1000 {
			year = -1
		} else {
			first = second
			second, at = field(s, at)
		}
	}
	month, dayText := monthOf(first), second
	switch {
	case month != 0:
	case monthOf(second) != 0: // 2 Mar
		month, dayText = monthOf(second), first
	case known:
		return
	case isWord(first):
	case isWord(second):
		dayText = first
	default:
		return
	}
	day, _ := numberOf(strings.TrimRight(dayText, ".,"))
	if day < 1 || day > 31 {
		return
	}
	if year >= 0 {
		return midnight.on(year, month, day), midnight.precision, at, true
	}
	last, at := field(s, at)
	c, isClock := parseClock(last)
	year, _ = numberOf(last)
	switch {
	case isClock && c.precision == time.Second: // ls -T
		if y, after := field(s, at); len(y) == 4 && isDigits(y) && after < len(s) {
			year, _ = numberOf(y)
			return c.on(year, month, day), c.precision, after, true
		}
		return c.withoutYear(month, day, now), c.precision, at, true
	case isClock:
		return c.withoutYear(month, day, now), c.precision, at, true
	case year < 1000:
		return
	}
	c = midnight
	if strings.HasSuffix(second, ",") { // Oct 08, 2002 09:47
		clockText, after := field(s, at)
		if exact, isClock := parseClock(clockText); isClock {
			c, at = exact, after
		}
	}
	return c.on(year, month, day), c.precision, at, true
}

// numberTime reads a date in numbers. The time is zero if day and month may be meant either
// way.
func numberTime(s string, at int, now time.Time) (t time.Time, precision time.Duration, end int, ok bool) {
	first, at := field(s, at)
	second, after := field(s, at)
	c, hasClock := parseClock(second)
	if m, d, two := strings.Cut(first, "-"); two && small(m) > 0 && small(d) > 0 { // ls --time-style=iso
		month, day := time.Month(small(m)), small(d)
		switch year, _ := numberOf(second); {
		case month > 12 || day > 31:
			return
		case hasClock:
			return c.withoutYear(month, day, now), c.precision, after, true
		case len(second) == 4 && year >= 1000:
			return midnight.on(year, month, day), midnight.precision, after, true
		}
		return
	}
	date, isDate := parseYMD(first, "-")
	if !isDate {
		date, isDate = parseYMD(first, "/")
	}
	switch {
	case !isDate || date.long < 0:
		return
	case strings.Contains(second, "."):
		if t, end, ok := fullISO(s, first, second, after); ok {
			return t, time.Nanosecond, end, true
		}
	}
	if !hasClock {
		c, after = midnight, at
		// The column of the clock is filled up by a blank in ls --time-style=iso.
		if strings.HasPrefix(s[at:], "  ") {
			after++
		}
	}
	order := yearFirst
	if date.long == 2 {
		if order, ok = orderOf([]ymd{date}, now); !ok {
			return t, 0, after, true
		}
	}
	t = date.in(order, c)
	return t, c.precision, after, !t.IsZero()
}

// fullISO reads what ls --full-time writes: with a fraction of a second and a zone.
func fullISO(s, date, clock string, at int) (t time.Time, end int, ok bool) {
	zone, end := field(s, at)
	t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700", date+" "+clock+" "+zone)
	return t.UTC(), end, err == nil
}
