package ftpclient

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestParseEPSV(t *testing.T) {
	for text, want := range map[string]uint16{
		"Entering Extended Passive Mode (|||6446|)":  6446,
		"Entering Extended Passive Mode (|||6446|).": 6446,
		"ok (!!!65535!)":                             65535,
		"ok (|1|10.0.0.1|21|)":                       21,
		"Entering Extended Passive Mode (|||0|)":     0,
		"Entering Extended Passive Mode (|||65536|)": 0,
		"Entering Extended Passive Mode (|||-1|)":    0,
		"Entering Extended Passive Mode |||6446|":    6446,
		"Extended Passive Mode OK (||| 6446 |)":      6446,
		"Extended Passive Mode OK ( |||6446| )":      6446,
		"ok (|2|::1|6446|)":                          6446,
		"Entering Passive Mode (10,0,0,1,4,1)":       0,
		"Entering Extended Passive Mode (|||+6446|)": 0,
		"Entering Extended Passive Mode (||6446|)":   0,
		"Entering Extended Passive Mode (|||6446)":   0,
		"":   0,
		"()": 0,
	} {
		if port := parseEPSV(text); port != want {
			t.Errorf("%q: %d, want %d", text, port, want)
		}
	}
}

func TestParsePASV(t *testing.T) {
	for text, want := range map[string]string{
		"Entering Passive Mode (127,0,0,1,4,1).":    "127.0.0.1:1025",
		"Entering Passive Mode 127,0,0,1,4,1":       "127.0.0.1:1025",
		"Entering Passive Mode. 10,0,0,255,255,255": "10.0.0.255:65535",
		"=127,0,0,1,0,21":                           "127.0.0.1:21",
		"Passive Mode (127, 0, 0, 1, 4, 1)":         "127.0.0.1:1025",
		"Passive Mode ( 127 ,0 ,0 ,1 ,4 ,1 )":       "127.0.0.1:1025",
		"2 modes, passive: 127,0,0,1,4,1,":          "127.0.0.1:1025",
		"Entering Passive Mode (0,0,0,0,4,1)":       "0.0.0.0:1025",
		"Entering Passive Mode (127,0,0,1,0,0)":     "",
		"Entering Passive Mode (1,165,133)":         "",
		"Entering Passive Mode (256,0,0,1,4,1)":     "",
		"Entering Passive Mode (127,0,0,1,4)":       "",
		"Entering Passive Mode (127,0,0,1,4,1,1)":   "",
		"Entering Passive Mode (::1,4,1)":           "",
		"":                                          "",
	} {
		host, port := parsePASV(text)
		if (port != 0) != (want != "") || port != 0 && netip.AddrPortFrom(host, port).String() != want {
			t.Errorf("%q: %v %d, want %s", text, host, port, want)
		}
	}
}

func FuzzParsePassive(f *testing.F) {
	f.Add("Entering Extended Passive Mode (|||6446|)")
	f.Add("Entering Passive Mode (127,0,0,1,4,1).")
	f.Fuzz(func(t *testing.T, text string) {
		if port := parseEPSV(text); port != 0 && !strings.Contains(strings.ReplaceAll(text, " ", ""), strconv.Itoa(int(port))) {
			t.Errorf("port %d of nothing", port)
		}
		if host, port := parsePASV(text); port != 0 && !host.Is4() {
			t.Error(host)
		}
	})
}

func TestParsePWD(t *testing.T) {
	for text, want := range map[string]string{
		`"/" is the current directory`:      "/",
		`"/a b"`:                            "/a b",
		`"/a""b" is current`:                `/a"b`,
		`"/a"b" is your current location`:   `/a"b`, // pure-ftpd
		`"/a"" b" is your current location`: `/a" b`,
		`"C:\a"`:                            "",
		`/a`:                                "",
		`"/a`:                               "",
		``:                                  "",
	} {
		if got, ok := parsePWD(reply{code: 257, lines: []string{text}}); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v, want %q", text, got, ok, want)
		}
	}
	if _, ok := parsePWD(reply{code: 250, lines: []string{`"/"`}}); ok {
		t.Error("250 taken for 257")
	}
}

func FuzzParsePWD(f *testing.F) {
	f.Add(`"/a""b" is current`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := parsePWD(reply{code: 257, lines: []string{text}}); ok && !strings.HasPrefix(p, "/") {
			t.Errorf("%q", p)
		}
	})
}

func featReply(lines ...string) reply {
	return reply{code: 211, lines: append(append([]string{"Features:"}, lines...), "End")}
}

func TestParseFeatures(t *testing.T) {
	f := parseFeatures(featReply(" MDTM", " mlst type*;Size*;modify*;", "211-REST STREAM", " SITE CHMOD", " SITE UTIME", ""))
	for name, params := range map[string]string{
		"MDTM": "", "MLST": "type*;Size*;modify*;", "REST": "STREAM", "SITE CHMOD": "CHMOD", "SITE UTIME": "UTIME",
	} {
		if got, ok := f[name]; !ok || got != params {
			t.Errorf("%s: %q %v, want %q", name, got, ok, params)
		}
	}
	if len(f) != 5 {
		t.Errorf("%q", f)
	}
	if f := parseFeatures(reply{code: 500, lines: []string{"No"}}); len(f) != 0 {
		t.Errorf("refused: %q", f)
	}
}

func TestSelectFacts(t *testing.T) {
	const proftpd = "modify*;perm*;size*;type*;unique*;UNIX.group*;UNIX.groupname*;UNIX.mode*;UNIX.owner*;UNIX.ownername*;"
	for _, test := range []struct {
		mlst    string
		brief   bool
		want    string
		lacking bool
	}{
		{"type*;size*;modify*;", false, "", false},
		{"type*;perm;size*;modify*;", false, "", false},
		{"type*;size*;modify*;UNIX.mode;media-type;", false, "type;size;modify;UNIX.mode;", true},
		{"type*;perm*;size*;modify*;unique*;unix.mode;", false, "type;size;modify;unique;unix.mode;", true},
		{"type*;perm*;size*;modify*;", false, "", false},
		{"type*;perm*;size*;modify*;", true, "type;size;modify;", false},
		{proftpd, false, "", false},
		{strings.Replace(proftpd, "unique*", "unique", 1), false, "type;size;modify;unique;UNIX.mode;UNIX.ownername;UNIX.groupname;", true},
		{proftpd, true, "type;size;modify;unique;UNIX.mode;", false},
		{"type*;unix.uid;", false, "type;unix.uid;", true},
		{"type*;unix.uid;", true, "", false},
		{"", false, "", false},
	} {
		got, lacking := (features{"MLST": test.mlst}).selectFacts(test.brief)
		if got != test.want || lacking != test.lacking {
			t.Errorf("%s, brief %v: %q, lacking %v", test.mlst, test.brief, got, lacking)
		}
	}
}

func FuzzParseFeatures(f *testing.F) {
	f.Add(" MLST type*;size*;\n SITE CHMOD\n MDTM")
	f.Fuzz(func(t *testing.T, body string) {
		fs := parseFeatures(featReply(strings.Split(body, "\n")...))
		fs.list()
		isProFTPD("", fs)
		if facts, _ := fs.selectFacts(true); strings.ContainsAny(facts, "\r\n") {
			t.Error("line break in the facts")
		}
	})
}
