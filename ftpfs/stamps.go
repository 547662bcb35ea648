package ftpfs

import (
	"context"
	"time"

	"ftpfs/ftpclient"
)

// maxStamps bounds the remembered exact times, some 150 bytes each.
const maxStamps = 100_000

// A stamp is a time that is known better than a listing shows it.
type stamp struct {
	size  int64
	time  time.Time
	unit  time.Duration
	seen  time.Time // when it was true
	local bool      // the server could not be told: the time is kept here only
}

// clockSkew is how far the server's clock may be behind ours.
const clockSkew = 10 * time.Second

// settled is when no later change can have the time that a listing tells of e.
func settled(e ftpclient.Entry) time.Time { return e.ModTime.Add(e.Precision + clockSkew) }

// refine asks, in one pipeline, for the times of files whose listing tells
// them too coarsely: of all that are not known yet if the user wants that,
// else only where two changes may look the same. A file that changes twice
// within the minute that its listing tells, and is listed in between, would
// never be seen to have changed again.
func (t *tree) refine(ctx context.Context, dir string, entries []ftpclient.Entry) error {
	now := time.Now()
	var paths []string
	var at []int
	for i := range entries {
		e := &entries[i]
		unknown := e.ModTime.IsZero()
		if e.Type != ftpclient.TypeFile || !unknown && e.Precision <= time.Second {
			continue
		}
		final := settled(*e) // no later change has this time
		s, known := t.stamps.Get(join(dir, e.Name))
		known = known && t.applyStamp(dir, e)
		if known && !unknown && s.seen.After(final) || !t.exactTimes && (unknown || !known && now.After(final)) {
			continue
		}
		paths = append(paths, join(dir, e.Name))
		at = append(at, i)
	}
	if len(paths) == 0 {
		return nil
	}
	times, err := t.client.ModTimes(ctx, paths)
	if err != nil {
		return err
	}
	for i, when := range times {
		if e := &entries[at[i]]; !when.IsZero() {
			e.ModTime, e.Precision = when, time.Second
			t.stamp(paths[i], *e)
		}
	}
	return nil
}

// stamp remembers the time of e, which the server confirmed or was told.
func (t *tree) stamp(path string, e ftpclient.Entry) {
	t.stamps.Add(path, stamp{size: e.Size, time: e.ModTime, unit: e.Precision, seen: time.Now()})
}

// stampLocal remembers a time that the server could not be told.
func (t *tree) stampLocal(path string, e ftpclient.Entry) {
	t.stamps.Add(path, stamp{size: e.Size, time: e.ModTime, unit: e.Precision, local: true})
}

// moveStamp is told that what was at from+rest is at to+rest now.
func (t *tree) moveStamp(from, to, rest string) {
	if s, ok := t.stamps.Peek(from + rest); ok {
		t.stamps.Remove(from + rest)
		t.stamps.Add(to+rest, s)
	}
}

// applyStamp puts the remembered time into an entry that a listing shows more
// coarsely, when it can be the same state of the file.
func (t *tree) applyStamp(dir string, e *ftpclient.Entry) bool {
	s, ok := t.stamps.Get(join(dir, e.Name))
	switch {
	case !ok:
		return false
	case e.Type != ftpclient.TypeFile:
		// Our own last change of a directory, by our clock; the server noted
		// it by its own.
		near := max(2*time.Second, 2*e.Precision)
		if !s.local && s.time.Sub(e.ModTime).Abs() >= near {
			return false
		}
	case s.size != e.Size || e.Precision > 0 && e.Precision <= s.unit:
		return false
	case !e.ModTime.IsZero() && !covers(*e, s.time):
		return false
	}
	e.ModTime, e.Precision = s.time, s.unit
	return true
}
