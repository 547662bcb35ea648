package ftpclient

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// shownIn is a file as the clock of a server in a zone shows it.
func shownIn(zone *time.Location, at time.Time, precision time.Duration) Entry {
	at = at.In(zone)
	e := Entry{Name: "f", ModTime: time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, unzoned), Precision: precision}
	if precision > time.Minute {
		e.ModTime = e.ModTime.Truncate(precision)
	}
	return e
}

// ask plays setZone with a server that answers MDTM; it returns how many files were asked about.
func (k *serverClock) ask(entries []Entry, exact map[time.Time]time.Time) (questions int) {
	for range maxRounds {
		open := k.open(entries)
		if len(open) == 0 {
			break
		}
		questions += len(open)
		times := make([]time.Time, len(open))
		for i, e := range open {
			times[i] = exact[e.ModTime]
		}
		k.learn(open, times)
	}
	inZone(entries, k.zone())
	return questions
}

// A listing with files of half a year is told exactly, in every zone, from some of them; the
// next one costs nothing.
func TestClockFindsTheZone(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 7, 0, time.UTC)
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Asia/Kathmandu", "+13:00", "-0930", "Africa/Lagos", "Pacific/Chatham"} {
		zone := zoneOf(t, name)
		var k serverClock
		for i := range 2 {
			var entries []Entry
			var want []time.Time
			exact := map[time.Time]time.Time{}
			for h := 0; h < 24*180; h += 5 {
				at := now.Add(-time.Duration(h) * time.Hour)
				e := shownIn(zone, at, time.Minute)
				if _, twice := exact[e.ModTime]; !twice && wallIn(e.ModTime, zone).Equal(at.Truncate(time.Minute)) {
					exact[e.ModTime] = at
					entries = append(entries, e)
					want = append(want, at.Truncate(time.Minute))
				}
			}
			questions := k.ask(entries, exact)
			if questions > maxQuestions*maxRounds || i > 0 && questions > 0 {
				t.Errorf("%s: %d questions about listing %d", name, questions, i)
			}
			for j, e := range entries {
				if !e.ModTime.Equal(want[j]) {
					t.Errorf("%s: %v, want %v", name, e.ModTime, want[j])
					break
				}
			}
		}
	}
}

// Summer time shows only in a listing with files from summer, which is asked about then.
func TestClockLearnsOfSummer(t *testing.T) {
	for name, questions := range map[string]int{"Europe/Berlin": 1, "Africa/Lagos": 1, "UTC": 1} {
		zone := zoneOf(t, name)
		var k serverClock
		for i, at := range []time.Time{time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC), time.Date(2026, 7, 10, 9, 0, 0, 0, time.UTC)} {
			entries := []Entry{shownIn(zone, at, time.Minute), shownIn(zone, at, 24*time.Hour)}
			n := k.ask(entries, map[time.Time]time.Time{entries[0].ModTime: at})
			if n != questions || !entries[0].ModTime.Equal(at) {
				t.Errorf("%s: listing %d: %v after %d questions, want %v", name, i, entries[0].ModTime, n, at)
			}
			// A day begins when it does there.
			if day := entries[1].ModTime; day.After(at) || !day.Add(24*time.Hour).After(at) || day.In(zone).Hour() != 0 {
				t.Errorf("%s: day %v of %v", name, day, at)
			}
		}
	}
}

// Files of the hour that clocks show twice, at the end of summer time, rule out no zone that
// the clock may be in.
func TestClockAtTheEndOfSummer(t *testing.T) {
	winter, summer := time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC), time.Date(2026, 7, 10, 9, 0, 0, 0, time.UTC)
	for name, first := range map[string]time.Time{
		"Europe/Berlin":    time.Date(2025, 10, 26, 0, 30, 0, 0, time.UTC),
		"America/New_York": time.Date(2025, 11, 2, 5, 30, 0, 0, time.UTC),
		"Australia/Sydney": time.Date(2026, 4, 4, 15, 30, 0, 0, time.UTC),
	} {
		for _, at := range []time.Time{first, first.Add(time.Hour)} {
			zone := zoneOf(t, name)
			var k serverClock
			for _, at := range []time.Time{at, winter, summer} {
				e := shownIn(zone, at, time.Minute)
				k.learn([]Entry{e}, []time.Time{at})
			}
			for _, at := range []time.Time{winter, summer} {
				if got := wallIn(shownIn(zone, at, time.Minute).ModTime, k.zone()); !got.Equal(at) {
					t.Errorf("%s: %v instead of %v", name, got, at)
				}
			}
		}
	}
}

// What does not answer, or nonsense, is asked a few times; times are then taken for UTC.
func TestClockGivesUp(t *testing.T) {
	at := time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)
	for name, answer := range map[string]time.Time{"silence": {}, "no zone": at.Add(7 * time.Minute), "years away": at.AddDate(1, 0, 0)} {
		var k serverClock
		questions := 0
		for range 5 {
			entries := []Entry{shownIn(time.UTC, at, time.Minute)}
			questions += k.ask(entries, map[time.Time]time.Time{entries[0].ModTime: answer})
			if !entries[0].ModTime.Equal(at) {
				t.Errorf("%s: %v", name, entries[0].ModTime)
			}
		}
		if questions != maxMute {
			t.Errorf("%s: %d questions", name, questions)
		}
	}
	var k serverClock
	early, late := shownIn(time.UTC, at, time.Minute), shownIn(time.UTC, at.Add(time.Hour), time.Minute)
	if !k.learn([]Entry{late, early}, []time.Time{late.ModTime.Add(-2 * time.Hour), early.ModTime.Add(-3 * time.Hour)}) {
		t.Error("a clock that fits no zone was not noticed")
	}
	if got := wallIn(late.ModTime, k.zone()); !got.Equal(at.Add(-time.Hour)) || len(k.open([]Entry{late, early})) > 0 {
		t.Errorf("%v, by the latest answer", got)
	}
}

func TestParseZone(t *testing.T) {
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{"UTC": "12:00", "+02:00": "14:00", "-0330": "08:30", "Europe/Berlin": "14:00", "+00:15": "12:15"} {
		if got := summer.In(zoneOf(t, s)).Format("15:04"); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
	if zone := zoneOf(t, "local"); zone != time.Local {
		t.Error(zone)
	}
	if zone := zoneOf(t, ""); zone != nil {
		t.Error(zone)
	}
	for _, s := range []string{"Nowhere", "+2", "+25:00", "+02:60", "02:00", "../etc/passwd"} {
		if zone, err := ParseZone(s); err == nil {
			t.Errorf("%s: %v", s, zone)
		}
	}
}

// In three zones, each server's files have the same times on both sides, by LIST to the
// minute and by MDTM to the second, and times that are set arrive.
func TestRealClocks(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Asia/Kolkata"} {
		for _, name := range ftptest.RealNames {
			t.Run(name+"/"+zone, func(t *testing.T) {
				t.Parallel()
				cfg := Config{ListBy: ListLIST, Mode: ModeEPSV}
				if name == "vsftpd" {
					cfg.Zone = zoneOf(t, zone) // nothing there shows it
				}
				s, cl := real(t, name, ftptest.RealOptions{TimeZone: zone}, cfg)
				ctx := context.Background()
				want := map[string]time.Time{}
				for i, ago := range []time.Duration{0, 24 * time.Hour, 40 * 24 * time.Hour, 100 * 24 * time.Hour, 150 * 24 * time.Hour, 700 * 24 * time.Hour} {
					name := fmt.Sprintf("f%d", i)
					writeFile(t, s, name, []byte(name))
					at := time.Now().Add(-ago).Truncate(time.Second)
					if err := os.Chtimes(filepath.Join(s.Root, name), at, at); err != nil {
						t.Fatal(err)
					}
					want["/"+name] = at
				}
				check := func() {
					t.Helper()
					l, err := cl.List(ctx, "/")
					if err != nil || len(l.Entries) != len(want) {
						t.Fatalf("%d entries, %v", len(l.Entries), err)
					}
					for _, e := range l.Entries {
						at := want["/"+e.Name]
						if late := at.Sub(e.ModTime); late < 0 || late >= e.Precision || e.Precision < time.Minute {
							t.Errorf("LIST: %s: %v to %v, want %v", e.Name, e.ModTime, e.Precision, at)
						}
						if got, err := cl.Stat(ctx, "/"+e.Name); err != nil || !got.ModTime.Equal(at) {
							t.Errorf("%s: %v, %v, want %v", e.Name, got.ModTime, err, at)
						}
						if got, err := cl.ModTime(ctx, "/"+e.Name); err != nil || !got.Equal(at) {
							t.Errorf("MDTM: %s: %v, %v, want %v", e.Name, got, err, at)
						}
					}
				}
				check()
				if name == "pure-ftpd" || name == "proftpd" { // which show local times
					now := time.Now().Truncate(time.Second)
					if got := now.In(cl.clock.zone()).String()[:19]; got != now.In(zoneOf(t, zone)).String()[:19] {
						t.Errorf("the clock in %s was taken for %s", zone, got)
					}
				}
				for i, at := range []time.Time{time.Date(2024, 7, 1, 22, 58, 57, 0, time.UTC), time.Date(2025, 1, 1, 1, 2, 3, 0, time.UTC)} {
					p := fmt.Sprintf("/f%d", i)
					if err := cl.SetModTime(ctx, p, at); err != nil {
						t.Fatal(err)
					}
					info, err := os.Stat(filepath.Join(s.Root, p))
					if err != nil || !info.ModTime().Equal(at) {
						t.Errorf("%s: %v on the server, %v, want %v", p, info.ModTime(), err, at)
					}
					want[p] = at
				}
				check()
			})
		}
	}
}
