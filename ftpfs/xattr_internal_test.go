package ftpfs

import (
	"io/fs"
	"testing"
	"time"

	"ftpfs/ftpclient"
)

func TestFact(t *testing.T) {
	at := time.Date(2020, 2, 3, 4, 5, 6, 700_000_000, time.UTC)
	for _, tt := range []struct {
		name  string
		entry ftpclient.Entry
		want  string
	}{
		{"modify", ftpclient.Entry{ModTime: at, Precision: time.Millisecond}, "20200203040506.7"},
		{"modify", ftpclient.Entry{ModTime: at.Truncate(time.Second), Precision: time.Second}, "20200203040506"},
		{"modify", ftpclient.Entry{ModTime: at, Precision: time.Minute}, "202002030405"},
		{"modify", ftpclient.Entry{ModTime: at, Precision: 24 * time.Hour}, "20200203"},
		{"modify", ftpclient.Entry{}, ""},
		{"mode", ftpclient.Entry{HasMode: true, Mode: 0o751 | fs.ModeSetuid | fs.ModeSticky}, "5751"},
		{"mode", ftpclient.Entry{HasMode: true, Mode: 0o20 | fs.ModeSetgid}, "2020"},
		{"mode", ftpclient.Entry{}, ""},
		{"group", ftpclient.Entry{Group: "staff"}, "staff"},
		{"unique", ftpclient.Entry{Unique: "1U2"}, "1U2"},
		{"type", ftpclient.Entry{Type: ftpclient.TypeLink}, "symbolic link"},
		{"nonsense", ftpclient.Entry{}, ""},
	} {
		if got := fact(tt.entry, tt.name); got != tt.want {
			t.Errorf("%s of %+v: %q", tt.name, tt.entry, got)
		}
	}
}
