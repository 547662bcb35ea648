package ftpclient

import (
	"fmt"
	"strings"
	"time"
)

const timeLayout = "20060102150405"

// parseTime reads a time value of RFC 3659 section 2.3, YYYYMMDDHHMMSS[.sss], and
// tells how fine it is. A date that does not exist is an error.
func parseTime(s string) (time.Time, time.Duration, error) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if len(whole) != len(timeLayout) || !isDigits(whole) || dotted && !isDigits(fraction) {
		return time.Time{}, 0, fmt.Errorf("time %q is not YYYYMMDDHHMMSS[.sss]", s)
	}
	// A leap second is legal (RFC 3659) and unknown to time.Parse.
	leap := strings.HasSuffix(whole, "60")
	if leap {
		whole = whole[:12] + "59"
	}
	t, err := time.Parse(timeLayout, whole)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("time %q does not exist", s)
	}
	if leap {
		t = t.Add(time.Second)
	}
	precision := time.Second
	for i := 0; i < len(fraction) && precision > 1; i++ {
		precision /= 10
		t = t.Add(time.Duration(fraction[i]-'0') * precision)
	}
	return t, precision, nil
}

// formatTime writes t for MFMT, MDTM and SITE UTIME: UTC, whole seconds, since
// servers refuse fractions.
func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// sayable tells whether the commands that set a time have room for the year of t.
func sayable(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }

// usual tells whether all servers' file systems can keep t: FAT begins in 1980, and 32 bits end
// in 2038.
func usual(t time.Time) bool { return t.UTC().Year() >= 1981 && t.UTC().Year() <= 2037 }

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
