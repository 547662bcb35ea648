package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
)

// digests makes a proftpd that computes checksums.
var digests = ftptest.RealOptions{Directives: []string{"LoadModule mod_digest.c"}}

func TestRealChecksum(t *testing.T) {
	ctx := context.Background()
	s, cl := real(t, "proftpd", digests, Config{})
	connect(t, cl)
	all := []Algorithm{SHA256, SHA512, SHA1, MD5, CRC32}
	if got := cl.Checksums(); !slices.Equal(got, all) {
		t.Errorf("%v", got)
	}
	data := random(100_000)
	names := []string{"f", "a b", " lead", "trail ", `qu"ote`, `qu"ote and blank`, "f 1 3", "100%", "\xff\xfe", "ü"}
	for _, name := range names {
		writeFile(t, s, name, data)
	}
	for _, name := range names {
		for _, a := range all {
			sum := a.New()
			sum.Write(data)
			if got, err := cl.Checksum(ctx, "/"+name, -1, a); err != nil || !bytes.Equal(got, sum.Sum(nil)) {
				t.Errorf("%s of %q: %x, %v", a, name, got, err)
			}
		}
	}
	if _, err := cl.Checksum(ctx, "/missing", -1, SHA256); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestChecksum(t *testing.T) {
	ctx := context.Background()
	e := ftptest.Start(t, ftptest.Options{Checksums: true})
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret"})
	data := random(1000)
	for _, name := range []string{"/f", "/a b"} {
		put(t, e, name, data)
		for _, known := range algorithms {
			sum := known.make()
			sum.Write(data)
			if got, err := cl.Checksum(ctx, name, 1000, known.name); err != nil || !bytes.Equal(got, sum.Sum(nil)) {
				t.Errorf("%s of %s: %x, %v", known.name, name, got, err)
			}
		}
	}
	put(t, e, `/a" b`, data)
	if _, err := cl.Checksum(ctx, `/a" b`, 1000, MD5); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	_, plain := embedded(t, Config{})
	if _, err := plain.Checksum(ctx, "/f", 1000, MD5); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestParseChecksum(t *testing.T) {
	for _, tt := range []struct {
		lines  string
		a      Algorithm
		isHash bool
		path   string
		want   string
	}{
		{"Computing CRC32 digest\nCRC32 0-5 3610a686 /f", CRC32, true, "/f", "3610a686"},
		{"CRC32 0-5 3610A686 f", CRC32, true, "/d/f", "3610a686"},
		{"CRC32 0-5 3610a686 /a b", CRC32, true, "/a b", "3610a686"},
		{"CRC32 0-5 3610a686 /a", CRC32, true, "/a b", ""},
		{"MD5 0-5 3610a686 /f", CRC32, true, "/f", ""},
		{"CRC32 1-5 3610a686 /f", CRC32, true, "/f", ""},
		{"CRC32 0-5 3610a6 /f", MD5, true, "/f", ""},
		{"3610a686", CRC32, true, "/f", ""},
		{"Computing CRC32 digest\n3610A686", CRC32, false, "/f", "3610a686"},
		{"XCRC 12D20A ", CRC32, false, "/f", "0012d20a"},
		{"3610a686", MD5, false, "/f", ""},
		{"none", CRC32, false, "/f", ""},
		{"", CRC32, false, "/f", ""},
	} {
		got := parseChecksum(reply{code: 250, lines: strings.Split(tt.lines, "\n")}, tt.a, tt.isHash, tt.path)
		if fmt.Sprintf("%x", got) != tt.want {
			t.Errorf("%q: %x", tt.lines, got)
		}
	}
}

func FuzzParseChecksum(f *testing.F) {
	f.Add("Computing\nSHA-256 0-5 00 /f", true, "/f")
	f.Add("3610A686", false, "/f")
	f.Fuzz(func(t *testing.T, lines string, isHash bool, path string) {
		for _, known := range algorithms {
			got := parseChecksum(reply{code: 250, lines: strings.Split(lines, "\n")}, known.name, isHash, path)
			if got != nil && len(got) != known.make().Size() {
				t.Errorf("%x", got)
			}
		}
	})
}
