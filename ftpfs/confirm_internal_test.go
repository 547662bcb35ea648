package ftpfs

import (
	"testing"
	"time"

	"ftpfs/ftpclient"
)

// Views of one state of a file agree however coarsely each tells its time; a day begins
// when it does on the server.
func TestAgree(t *testing.T) {
	at := time.Date(2026, 3, 1, 19, 30, 59, 0, time.UTC)
	day := time.Date(2026, 2, 28, 20, 30, 0, 0, time.UTC) // in Nepal, almost
	view := func(t time.Time, precision time.Duration) ftpclient.Entry {
		return ftpclient.Entry{Size: 1, ModTime: t, Precision: precision}
	}
	exact := view(at, time.Second)
	for _, tt := range []struct {
		e    ftpclient.Entry
		want bool
	}{
		{exact, true},
		{view(at.Add(300*time.Millisecond), time.Millisecond), true},
		{view(at.Add(time.Second), time.Second), false},
		{view(at.Truncate(time.Minute), time.Minute), true},
		{view(at.Truncate(time.Minute).Add(time.Minute), time.Minute), false},
		{view(at.Truncate(time.Minute).Add(-time.Minute), time.Minute), false},
		{view(day, 24*time.Hour), true},
		{view(day.Add(-24*time.Hour), 24*time.Hour), false},
		{view(day.Add(24*time.Hour), 24*time.Hour), false},
		{view(time.Time{}, 0), true},
	} {
		if agree(exact, tt.e) != tt.want || agree(tt.e, exact) != tt.want {
			t.Errorf("%v to %v: want %v", tt.e.ModTime, tt.e.Precision, tt.want)
		}
		tt.e.Size++
		if agree(exact, tt.e) {
			t.Errorf("%v of another size agrees", tt.e.ModTime)
		}
	}
}
