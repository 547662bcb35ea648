package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"ftpfs/ftpclient"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"naïve café":                 "naïve café",
		"a\x1b[2Jb\r\x00\a":          `a\x1b[2Jb\r\x00\a`,
		"\u009b31m \u202e":           `\u009b31m \u202e`,
		"\xff\ufffd":                 `\xff` + "\ufffd",
		"one\ntwo":                   "one; two",
		`a "quoted" back\slash left`: `a "quoted" back\slash left`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// What is printed for programs acts on no terminal, and means the same.
func TestPrintedJSON(t *testing.T) {
	want := "a\x1b\u009b\u202e\x7f\U000e0001 <&> \"\\\n\tcafé\U0001f600"
	var out bytes.Buffer
	if err := printJSON(&out, []string{want}); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%q, %v from %s", got, err, out.String())
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || !strings.Contains(out.String(), "café") {
		t.Errorf("%q", out.String())
	}
}

// The words of a server reach neither the terminal nor the log as they are.
func TestServerTextsAreQuoted(t *testing.T) {
	words := &ftpclient.Error{Command: "PASS", Code: 530, Text: "\x1b]0;title\a\r\x00\u009b31m"}
	p := program{mount: func(_ context.Context, j job, log *slog.Logger) (mounted, error) {
		log.Warn("refused "+words.Text, "error", words, "text", words.Text, "texts", []string{words.Text})
		return nil, explainConnect(words, j, &flags{})
	}}
	code, _, stderr := run(&p, "-f", "--cache-dir", t.TempDir(), "ftp://ann:secret@host/", t.TempDir())
	if code != exitLogin || strings.ContainsAny(stderr, "\x1b\a\r\x00\u009b") || !strings.Contains(stderr, `ftpfs: host refused the login of ann: PASS: 530 \x1b]0;title\a\r\x00\u009b31m. Check`) {
		t.Errorf("%d %q", code, stderr)
	}
}
