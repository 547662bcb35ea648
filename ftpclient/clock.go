package ftpclient

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// serverClock finds the zone of the clock that a server writes LIST listings by, which RFC
// 959 leaves open. MDTM tells the same times in UTC (RFC 3659 section 3), so each answer
// rules out zones. Those left are asked about again only where they disagree: about a
// listing with times of the other half of the year, when summer time may have been in force.
type serverClock struct {
	mu    sync.Mutex
	zones []*time.Location // that fit all answers so far, the likeliest first; nil before the first question
	mute  int              // questions in a row to which there was no answer of use
	mixed bool             // no zone fits all answers
}

// likelyZones are those of servers, one for each rule of summer time in force, after UTC and
// the zone of this machine.
var likelyZones = []string{
	"Europe/London", "Europe/Berlin", "Europe/Helsinki", "Asia/Jerusalem", "Asia/Beirut", "Africa/Cairo",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage",
	"America/Halifax", "America/St_Johns", "America/Havana", "America/Santiago", "Atlantic/Azores",
	"Australia/Sydney", "Australia/Adelaide", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham",
}

const (
	maxQuestions = 8 // in one write
	maxRounds    = 3 // of questions about one listing
	maxMute      = 3 // rounds without an answer, after which no more is asked
)

// setZone turns the times in a LIST listing of dir, as the server's clock shows them, into
// UTC. It asks for the exact times of a few files where the zone is not certain.
func (cl *Client) setZone(ctx context.Context, dir string, entries []Entry) error {
	k := &cl.clock
	switch {
	case cl.server.isVsftpd(): // MDTM goes by the same clock
		inZone(entries, cl.mdtmZone())
		return nil
	case cl.cfg.Zone != nil:
		inZone(entries, cl.cfg.Zone)
		return nil
	}
	for range maxRounds {
		open := k.open(entries)
		if len(open) == 0 {
			break
		}
		paths := make([]string, len(open))
		for i, e := range open {
			paths[i] = strings.TrimSuffix(dir, "/") + "/" + e.Name
		}
		exact, err := cl.ModTimes(ctx, paths)
		if err != nil {
			return err
		}
		if k.learn(open, exact) {
			cl.cfg.Logger.Warn("the server's clock fits no time zone: give it by --timezone", "dir", dir)
		}
	}
	inZone(entries, k.zone())
	return nil
}

// Timed returns an entry that ListArriving has told, with the time that it will have in the
// Listing; ok is false if that is not known yet. It does not block.
func (cl *Client) Timed(e Entry) (timed Entry, ok bool) {
	var zone *time.Location
	switch {
	case e.ModTime.Location() != unzoned:
		return e, true
	case cl.server.isVsftpd():
		zone = cl.mdtmZone()
	case cl.cfg.Zone != nil:
		zone = cl.cfg.Zone
	default:
		if len(cl.clock.open([]Entry{e})) > 0 {
			return e, false
		}
		zone = cl.clock.zone()
	}
	e.ModTime = wallIn(e.ModTime, zone)
	return e, true
}

// zone is the likeliest one.
func (k *serverClock) zone() *time.Location {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.zones) == 0 {
		return time.UTC
	}
	return k.zones[0]
}

// found is the name of the zone that fits all answers; "" before the first.
func (k *serverClock) found() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.zones) == 0 || k.mixed {
		return ""
	}
	return k.zones[0].String()
}

// open returns some files, spread over time, whose moment the zones left disagree about.
func (k *serverClock) open(entries []Entry) []Entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mixed || k.mute >= maxMute || k.zones != nil && len(k.zones) < 2 {
		return nil
	}
	var open []Entry
	for _, e := range entries {
		if e.Type == TypeFile && e.ModTime.Location() == unzoned && e.Precision <= time.Minute && k.disagree(e.ModTime) {
			open = append(open, e)
		}
	}
	slices.SortFunc(open, func(a, b Entry) int { return b.ModTime.Compare(a.ModTime) })
	if n := len(open); n > maxQuestions {
		for i := range maxQuestions {
			open[i] = open[i*(n-1)/(maxQuestions-1)]
		}
		open = open[:maxQuestions]
	}
	return open
}

// disagree: mu is held.
func (k *serverClock) disagree(shown time.Time) bool {
	if k.zones == nil {
		return true
	}
	first := wallIn(shown, k.zones[0])
	for _, zone := range k.zones[1:] {
		if !wallIn(shown, zone).Equal(first) {
			return true
		}
	}
	return false
}

// learn rules out the zones in which the clock would have shown something else at the exact
// times. It tells whether it has just turned out that none fits.
func (k *serverClock) learn(asked []Entry, exact []time.Time) (mixed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mixed {
		return false
	}
	k.mute++
	latest := time.UTC
	for i, e := range asked {
		offset, ok := offsetOf(e, exact[i])
		if !ok {
			continue // changed meanwhile, or not answered
		}
		if k.zones == nil {
			k.zones = allZones(offset)
		}
		if k.mute > 0 { // the first answer is about the latest file
			k.mute, latest = 0, fixedZone(offset)
		}
		k.zones = slices.DeleteFunc(k.zones, func(zone *time.Location) bool {
			// Not the reverse: at the end of summer time clocks show an hour twice.
			return !clockOf(e.ModTime.UTC().Add(-offset), zone).Equal(e.ModTime)
		})
	}
	if k.zones != nil && len(k.zones) == 0 {
		k.zones, k.mixed = []*time.Location{latest}, true
	}
	return k.mixed
}

// allZones are those likely and the fixed one.
func allZones(fixed time.Duration) []*time.Location {
	zones := []*time.Location{time.UTC, time.Local}
	for _, name := range likelyZones {
		if zone, err := time.LoadLocation(name); err == nil {
			zones = append(zones, zone)
		}
	}
	return append(zones, fixedZone(fixed))
}

// offsetOf is how far the clock that has shown an entry's time is ahead of UTC; ok is false
// if that is no zone's.
func offsetOf(e Entry, exact time.Time) (offset time.Duration, ok bool) {
	if exact.IsZero() {
		return 0, false
	}
	offset = e.ModTime.Sub(exact.Truncate(e.Precision))
	return offset, offset.Abs() <= farthestZone && offset%(15*time.Minute) == 0
}

// mdtmZone is the zone of the times in MDTM, UTC by RFC 3659. With the option use_localtime
// vsftpd shows and takes local times, by the offset that it found when it started, for
// dates in summer and winter alike.
func (cl *Client) mdtmZone() *time.Location {
	if cl.cfg.Zone == nil || !cl.server.isVsftpd() {
		return time.UTC
	}
	_, offset := time.Now().In(cl.cfg.Zone).Zone()
	return fixedZone(time.Duration(offset) * time.Second)
}
