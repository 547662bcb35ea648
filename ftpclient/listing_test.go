package ftpclient

import (
	"context"
	"fmt"
	"testing"

	"ftpfs/internal/ftptest"
)

func TestParseListBy(t *testing.T) {
	for by := range ListBy(len(listByNames)) {
		if got, err := ParseListBy(by.String()); err != nil || got != by {
			t.Errorf("%v: %v, %v", by, got, err)
		}
	}
	if by, err := ParseListBy("nlst"); err == nil {
		t.Error(by)
	}
	if cl, err := New(Config{Addr: "localhost", ListBy: 99}); err == nil {
		cl.Close()
		t.Error("an unknown way to list was accepted")
	}
}

// served is one listing that a scripted server sends.
type served struct {
	verb, data, final string
}

// listen serves listings of /d by LIST, the first over a data connection of its own, the
// next over the spare ones.
func (p *peer) list(all ...served) {
	for _, s := range all {
		data := p.accept()
		p.expect("CWD /d", s.verb)
		p.send("250 there", "150 here it comes")
		data.Write([]byte(s.data))
		data.Close()
		p.expect("EPSV")
		p.send(s.final)
		p.passive()
	}
}

// -a is given up where the server refuses it or takes it for a name; where it is understood
// an empty directory costs one listing.
func TestListDashA(t *testing.T) {
	row, self := "-rw-r--r-- 1 u g 1 Jan 2 2003 f\r\n", "drwxr-xr-x 1 u g 1 Jan 2 2003 .\r\n"
	done := "226 done"
	for name, tt := range map[string]struct {
		first, second []served
		names         string
	}{
		"understood":          {[]served{{"LIST -a", row, done}}, []served{{"LIST -a", row, done}}, `["f"]`},
		"understood, empty":   {[]served{{"LIST -a", self, done}}, []served{{"LIST -a", self, done}}, `[]`},
		"refused":             {[]served{{"LIST -a", "", "550 -a: no such file"}, {"LIST", row, done}}, []served{{"LIST", row, done}}, `["f"]`},
		"refused as a name":   {[]served{{"LIST -a", "", "450 -a: no such file"}, {"LIST", row, done}}, []served{{"LIST", row, done}}, `["f"]`},
		"refused for once":    {[]served{{"LIST -a", "", "450 busy"}, {"LIST", row, done}}, []served{{"LIST -a", row, done}}, `["f"]`},
		"a name, silently":    {[]served{{"LIST -a", "", done}, {"LIST", row, done}}, []served{{"LIST", row, done}}, `["f"]`},
		"a name, with a line": {[]served{{"LIST -a", "ls: -a: No such file\r\n", done}, {"LIST", row, done}}, []served{{"LIST", row, done}}, `["f"]`},
		"not known yet":       {[]served{{"LIST -a", "", done}, {"LIST", "", done}}, []served{{"LIST -a", "", done}, {"LIST", "", done}}, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, func(p *peer) {
				p.login()
				p.list(append(tt.first, tt.second...)...)
				p.drain()
			})
			cl := s.client(Config{Mode: ModeEPSV, Connections: 1})
			for i := range 2 {
				l, err := cl.List(context.Background(), "/d")
				if got := namesOf(l); err != nil || got != tt.names {
					t.Errorf("listing %d: %s, %v, want %s", i, got, err, tt.names)
				}
			}
		})
	}
}

// Each way to list is used on every server, and shows the same, also what is hidden.
func TestRealListBy(t *testing.T) {
	for _, name := range ftptest.RealNames {
		for _, by := range []ListBy{ListMLSD, ListLIST} {
			t.Run(name+"/"+by.String(), func(t *testing.T) {
				t.Parallel()
				s, cl := real(t, name, ftptest.RealOptions{}, Config{ListBy: by, Mode: ModeEPSV})
				for _, f := range []string{"f", ".hidden", " leading", "trailing ", "a[1]", "*"} {
					writeFile(t, s, f, []byte(f))
				}
				ctx := context.Background()
				l, err := cl.List(ctx, "/")
				if name == "vsftpd" && by == ListMLSD {
					if !unknown(err) {
						t.Errorf("%d entries, %v", len(l.Entries), err)
					}
					return
				}
				if err != nil || len(l.Entries) != 6 || l.Unparsed > 0 {
					t.Fatalf("%s, %d unparsed, %v", namesOf(l), l.Unparsed, err)
				}
				if l, err := cl.List(ctx, "/missing"); err == nil {
					t.Errorf("a missing directory: %s", namesOf(l))
				}
				for _, e := range l.Entries {
					if got := fmt.Sprint(e.Size); got != fmt.Sprint(len(e.Name)) || e.Type != TypeFile {
						t.Errorf("%q: %s bytes, %v", e.Name, got, e.Type)
					}
				}
			})
		}
	}
}
