package ftpclient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
)

func TestRealFacts(t *testing.T) {
	ctx := context.Background()
	for _, name := range ftptest.RealNames {
		s, cl := real(t, name, ftptest.RealOptions{}, Config{})
		writeFile(t, s, "a; b", []byte("content"))
		facts, err := cl.Facts(ctx, "/a; b")
		if name == "vsftpd" {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %q, %v", name, facts, err)
			}
			continue
		}
		if err != nil || !strings.Contains(facts, "type=file;") || !strings.HasSuffix(facts, ";") || strings.Contains(facts, " ") {
			t.Errorf("%s: %q, %v", name, facts, err)
		}
		if facts, err := cl.Facts(ctx, "/missing"); err == nil {
			t.Errorf("%s: %q of nothing", name, facts)
		}
	}
}

// proftpd sends more facts than an entry has fields for. Without them the lines of a listing are
// half as long, from the first listing on.
func TestRealBrief(t *testing.T) {
	for _, brief := range []bool{false, true} {
		s, cl := real(t, "proftpd", ftptest.RealOptions{}, Config{Brief: brief})
		writeFile(t, s, "f", []byte("content"))
		line := int64(len("modify=20261123000000;size=7;type=file;unique=FFFFFFFFUFFFFFFFF;UNIX.mode=0644; f\r\n"))
		for range 2 {
			before := cl.Stats().BytesIn
			l, err := cl.List(t.Context(), "/")
			if err != nil || len(l.Entries) != 1 {
				t.Fatal(l, err)
			}
			e := l.Entries[0]
			if e.Size != 7 || !e.HasMode || e.Unique == "" || e.ModTime.IsZero() || (e.Owner == "") != brief || (e.Group == "") != brief {
				t.Errorf("brief %v: %+v", brief, e)
			}
			// The directory itself and the one above it have lines, too.
			if n := cl.Stats().BytesIn - before; (n <= 3*line) != brief {
				t.Errorf("brief %v: %d bytes", brief, n)
			}
			settled(t, cl)
		}
	}
}
