package ftpclient

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, time.November, 22, 14, 0, 0, 0, time.UTC)

// sampleLine is one line of testdata/listing_lines.jsonl: lines that servers have
// been seen to send, and what they mean. Expect is "entry", "unparsed" (counted) or
// "silent" (names no child). What is left out is not asserted.
type sampleLine struct {
	Form      string // "mlsd", "list"
	Line      string
	Now       *time.Time
	Expect    string
	Name      string
	Type      string
	Size      *json.Number
	MTime     *time.Time
	Precision string
	Mode      string
	Target    string
}

func sampleLines(t testing.TB) []sampleLine {
	t.Helper()
	f, err := os.Open("testdata/listing_lines.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []sampleLine
	for s := bufio.NewScanner(f); s.Scan(); {
		var l sampleLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("line %d: %v", len(all)+1, err)
		}
		all = append(all, l)
	}
	return all
}

func TestSampleLines(t *testing.T) {
	for i, s := range sampleLines(t) {
		now := testNow
		if s.Now != nil {
			now = *s.Now
		}
		var l Listing
		if s.Form == "mlsd" {
			l = parseMLSD([]byte(s.Line + "\r\n"))
		} else {
			l = parseList([]byte(s.Line+"\r\n"), now)
		}
		fail := func(format string, args ...any) {
			t.Errorf("line %d %q: %s", i+1, s.Line, fmt.Sprintf(format, args...))
		}
		if s.Expect != "entry" {
			if len(l.Entries) != 0 || (l.Unparsed > 0) != (s.Expect == "unparsed") {
				fail("entries %+v, unparsed %d, want it %s", l.Entries, l.Unparsed, s.Expect)
			}
			continue
		}
		if len(l.Entries) != 1 || l.Unparsed != 0 {
			fail("entries %+v, unparsed %d", l.Entries, l.Unparsed)
			continue
		}
		e := l.Entries[0]
		typ := map[string]Type{"file": TypeFile, "dir": TypeDir, "link": TypeLink, "other": TypeOther}[s.Type]
		if e.Name != s.Name || e.Type != typ {
			fail("name %q, type %v", e.Name, e.Type)
		}
		if s.Size != nil && strconv.FormatInt(e.Size, 10) != s.Size.String() {
			fail("size %d, want %s", e.Size, s.Size)
		}
		if s.MTime != nil && !e.ModTime.Equal(*s.MTime) || s.Precision == "unknown" && !e.ModTime.IsZero() {
			fail("time %v, want %v", e.ModTime, s.MTime)
		}
		precision := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "day": 24 * time.Hour}[s.Precision]
		if precision != 0 && e.Precision != precision {
			fail("precision %v, want %v", e.Precision, precision)
		}
		if s.Mode != "" {
			bits, err := strconv.ParseUint(s.Mode, 8, 32)
			if err != nil || !e.HasMode || e.Mode != unixMode(bits) {
				fail("mode %v, want %s", e.Mode, s.Mode)
			}
		}
		if s.Target != "" && e.Target != s.Target {
			fail("target %q, want %q", e.Target, s.Target)
		}
	}
}

func TestListEntries(t *testing.T) {
	day, minute := 24*time.Hour, time.Minute
	at := func(y int, m time.Month, d, h, min int) time.Time { return time.Date(y, m, d, h, min, 0, 0, time.UTC) }
	tests := []struct {
		line string
		want Entry
	}{
		{"-rw-r--r--    1 1000     1000            5 Mar 02 15:13  both ends ",
			Entry{" both ends ", 5, at(2026, 3, 2, 15, 13), minute, 0o644, true, TypeFile, false, "1000", "1000", "", ""}},
		{"drwxrwsr-t+ 12 Domain Users 4096 Feb 29 2024 d",
			Entry{"d", 4096, at(2024, 2, 29, 0, 0), day, 0o775 | fs.ModeSetgid | fs.ModeSticky, true, TypeDir, false, "Domain", "Users", "", ""}},
		{"-rwsr-xr-x. 1 root 9223372036854775807 Jan 1 1970 big",
			Entry{"big", 1<<63 - 1, at(1970, 1, 1, 0, 0), day, 0o755 | fs.ModeSetuid, true, TypeFile, false, "root", "", "", ""}},
		{"-rw-r--r--@ 1 u g 9223372036854775808 Jan 1 1970 too big",
			Entry{"too big", -1, at(1970, 1, 1, 0, 0), day, 0o644, true, TypeFile, false, "u", "g", "", ""}},
		{"brw-rw---- 1 root disk 8,   1 Nov 22 10:00 sda1",
			Entry{"sda1", -1, at(2026, 11, 22, 10, 0), minute, 0o660, true, TypeOther, false, "root", "disk", "", ""}},
		{"srwxr-xr-x 1 u g 0 Nov 22 10:00 socket",
			Entry{"socket", -1, at(2026, 11, 22, 10, 0), minute, 0o755, true, TypeOther, false, "u", "g", "", ""}},
		{"lrwxrwxrwx 1 u g 6 Nov 22 10:00 a -> b -> target",
			Entry{"a -> b", 6, at(2026, 11, 22, 10, 0), minute, 0o777, true, TypeLink, false, "u", "g", "target", ""}},
		{"lrwxrwxrwx 1 u g 0 Nov 22 10:00 a -> b -> target",
			Entry{"a", 0, at(2026, 11, 22, 10, 0), minute, 0o777, true, TypeLink, false, "u", "g", "b -> target", ""}},
		{"-rw-r--r-- 1 u g 1 Nov 22 10:00 a -> b",
			Entry{"a -> b", 1, at(2026, 11, 22, 10, 0), minute, 0o644, true, TypeFile, false, "u", "g", "", ""}},
		// A day that does not exist leaves the time unknown.
		{"-rw-r--r-- 1 u g 1 Feb 30 2001 f",
			Entry{"f", 1, time.Time{}, 0, 0o644, true, TypeFile, false, "u", "g", "", ""}},
		// A name that looks like the columns.
		{"-rw-r--r-- 1 u g 1 Jan  2 2003 7 Feb  3 2004 f",
			Entry{"7 Feb  3 2004 f", 1, at(2003, 1, 2, 0, 0), day, 0o644, true, TypeFile, false, "u", "g", "", ""}},
		{"01-02-03  12:00AM       <DIR>           blank first",
			Entry{" blank first", -1, at(2003, 1, 2, 0, 0), minute, 0, false, TypeDir, false, "", "", "", ""}},
		{"01-02-70  12:59PM                    7  x ",
			Entry{" x ", 7, at(1970, 1, 2, 12, 59), minute, 0, false, TypeFile, false, "", "", "", ""}},
		{"13-02-2003  12:59PM <DIR> day first",
			Entry{"day first", -1, at(2003, 2, 13, 12, 59), minute, 0, false, TypeDir, false, "", "", "", ""}},
	}
	for _, tt := range tests {
		l := parseList([]byte(tt.line), testNow)
		if len(l.Entries) != 1 || l.Entries[0] != tt.want {
			t.Errorf("%q\ngot  %+v\nwant %+v", tt.line, l.Entries, tt.want)
		}
	}
}

func TestYearlessDates(t *testing.T) {
	tests := []struct{ now, date, want string }{
		{"2026-11-22 14:00", "Nov 22 14:00", "2026-11-22 14:00"},
		{"2026-11-22 14:00", "Nov 23 14:00", "2026-11-23 14:00"}, // a zone ahead of ours
		{"2026-11-22 14:00", "Nov 23 14:01", "2025-11-23 14:01"},
		{"2026-12-31 23:30", "Jan  1 02:00", "2027-01-01 02:00"},
		{"2027-01-01 00:10", "Dec 31 23:50", "2026-12-31 23:50"},
		{"2026-06-01 00:00", "Feb 29 12:00", "2024-02-29 12:00"},
		{"1904-01-01 00:00", "Feb 29 12:00", "1896-02-29 12:00"}, // 1900 is no leap year
	}
	for _, tt := range tests {
		now, err := time.Parse("2006-01-02 15:04", tt.now)
		if err != nil {
			t.Fatal(err)
		}
		l := parseList([]byte("-rw-r--r-- 1 u g 1 "+tt.date+" f"), now)
		if len(l.Entries) != 1 || l.Entries[0].ModTime.Format("2006-01-02 15:04") != tt.want {
			t.Errorf("%s at %s: %+v, want %s", tt.date, tt.now, l.Entries, tt.want)
		}
	}
}

func TestListingLines(t *testing.T) {
	file := func(name string) string { return "-rw-r--r-- 1 u g 1 Jan 2 2003 " + name }
	tests := []struct {
		title, data string
		names       []string
		unparsed    int
	}{
		{"CRLF", file("a") + "\r\n" + file("b") + "\r\n", []string{"a", "b"}, 0},
		{"LF alone", file("a") + "\n" + file("b") + "\n", []string{"a", "b"}, 0},
		{"LF and CR within names", file("a\nb") + "\r\n" + file("c\rd") + "\r\n" + file("e\r") + "\r\n", []string{"a\nb", "c\rd", "e\r"}, 0},
		{"no end of line at the end", file("a") + "\r\n" + file("b"), []string{"a", "b"}, 0},
		{"empty", "", nil, 0},
		{"total and blank lines", "total 12\r\n\r\n" + file("a") + "\r\n\r\n", []string{"a"}, 0},
		{"itself and parent", file(".") + "\r\n" + file("..") + "\r\n" + file("...") + "\r\n", []string{"..."}, 0},
		{"bad names", file("a/b") + "\r\n" + file("../../etc/passwd") + "\r\n" + file("/") + "\r\n" + file("n\x00l") + "\r\n" + file("") + "\r\n", nil, 5},
		{"raw bytes", file("\xff\xfe-x\t\\") + "\r\n", []string{"\xff\xfe-x\t\\"}, 0},
		{"mixed forms", file("a") + "\r\n01-02-03  12:00AM  5 b\r\nls: c: Permission denied\r\n", []string{"a"}, 2},
	}
	for _, tt := range tests {
		l := parseList([]byte(tt.data), testNow)
		var names []string
		for _, e := range l.Entries {
			names = append(names, e.Name)
		}
		if fmt.Sprintf("%q", names) != fmt.Sprintf("%q", tt.names) || l.Unparsed != tt.unparsed || len(l.UnparsedSample) != tt.unparsed {
			t.Errorf("%s: names %q, unparsed %d %q", tt.title, names, l.Unparsed, l.UnparsedSample)
		}
	}
}

func TestUnparsedSampleIsBounded(t *testing.T) {
	l := parseList([]byte(strings.Repeat(strings.Repeat("x", 10_000)+"\r\n", 100)), testNow)
	if l.Unparsed != 100 || len(l.UnparsedSample) != maxSamples || len(l.UnparsedSample[0]) != maxSampleLen {
		t.Errorf("unparsed %d, samples %d", l.Unparsed, len(l.UnparsedSample))
	}
}

func checkListing(t *testing.T, l Listing) {
	t.Helper()
	for _, e := range l.Entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") {
			t.Errorf("name %q got out", e.Name)
		}
		if e.Size < -1 || e.Type > TypeOther || e.Mode != e.Mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) || e.Precision < 0 {
			t.Errorf("entry %+v", e)
		}
		if e.ModTime.IsZero() != (e.Precision == 0) && !e.ModTime.IsZero() {
			t.Errorf("time %v with precision %v", e.ModTime, e.Precision)
		}
	}
	if len(l.UnparsedSample) != min(l.Unparsed, maxSamples) {
		t.Errorf("%d samples of %d lines", len(l.UnparsedSample), l.Unparsed)
	}
}

func FuzzList(f *testing.F) {
	for _, s := range sampleLines(f) {
		f.Add([]byte(s.Line))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkListing(t, parseList(data, testNow)) })
}

func FuzzMLSD(f *testing.F) {
	for _, s := range sampleLines(f) {
		f.Add([]byte(s.Line))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkListing(t, parseMLSD(data)) })
}

func benchmarkLines(b *testing.B, line string, parse func([]byte) Listing) {
	const n = 1000
	data := []byte(strings.Repeat(line+"\r\n", n))
	b.ReportAllocs()
	for b.Loop() {
		if l := parse(data); len(l.Entries) != n {
			b.Fatalf("%d entries, %q", len(l.Entries), l.UnparsedSample)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/line")
}

func BenchmarkUnix(b *testing.B) {
	benchmarkLines(b, "-rw-r--r--    1 1000     1000         1234 Mar 02 15:13 name of a file.txt",
		func(data []byte) Listing { return parseList(data, testNow) })
}

func BenchmarkDOS(b *testing.B) {
	benchmarkLines(b, "08-07-2015  07:50PM                  718 name of a file.txt",
		func(data []byte) Listing { return parseList(data, testNow) })
}

func BenchmarkMLSD(b *testing.B) {
	benchmarkLines(b, "modify=20150813175250;perm=adfr;size=951;type=file;unique=119FBB87UE;UNIX.group=0;UNIX.mode=0644;UNIX.owner=0; name of a file.txt", parseMLSD)
}
