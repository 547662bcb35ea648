package ftpclient

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestReadReply(t *testing.T) {
	tests := []struct {
		in    string
		code  int
		lines []string
	}{
		{"220 ready\r\n", 220, []string{"ready"}},
		{"220 ready\n", 220, []string{"ready"}},
		{"220\r\n", 220, []string{""}},
		{"220 \r\n", 220, []string{""}},
		{"250-a\r\nb\r\n250 c\r\n", 250, []string{"a", "b", "c"}},
		// Lines in between may begin with other codes, with the same code and a hyphen,
		// or with blanks, and be empty.
		{"211-a\r\n220 b\r\n211-c\r\n 211 d\r\n\r\n2110\r\n211 e\r\n", 211,
			[]string{"a", "220 b", "211-c", " 211 d", "", "2110", "e"}},
		{"211-a\r\n211\r\n", 211, []string{"a", ""}},
		{"250-\r\n type=file; a\rb\r\n250 end\r\n", 250, []string{"", " type=file; a\rb", "end"}},
	}
	for _, tt := range tests {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			br := bufio.NewReaderSize(r, maxReplyLine)
			got, err := readReply(br, nil)
			if err != nil || got.code != tt.code || !slices.Equal(got.lines, tt.lines) {
				t.Errorf("%q: %v %q, %v", tt.in, got.code, got.lines, err)
			}
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("%q: not read to the end", tt.in)
			}
		}
	}
}

func TestReadReplyErrors(t *testing.T) {
	tests := []struct {
		in   string
		want error
	}{
		{"", io.EOF},
		{"220 no end", io.EOF},
		{"220-more\r\n", io.EOF},
		{"HTTP/1.1 400 Bad\r\n", errBadReply},
		{"\r\n", errBadReply},
		{"22\r\n", errBadReply},
		{"22a x\r\n", errBadReply},
		{"620 x\r\n", errBadReply},
		{"020 x\r\n", errBadReply},
		{"2200\r\n", errBadReply},
		{"220 " + strings.Repeat("x", maxReplyLine) + "\r\n", errLongReply},
		{"220-\r\n" + strings.Repeat("x\r\n", maxReplyLines), errLongReply},
		{"220-\r\n" + strings.Repeat(strings.Repeat("x", 8000)+"\r\n", 200), errLongReply},
	}
	for _, tt := range tests {
		_, err := readReply(bufio.NewReaderSize(strings.NewReader(tt.in), maxReplyLine), nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("%.40q: %v, want %v", tt.in, err, tt.want)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("220 ready\r\n")
	f.Add("211-a\r\n211-b\r\n211 c\r\n")
	f.Add("250-\n250")
	f.Fuzz(func(t *testing.T, in string) {
		br := bufio.NewReaderSize(strings.NewReader(in), maxReplyLine)
		r, err := readReply(br, nil)
		if err != nil {
			return
		}
		if r.code < 100 || r.code > 599 || len(r.lines) == 0 {
			t.Errorf("%q: %+v", in, r)
		}
		parseFeatures(r)
		parsePWD(r)
		parseEPSV(r.text())
		parsePASV(r.text())
		if n, err := sizeOf(r, "/f"); err == nil && n < 0 {
			t.Errorf("%q: size %d", in, n)
		}
		for verb := range parseSiteHelp(r) {
			if verb != strings.ToUpper(verb) || strings.ContainsAny(verb, " \x00*") {
				t.Errorf("%q: SITE %q", in, verb)
			}
		}
		for _, verb := range []string{"RETR", "STOR", "MLSD", "PASS"} {
			e := refusal(verb, "/f", r)
			e.Kind()
			if text := e.Error(); len(text) > maxShown+100 {
				t.Errorf("%q: %q", in, text)
			}
		}
	})
}

// What a server says at length is told in short, without its secrets.
func TestLongRepliesAreCut(t *testing.T) {
	r := reply{code: 550, lines: []string{strings.Repeat("é", maxShown), "the end"}}
	if shown := r.shown(); len(shown) > maxShown+len("...") || !strings.HasSuffix(shown, "éé...") || !utf8.ValidString(shown) {
		t.Errorf("%d bytes, %q", len(shown), shown)
	}
	r.lines = []string{strings.Repeat("x", maxShown-3) + "SECRETPW"}
	r.secrets = (&Config{Password: "SECRETPW"}).secrets()
	if shown := r.shown(); strings.Contains(shown, "SEC") {
		t.Errorf("%q", shown[maxShown-10:])
	}
}
