package ftpclient

import (
	"strings"
	"time"
)

// readWfFtp reads listings of wfFtp, found in routers of Wellfleet, Bay and Nortel. Which of
// the three numbers is the month the day of the week tells:
//
//	config             1014196  06/03/04  Thur.   10:20:03
func readWfFtp(hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		rest, clockText := lastField(line)
		rest, weekday := lastField(rest)
		rest, day := lastField(rest)
		name, size := lastField(rest)
		c, ok := parseClock(clockText)
		date, isDate := parseYMD(day, "/")
		weekday, isDay := strings.CutSuffix(weekday, ".")
		if !ok || !isDate || !isDay || !isDigits(size) || name == "" || len(weekday) < 3 {
			return Entry{}, strange
		}
		e := Entry{Size: parseSize(size), Name: name}
		found := 0
		for _, o := range []dateOrder{monthFirst, dayFirst, yearFirst} {
			t := date.in(o, c)
			if !t.IsZero() && strings.EqualFold(t.Weekday().String()[:3], weekday[:3]) {
				e.setTime(t, c.precision)
				found++
			}
		}
		if found != 1 {
			e.setTime(time.Time{}, 0)
		}
		return e, child
	}
}
