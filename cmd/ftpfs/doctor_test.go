package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// examine runs ftpfs doctor --json.
func examine(t *testing.T, password, url string, args ...string) (f findings, code int, stderr string) {
	t.Helper()
	t.Setenv("FTPFS_PASSWORD", password)
	var p program
	code, stdout, stderr := run(&p, append([]string{"doctor", "--json", url}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, password) {
		t.Errorf("the password is shown:\n%s%s", stdout, stderr)
	}
	if f.Works != (code == 0) || f.Works != (f.Command != "") || f.Works != (f.Problem == "") {
		t.Errorf("exit code %d, %+v", code, f)
	}
	return f, code, stderr
}

// results lists how the modes of the first path fare.
func results(f findings) string {
	var all []string
	for _, m := range f.Paths[0].Modes {
		all = append(all, m.Mode+" "+string(m.Result))
	}
	return strings.Join(all, ", ")
}

func TestDoctorOfAHealthyServer(t *testing.T) {
	files := afero.NewMemMapFs()
	for _, name := range []string{"/a", "/ü"} {
		if err := afero.WriteFile(files, name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	url := "ftp://user@" + server.Addr() + "/"
	f, _, _ := examine(t, "secret", url, "--active-ports", "50000-50100", "--user", "x")
	if got, want := results(f), "epsv works, pasv works, eprt works, port works"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if want := "ftpfs --active-ports 50000-50100 --user x " + url + " MOUNTPOINT"; f.Command != want {
		t.Errorf("%s, want %s", f.Command, want)
	}
	for _, m := range f.Paths[0].Modes {
		if m.Entries != 2 || m.Control.To != server.Addr() || m.Data == nil {
			t.Errorf("%+v", m)
		}
		if m.Mode == "eprt" || m.Mode == "port" {
			var port int
			if _, err := fmt.Sscanf(m.Data.To, "127.0.0.1:%d", &port); err != nil || port < 50000 || port > 50100 {
				t.Errorf("%+v", m.Data)
			}
		}
	}
	if s := f.Server; s.Directory != "/" || !strings.HasPrefix(s.Names, "UTF-8") || !strings.HasPrefix(s.Listings, "by MLSD") || len(s.Features) == 0 {
		t.Errorf("%+v", s)
	}
	for _, line := range server.Log().Commands() {
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "STOR", "MKD", "DELE", "RNFR", "APPE", "SITE":
			t.Errorf("the doctor has sent %s", line)
		}
	}
}

func TestDoctorOverIPv6(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{IPv6: true})
	f, _, _ := examine(t, "secret", "ftp://user@"+server.Addr()+"/")
	if got, want := results(f), "epsv works, eprt works"; got != want || f.Paths[0].Name != "IPv6" || len(f.Paths) != 1 {
		t.Errorf("%s, want %s: %+v", got, want, f)
	}
}

// Where one version of IP gets no further than the login, the command says so.
func TestDoctorRecommends(t *testing.T) {
	server, _ := parseURL("ftp://ann@host/a b")
	mode := func(m string, r result) modeFinding { return modeFinding{Mode: m, Result: r} }
	for _, tt := range []struct {
		four, six pathFinding
		want      string
	}{
		{pathFinding{Modes: []modeFinding{mode("epsv", works)}}, pathFinding{Modes: []modeFinding{mode("epsv", works)}}, "ftpfs ftp://ann@host/a%20b MOUNTPOINT"},
		{pathFinding{Modes: []modeFinding{mode("epsv", works)}}, pathFinding{Modes: []modeFinding{mode("epsv", blocked)}}, "ftpfs --ipv4 ftp://ann@host/a%20b MOUNTPOINT"},
		{pathFinding{Modes: []modeFinding{mode("epsv", works)}}, pathFinding{err: errNoAddress}, "ftpfs ftp://ann@host/a%20b MOUNTPOINT"},
		{pathFinding{Modes: []modeFinding{mode("epsv", blocked), mode("pasv", works)}}, pathFinding{Modes: []modeFinding{mode("epsv", works)}}, "ftpfs --ipv6 ftp://ann@host/a%20b MOUNTPOINT"},
		{pathFinding{Modes: []modeFinding{mode("epsv", blocked), {Mode: "pasv", Result: works, Flags: []string{"--pasv-address", "reply"}}}}, pathFinding{err: errNoAddress},
			"ftpfs --mode pasv --pasv-address reply ftp://ann@host/a%20b MOUNTPOINT"},
	} {
		tt.four.Name, tt.six.Name = "IPv4", "IPv6"
		e := examination{flags: &flags{}, target: server, given: new(pflag.FlagSet), findings: findings{Paths: []pathFinding{tt.four, tt.six}}}
		if err := e.conclude(t.Context()); err != nil || e.findings.Command != tt.want {
			t.Errorf("%s, want %s: %v", e.findings.Command, tt.want, err)
		}
	}
}

func TestDoctorUnderTLS(t *testing.T) {
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{TLS: true})
	for _, args := range [][]string{{"ftpes://user@" + server.Addr + "/"}, {"ftp://user@" + server.Addr + "/", "--tls=explicit"}} {
		f, code, stderr := examine(t, "secret", args[0], append(args[1:], "--insecure")...)
		if got, want := results(f), "epsv works, pasv works, eprt works, port works"; got != want {
			t.Fatalf("%d %s %s, want %s", code, stderr, got, want)
		}
		if s := f.Server; !strings.HasPrefix(s.TLS, "TLS 1.3, ") || s.Sessions != "data connections resume the session of their control connection" {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(f.Command, " --insecure ftpes://user@") {
			t.Error(f.Command)
		}
		if f, _, stderr := examine(t, "secret", args[0], args[1:]...); f.Works || !strings.Contains(stderr, "--pin sha256:") {
			t.Errorf("%+v %s", f, stderr)
		}
	}
	t.Setenv("FTPFS_PASSWORD", "secret")
	var p program
	if _, stdout, _ := run(&p, "doctor", "ftp://user@"+server.Addr+"/"); !strings.Contains(stdout, "\n  encryption   none, though the server offers it: write ftpes:// in place of ftp://\n") {
		t.Error(stdout)
	}
}

func TestDoctorPrints(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", "secret")
	server := ftptest.Start(t, ftptest.Options{})
	server.Limit(3, ftptest.AtGreeting)
	var p program
	code, stdout, stderr := run(&p, "doctor", "--limit", "ftp://user@"+server.Addr()+"/")
	if code != 0 || stderr != "" {
		t.Fatal(code, stderr)
	}
	for _, part := range []string{"IPv4    127.0.0.1:", "\n  EPSV  works    0 entries in ", "\n  PORT  works ", "round trip", "  connections  3; then ",
		"Passive mode: you connect", "── control ──▶  " + server.Addr() + " server", "◀───── data ──  127.0.0.1\n",
		"Mount it by\n  ftpfs ftp://user@" + server.Addr() + "/ MOUNTPOINT\n"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("lacks %q:\n%s", part, stdout)
		}
	}
}

func TestDoctorOfAServerThatRefuses(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Unknown: []string{"EPSV", "EPRT"}}})
	server.Lie(netip.MustParseAddrPort("10.9.8.7:0"))
	f, _, _ := examine(t, "secret", "ftp://user@"+server.Addr()+"/")
	if got, want := results(f), "epsv refused, pasv works, eprt refused, port works"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if m := f.Paths[0].Modes[0]; m.Detail != "500 Unknown command" {
		t.Errorf("%+v", m)
	}
	if m := f.Paths[0].Modes[1]; m.Told != "10.9.8.7" || m.Detail != "the server tells its address as 10.9.8.7, which is ignored" {
		t.Errorf("%+v", m)
	}
	if want := "ftpfs --mode pasv ftp://user@" + server.Addr() + "/ MOUNTPOINT"; f.Command != want {
		t.Errorf("%s, want %s", f.Command, want)
	}
}

func TestDoctorExitCodes(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if f, code, stderr := examine(t, "wrongone", "ftp://user@"+server.Addr()+"/"); code != exitLogin || !strings.Contains(stderr, "refused the login of user") {
		t.Errorf("%d %s %+v", code, stderr, f)
	}
	if f, code, stderr := examine(t, "secret", "ftp://user@"+server.Addr()+"/nodir"); code != exitRemoteDir || !strings.Contains(stderr, "The directory /nodir on") {
		t.Errorf("%d %s %+v", code, stderr, f)
	}
	if f, code, stderr := examine(t, "secret", "ftp://user@"+closed.Addr().String()+"/"); code != exitServer || !strings.Contains(stderr, "accepts no connection on port") {
		t.Errorf("%d %s %+v", code, stderr, f)
	}
	if f, code, stderr := examine(t, "secret", "ftp://user@"+server.Addr()+"/", "--ipv6"); code != exitServer || !strings.Contains(stderr, "no address of the version of IP") {
		t.Errorf("%d %s %+v", code, stderr, f)
	}
	proxy := "socks5://ann:hidden@" + closed.Addr().String()
	if f, code, stderr := examine(t, "secret", "ftp://user@"+server.Addr()+"/", "--proxy", proxy); code != exitServer ||
		!strings.Contains(stderr, "The proxy socks5://"+closed.Addr().String()+" cannot be reached") || strings.Contains(fmt.Sprint(stderr, f), "hidden") {
		t.Errorf("%d %s %+v", code, stderr, f)
	}
	var p program
	if code, _, stderr := run(&p, "doctor"); code != exitUsage || stderr != "ftpfs: ftpfs doctor needs one URL, as in: ftpfs doctor ftp://user@host/dir.\n" {
		t.Errorf("%d %s", code, stderr)
	}
}

// A data connection that is accepted by something on the way, and silent.
func TestDoctorOfSilentData(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := afero.WriteFile(server.Fs(), "/f", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		defer server.StallData("MLSD", 0).Release()
	}
	f, code, stderr := examine(t, "secret", "ftp://user@"+server.Addr()+"/", "--timeout", "300ms")
	if got, want := results(f), "epsv blocked, pasv blocked, eprt blocked, port blocked"; got != want || code != exitServer {
		t.Errorf("%d %s, want %s", code, got, want)
	}
	for _, m := range f.Paths[0].Modes {
		if !strings.HasPrefix(m.Detail, "connected but silent") {
			t.Errorf("%+v", m)
		}
	}
	if !strings.Contains(stderr, "lets you in, but no data connection works. Ask who runs the server to open its passive ports.") {
		t.Error(stderr)
	}
}

// The time for everything is bounded, whatever the server does.
func TestDoctorIsBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begin := time.Now()
	_, code, _ := examine(t, "secret", "ftp://user@"+l.Addr().String()+"/", "--max-time", "200ms", "--timeout", "10m")
	if took := time.Since(begin); code != exitServer || took > time.Minute {
		t.Errorf("%d after %v", code, took)
	}
}

func TestQuotedForShells(t *testing.T) {
	for word, want := range map[string]string{
		"":                     "''",
		"ftp://u@[::1]:2/a%20": "ftp://u@[::1]:2/a%20",
		"a b":                  "'a b'",
		"it's":                 `'it'\''s'`,
		"$x":                   "'$x'",
		"ü":                    "'ü'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestNamesOfAServer(t *testing.T) {
	listing := func(names ...string) (l ftpclient.Listing) {
		for _, name := range names {
			l.Entries = append(l.Entries, ftpclient.Entry{Name: name})
		}
		return l
	}
	for _, tt := range []struct {
		features []string
		listing  ftpclient.Listing
		want     string
	}{
		{[]string{"SIZE", "UTF8"}, listing("a"), "UTF-8, as the server says"},
		{[]string{"UTF8"}, listing("a", "\xe4"), `not UTF-8, as in "\xe4": see --charset`},
		{nil, listing("ä"), "UTF-8, as they look"},
		{nil, listing("a"), "plain ASCII in this directory; the server does not say what others are"},
	} {
		if got := names(tt.features, tt.listing); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
