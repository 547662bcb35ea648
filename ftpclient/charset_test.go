package ftpclient

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"ftpfs/internal/ftptest"

	"pgregory.net/rapid"
)

func namesIn(t testing.TB, charset string, saysUTF8 bool) names {
	t.Helper()
	n, err := parseCharset(charset)
	if err != nil {
		t.Fatal(err)
	}
	n.utf8 = n.utf8 || saysUTF8
	return n
}

var charsets = []string{"", "utf-8", "latin1", "windows-1252", "windows-1251", "KOI8-R", "cp437", "IBM850", "shift_jis", "euc-jp", "euc-kr", "gbk", "gb18030", "big5"}

func TestCharset(t *testing.T) {
	for _, tt := range []struct {
		charset  string
		saysUTF8 bool
		raw      string
		shown    string
	}{
		{"", false, "a\xe9\u201b", "a\xe9\u201b"}, // without a character set nothing changes
		{"latin1", false, "\xe9t\xe9.txt", "été.txt"},
		{"latin1", false, "plain \\ ~", "plain \\ ~"},
		{"latin1", false, "été", "\u201b~été"}, // UTF-8 among Latin-1
		{"latin1", true, "été", "été"},
		{"latin1", true, "\xe9t\xe9", "\u201b~été"}, // Latin-1 among UTF-8
		{"windows-1251", false, "\xef\xf0\xe8\xe2\xe5\xf2", "привет"},
		{"shift_jis", false, "\x83\x5c\x95\x5c", "ソ表"}, // whose second byte is a backslash
		{"shift_jis", false, "\x83", "\u201b83"},
		{"shift_jis", false, "a\x83\x5c\xff\x83", "aソ\u201bFF\u201b83"},
		{"utf-8", false, "é\u201b", "é\u201b\u201b"},
		{"utf-8", false, "\xe9t\xe9\u201b", "\u201bE9t\u201bE9\u201bE2\u201b80\u201b9B"},
		{"gb18030", false, "\xc4\xe3\x81\x36\xa5\x36", "你\u201b\u201b"}, // has the escape itself
	} {
		n := namesIn(t, tt.charset, tt.saysUTF8)
		raw, ok := n.raw("/dir/" + tt.shown)
		if got := n.shown("/dir/" + tt.raw); got != "/dir/"+tt.shown || !ok || raw != "/dir/"+tt.raw {
			t.Errorf("%s: %q is shown as %q, want %q, and back %q", tt.charset, tt.raw, got, tt.shown, raw)
		}
	}
	for _, charset := range []string{"nonsense", "utf-16", "iso-2022-jp", "utf-7", "IBM037", "hz-gb-2312"} {
		if _, err := parseCharset(charset); err == nil {
			t.Errorf("%s was accepted", charset)
		}
	}
}

// Names that no file of the server's is shown by: of what the set lacks, and other spellings.
func TestCharsetRefuses(t *testing.T) {
	n := namesIn(t, "latin1", false)
	for _, name := range []string{"日本", "\u201b41", "\u201b2F", "\u201b2Fetc", "\u201be9", "\u201bE9", "\u201b~plain", "\u201b~\u201b~é",
		"\u201b", "a\u201b4", "Ã©", "\xff", "é\xff", "\u201b00", "\u201b0A", "\u201b+1"} {
		if raw, ok := n.raw("/" + name); ok {
			t.Errorf("%q is sent as %q", name, raw)
		}
	}
}

// Every name is shown as valid UTF-8, unlike every other, within its directory, and found
// again by it.
func TestCharsetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, err := parseCharset(rapid.SampledFrom(charsets).Draw(t, "charset"))
		if err != nil {
			t.Fatal(err)
		}
		n.utf8 = n.utf8 || rapid.Bool().Draw(t, "UTF8 in FEAT")
		text := rapid.StringMatching(`[ -~À-ſЀ-ӿ\x{201b}あ-ん一-三~]{1,8}`).Draw(t, "text")
		if rapid.Bool().Draw(t, "encoded") && n.set != nil {
			if encoded, err := n.set.NewEncoder().String(text); err == nil {
				text = encoded
			}
		}
		raw := text + string(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "bytes"))
		checkName(t, n, raw)
	})
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

func checkName(t failer, n names, raw string) {
	t.Helper()
	if strings.ContainsAny(raw, "/\x00") || raw == "." || raw == ".." || raw == "" {
		return
	}
	shown := n.shown(raw)
	if back, ok := n.raw(shown); !ok || back != raw {
		t.Errorf("%q is shown as %q, which is sent as %q", raw, shown, back)
	}
	if n.translate && !utf8.ValidString(shown) || strings.ContainsAny(shown, "/\x00") || shown == "." || shown == ".." || shown == "" {
		t.Errorf("%q is shown as %q", raw, shown)
	}
}

func FuzzCharset(f *testing.F) {
	for i := range charsets {
		f.Add(i, "\xe9t\xe9 \u201b~\u201b41\x83\x5c", true)
	}
	f.Fuzz(func(t *testing.T, charset int, name string, saysUTF8 bool) {
		if charset < 0 {
			charset = ^charset
		}
		n := namesIn(t, charsets[charset%len(charsets)], saysUTF8)
		checkName(t, n, name)
		// And whatever a caller names is refused, or is the only name of one file.
		if strings.Contains(name, "/") {
			return
		}
		if raw, ok := n.raw(name); ok && (n.shown(raw) != name || strings.Contains(raw, "/") ||
			strings.ContainsAny(raw, "\r\n\x00") && !strings.ContainsAny(name, "\r\n\x00")) {
			t.Errorf("%q is sent as %q, shown as %q", name, raw, n.shown(raw))
		}
	})
}

// Names in Latin-1 are listed, read, made, renamed and removed by their characters, and what
// is UTF-8 beside them is reached, too.
func TestRealCharset(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} { // pyftpdlib replaces what is not UTF-8
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cl := real(t, name, ftptest.RealOptions{}, Config{Charset: "latin1", Mode: ModeEPSV})
			ctx := context.Background()
			usual, other := "\xfft\xe9", "été" // 0xFF is telnet's IAC
			shownUsual, shownOther := "ÿté", escape+mark+"été"
			connect(t, cl)
			if cl.server.announced().has("UTF8") {
				shownUsual, shownOther = escape+mark+"ÿté", "été"
			}
			for _, raw := range []string{usual, other} {
				writeFile(t, s, raw, []byte(raw))
			}
			l, err := cl.List(ctx, "/")
			if err != nil || len(l.Entries) != 2 {
				t.Fatalf("%s, %v", namesOf(l), err)
			}
			for _, e := range l.Entries {
				if e.Name != shownUsual && e.Name != shownOther {
					t.Errorf("%q is shown", e.Name)
				}
				want := map[string]string{shownUsual: usual, shownOther: other}[e.Name]
				if got := read(t, cl, "/"+e.Name, -1); string(got) != want {
					t.Errorf("%q holds %q", e.Name, got)
				}
				if st, err := cl.Stat(ctx, "/"+e.Name); err != nil || st.Size != int64(len(want)) || st.Name != e.Name {
					t.Errorf("%+v, %v", st, err)
				}
			}
			if err := cl.Rename(ctx, "/"+shownUsual, "/"+shownUsual+"2"); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(s.Root, usual+"2")); err != nil {
				t.Error(err)
			}
			if err := cl.Delete(ctx, "/"+shownOther); err != nil {
				t.Error(err)
			}
			if shownUsual == "ÿté" {
				err := cl.MakeDir(ctx, "/日本")
				if e, ok := errors.AsType[*Error](err); !ok || e.Kind() != KindInvalid {
					t.Errorf("a name that Latin-1 lacks: %v", err)
				}
				if err := cl.MakeDir(ctx, "/äé"); err != nil {
					t.Error(err)
				}
				if info, err := os.Stat(filepath.Join(s.Root, "\xe4\xe9")); err != nil || !info.IsDir() {
					t.Error(err)
				}
				if l, err := cl.List(ctx, "/äé"); err != nil || len(l.Entries) != 0 {
					t.Errorf("%s, %v", namesOf(l), err)
				}
			}
			if _, err := cl.Size(ctx, "/"+shownOther); !errors.Is(err, fs.ErrNotExist) && name != "vsftpd" {
				t.Error(err)
			}
		})
	}
}
