package ftpclient

import (
	"strconv"
	"strings"
	"time"
)

// unzoned marks a time that is what the server's clock shows: its zone is not known yet.
var unzoned = time.FixedZone("server", 0)

// setTime takes a time over unless it is zero.
func (e *Entry) setTime(t time.Time, precision time.Duration) {
	if t.IsZero() {
		e.ModTime, e.Precision = time.Time{}, 0
		return
	}
	e.ModTime, e.Precision = t, precision
}

// clock is a time of day and how fine it is told.
type clock struct {
	hour, minute, second int
	precision            time.Duration
}

// midnight is the clock of a date without a time of day.
var midnight = clock{precision: 24 * time.Hour}

// parseClock reads HH:MM and HH:MM:SS, whose hour may have one digit.
func parseClock(s string) (clock, bool) {
	h, rest, ok := strings.Cut(s, ":")
	m, sec, fine := strings.Cut(rest, ":")
	c := clock{small(h), small(m), 0, time.Minute}
	if fine {
		c.second, c.precision = small(sec), time.Second
		ok = ok && len(sec) == 2
	}
	ok = ok && len(m) == 2 && c.hour >= 0 && c.hour < 24 && c.minute >= 0 && c.minute < 60 && c.second >= 0 && c.second < 61
	return c, ok
}

// on returns the clock's time on a day; zero for a day that does not exist, as 30 February.
func (c clock) on(year int, month time.Month, day int) time.Time {
	t := time.Date(year, month, day, c.hour, c.minute, c.second, 0, unzoned)
	if d := time.Date(year, month, day, 0, 0, 0, 0, unzoned); d.Day() != day || d.Month() != month {
		return time.Time{}
	}
	return t
}

// withoutYear finds the latest such moment that is not more than a day after now;
// the day is for the zone that the server's clock may be in. 29 February may lie up
// to eight years back.
func (c clock) withoutYear(month time.Month, day int, now time.Time) time.Time {
	latest := now.UTC().Add(24 * time.Hour)
	for year := latest.Year(); year >= latest.Year()-8; year-- {
		if t := c.on(year, month, day); !t.IsZero() && !t.After(latest) {
			return t
		}
	}
	return time.Time{}
}

// ymd is a date in numbers, in the order in which it is written.
type ymd struct {
	part [3]int
	long int // index of a year of four digits; -1 none
}

// parseYMD reads three numbers between which sep stands twice.
func parseYMD(s string, sep string) (ymd, bool) {
	parts := strings.Split(s, sep)
	if len(parts) != 3 {
		return ymd{}, false
	}
	d := ymd{long: -1}
	for i, p := range parts {
		if len(p) == 4 && isDigits(p) && d.long < 0 {
			d.part[i], _ = strconv.Atoi(p)
			d.long = i
			continue
		}
		if d.part[i] = small(p); d.part[i] < 0 {
			return ymd{}, false
		}
	}
	return d, d.long != 1
}

// dateOrder tells where year, month and day stand.
type dateOrder [3]int

var (
	yearFirst  = dateOrder{0, 1, 2}
	monthFirst = dateOrder{2, 0, 1}
	dayFirst   = dateOrder{2, 1, 0}
)

// in returns the date with a time of day in one order; zero if there is none. Years of two
// digits are those from 1970 to 2069.
func (d ymd) in(o dateOrder, c clock) time.Time {
	year := d.part[o[0]]
	switch {
	case d.long >= 0 && d.long != o[0]:
		return time.Time{}
	case d.long < 0 && year < 70:
		year += 2000
	case d.long < 0:
		year += 1900
	}
	return c.on(year, time.Month(d.part[o[1]]), d.part[o[2]])
}

// orderOf returns the only order in which all dates exist and none lies in the future; ok
// is false if there are several or none.
func orderOf(dates []ymd, now time.Time) (found dateOrder, ok bool) {
	latest := now.Add(48 * time.Hour)
	for _, o := range []dateOrder{yearFirst, monthFirst, dayFirst} {
		fits := len(dates) > 0
		for _, d := range dates {
			t := d.in(o, midnight)
			fits = fits && !t.IsZero() && !t.After(latest)
		}
		if fits && ok {
			return dateOrder{}, false
		}
		if fits {
			found, ok = o, true
		}
	}
	return found, ok
}

// small reads a number of one or two digits; -1 for anything else.
func small(s string) int {
	if len(s) > 2 || !isDigits(s) {
		return -1
	}
	n, _ := strconv.Atoi(s)
	return n
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
