package ftpclient

import "time"

// inZone makes times of entries that the server's clock shows times in UTC, given the zone
// of that clock.
func inZone(entries []Entry, zone *time.Location) {
	for i := range entries {
		e := &entries[i]
		if t := e.ModTime; t.Location() == unzoned {
			e.ModTime = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone).UTC()
		}
	}
}
