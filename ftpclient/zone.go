package ftpclient

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

var offsetForm = regexp.MustCompile(`^([+-])(\d\d):?([0-5]\d)$`)

// ParseZone reads a time zone: an offset from UTC as +02:00 or -0330, or a name of the IANA
// database as UTC or Europe/Berlin. "" is nil, "local" the zone of this machine.
func ParseZone(s string) (*time.Location, error) {
	switch strings.ToLower(s) {
	case "":
		return nil, nil
	case "local":
		return time.Local, nil
	}
	if m := offsetForm.FindStringSubmatch(s); m != nil {
		d, err := time.ParseDuration(m[1] + m[2] + "h" + m[3] + "m")
		if err != nil || d.Abs() > farthestZone {
			return nil, fmt.Errorf("there is no time zone %s from UTC", s)
		}
		return fixedZone(d), nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is neither an offset as +02:00 nor a name as Europe/Berlin", s)
	}
	return zone, nil
}

// farthestZone is more than any zone's offset.
const farthestZone = 15 * time.Hour

func fixedZone(offset time.Duration) *time.Location {
	return time.FixedZone(fmt.Sprintf("UTC%+.2f", offset.Hours()), int(offset/time.Second))
}

// wallIn is the moment, in UTC, when clocks in the zone show what t shows in its own.
func wallIn(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() || zone == time.UTC {
		return t.UTC()
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone).UTC()
}

// clockOf is what clocks in the zone show at t.
func clockOf(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.Add(time.Duration(offset) * time.Second).In(unzoned)
}

// inZone makes times that the server's clock shows times in UTC, given its zone.
func inZone(entries []Entry, zone *time.Location) {
	for i := range entries {
		if e := &entries[i]; e.ModTime.Location() == unzoned {
			e.ModTime = wallIn(e.ModTime, zone)
		}
	}
}
