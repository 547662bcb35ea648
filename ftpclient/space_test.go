package ftpclient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
)

func TestRealSpace(t *testing.T) {
	ctx := context.Background()
	for _, name := range ftptest.RealNames {
		_, cl := real(t, name, ftptest.RealOptions{}, Config{})
		for range 2 {
			if s, err := cl.Space(ctx, "/"); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
		if cl.CanTellSpace() != No {
			t.Errorf("%s: %v", name, cl.CanTellSpace())
		}
	}
	_, cl := real(t, "proftpd", ftptest.RealOptions{Quota: 10_000_000}, Config{})
	connect(t, cl)
	if cl.CanTellSpace() != Unknown {
		t.Error(cl.CanTellSpace())
	}
	for _, free := range []int64{10_000_000, 9_900_000} {
		if s, err := cl.Space(ctx, "/"); err != nil || s != (Space{Free: free, Total: 10_000_000}) {
			t.Errorf("%+v, %v", s, err)
		}
		w := store(t, cl, "/f")
		if _, err := w.Write(make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if cl.CanTellSpace() != Yes {
		t.Error(cl.CanTellSpace())
	}
}

// withFeatures makes a server tell of just these.
func withFeatures(e *ftptest.Embedded, features ...string) {
	e.Refuse("FEAT", "211-Features\n "+strings.Join(features, "\n ")+"\n211 End", ftptest.Always)
}

func TestAVBL(t *testing.T) {
	ctx := context.Background()
	e, cl := embedded(t, Config{})
	withFeatures(e, "AVBL", "MLST type*;size*;modify*;")
	connect(t, cl)
	if cl.CanTellSpace() != Yes {
		t.Error(cl.CanTellSpace())
	}
	e.Refuse("AVBL", "213 12345", 1)
	if s, err := cl.Space(ctx, "/a b"); err != nil || s != (Space{Free: 12345, Total: -1}) {
		t.Errorf("%+v, %v", s, err)
	}
	commands := e.Log().Commands()
	if last := commands[len(commands)-1]; last != "AVBL /a b" {
		t.Error(last)
	}
	for _, reply := range []string{"213 much", "213 -1", "550 No.", "202 12345", "213 99999999999999999999"} {
		e.Refuse("AVBL", reply, 1)
		if s, err := cl.Space(ctx, "/"); err == nil {
			t.Errorf("%s: %+v", reply, s)
		}
	}
}

func TestParseQuota(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  Space
		ok    bool
	}{
		{"Uploaded bytes:\t100.00/1000.00\nTransferred bytes:\tunlimited", Space{900, 1000}, true},
		{"  Uploaded Kb:\t\t0.50/1.00", Space{512, 1024}, true},
		{"Uploaded Mb: 2.00/1.00", Space{0, 1 << 20}, true},
		{"Uploaded bytes: 0.00/1000.00\nTransferred bytes: 450.00/500.00", Space{50, 500}, true},
		{"Uploaded bytes: unlimited\nUploaded files: 1/2\nDownloaded bytes: 1.00/2.00", Space{}, false},
		{"Uploaded bytes: NaN/Inf\nUploaded Gb: 1/1e300\nUploaded bytes: -5/-1\nUploaded", Space{}, false},
		{"", Space{}, false},
	} {
		if got, ok := parseQuota(reply{code: 200, lines: strings.Split(tt.lines, "\n")}); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %+v, %t", tt.lines, got, ok)
		}
	}
}

func FuzzParseQuota(f *testing.F) {
	f.Add("Uploaded bytes:\t100.00/1000.00\nTransferred Gb:\t0.1/1.00")
	f.Fuzz(func(t *testing.T, lines string) {
		s, ok := parseQuota(reply{code: 200, lines: strings.Split(lines, "\n")})
		if s.Free < 0 || s.Total < s.Free || !ok && s != (Space{}) {
			t.Errorf("%+v, %t", s, ok)
		}
	})
}
