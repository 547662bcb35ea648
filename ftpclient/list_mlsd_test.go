package ftpclient

import (
	"fmt"
	"io/fs"
	"testing"
	"time"
)

func TestParseFacts(t *testing.T) {
	at := time.Date(2015, time.August, 13, 17, 52, 50, 0, time.UTC)
	tests := []struct {
		line string
		want Entry
	}{
		{"TYPE=File;SIZE=951;Modify=20150813175250;Unique=1U9; x", // proftpd and others, any case
			Entry{"x", 951, at, time.Second, 0, false, TypeFile, false, "", "", "", "1U9"}},
		{"type=file;size=0;modify=20150813175250.123;UNIX.mode=0o644; pyftpdlib",
			Entry{"pyftpdlib", 0, at.Add(123 * time.Millisecond), time.Millisecond, 0o644, true, TypeFile, false, "", "", "", ""}},
		{"type=dir;sizd=4096;UNIX.mode=01777;UNIX.uid=7;UNIX.gid=8; pure-ftpd",
			Entry{"pure-ftpd", 4096, time.Time{}, 0, 0o777 | fs.ModeSticky, true, TypeDir, false, "7", "8", "", ""}},
		{"UNIX.group=0;UNIX.groupname=root;UNIX.owner=5;UNIX.ownername=ann;type=OS.unix=symlink; l",
			Entry{"l", -1, time.Time{}, 0, 0, false, TypeLink, false, "ann", "root", "", ""}},
		{"type=OS.UNIX=slink:/a b; l",
			Entry{"l", -1, time.Time{}, 0, 0, false, TypeLink, false, "", "", "/a b", ""}},
		{"type=OS.unix=chr-1/3; null",
			Entry{"null", -1, time.Time{}, 0, 0, false, TypeOther, false, "", "", "", ""}},
		{"type=cdir; /full/path", // MLST
			Entry{"/full/path", -1, time.Time{}, 0, 0, false, TypeDir, false, "", "", "", ""}},
		{"type=file;   two blanks; a=b ",
			Entry{"  two blanks; a=b ", -1, time.Time{}, 0, 0, false, TypeFile, false, "", "", "", ""}},
		{"type=file;size=9223372036854775808;modify=20150230000000;UNIX.mode=rw; wrong values",
			Entry{"wrong values", -1, time.Time{}, 0, 0, false, TypeFile, false, "", "", "", ""}},
	}
	for _, tt := range tests {
		got, err := parseFacts(tt.line)
		if err != nil || got != tt.want {
			t.Errorf("%q\ngot  %+v, %v\nwant %+v", tt.line, got, err, tt.want)
		}
	}
	for _, line := range []string{"", "x", " x", "type=file;", "type=file; ", "type=file x", "type=file;size; x", "=file; x",
		"type=nonsense; x", "size=4; no type", "type=file;modify=yesterday; x"} {
		if e, err := parseFacts(line); err == nil {
			t.Errorf("%q: %+v", line, e)
		}
	}
}

func TestParseMLSD(t *testing.T) {
	l := parseMLSD([]byte("type=cdir; /home/u\r\ntype=pdir; ..\r\ntype=dir; .\r\ntype=file; a\nb\r\ntype=file; ../c\r\ntype=file; -> \r\nnonsense\r\n"))
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	if got := fmt.Sprintf("%q %d %q", names, l.Unparsed, l.UnparsedSample); got != `["a\nb" "-> "] 2 ["type=file; ../c" "nonsense"]` {
		t.Error(got)
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2024, time.February, 29, 23, 59, 59, 0, time.UTC)
	good := []struct {
		s         string
		want      time.Time
		precision time.Duration
	}{
		{"20240229235959", at, time.Second},
		{"20240229235960", at.Add(time.Second), time.Second},
		{"20240229235959.5", at.Add(500 * time.Millisecond), 100 * time.Millisecond},
		{"20240229235959.123456789", at.Add(123456789), 1},
		{"20240229235959.1234567899", at.Add(123456789), 1},
	}
	for _, tt := range good {
		got, precision, err := parseTime(tt.s)
		if err != nil || !got.Equal(tt.want) || precision != tt.precision {
			t.Errorf("%s: %v, %v, %v", tt.s, got, precision, err)
		}
		if formatTime(got) != tt.want.Format(timeLayout) {
			t.Errorf("%s is written as %s", tt.s, formatTime(got))
		}
	}
	for _, s := range []string{"", "2024", "20230229000000", "20241301000000", "20240101240000", "20240101006000", "20240101000061",
		"20240101000000.", "20240101000000.x", "2024010100000x", "191240101000000", "+2024010100000", "20240101000000 "} {
		if got, _, err := parseTime(s); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
	zone := time.FixedZone("", 3600)
	if got := formatTime(time.Date(2024, 1, 1, 0, 30, 0, 999, zone)); got != "20231231233000" {
		t.Errorf("not in UTC: %s", got)
	}
}

func FuzzTime(f *testing.F) {
	f.Add("20240229235959.123")
	f.Fuzz(func(t *testing.T, s string) {
		got, precision, err := parseTime(s)
		if err != nil {
			return
		}
		again, _, err := parseTime(formatTime(got))
		if err != nil || !again.Equal(got.Truncate(time.Second)) || precision <= 0 || precision > time.Second {
			t.Errorf("%q: %v, %v, again %v, %v", s, got, precision, again, err)
		}
	})
}

func FuzzFacts(f *testing.F) {
	for _, s := range sampleLines(f) {
		f.Add(s.Line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseFacts(line)
		if err == nil && (e.Name == "" || e.Size < -1 || e.Type > TypeOther) {
			t.Errorf("%q: %+v", line, e)
		}
	})
}
