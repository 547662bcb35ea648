package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// writeConfig makes a file of settings and the environment that names it.
func writeConfig(t *testing.T, text string, environ ...string) (name string, getenv func(string) string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name, func(key string) string {
		for _, e := range append(environ, configEnv+"="+name) {
			if value, ok := strings.CutPrefix(e, key+"="); ok {
				return value
			}
		}
		return ""
	}
}

const testConfig = `
# for all
dir-cache-ttl = "5m"
connections = 3
read_only = true

[profiles.work]
url = "ftpes://ann@example.org//srv"
connections = 4
umask = "027"
pin = ["sha256:0405060000000000000000000000000000000000000000000000000000000000", "sha256:0102030000000000000000000000000000000000000000000000000000000000"]

[profiles."the nas"]
url = "nas.lan:music"
`

// A flag comes before the environment, that before the profile, that before the rest.
func TestLayersOfSettings(t *testing.T) {
	_, getenv := writeConfig(t, testConfig, "FTPFS_UMASK=077", "FTPFS_TIMEOUT=7s", "FTPFS_CONNECTIONS=5", "FTPFS_PASSWORD=x")
	f, set, err := parseFlagSet("--connections", "6")
	if err != nil {
		t.Fatal(err)
	}
	at, err := f.resolve(set, "work:", getenv)
	if err != nil || at.String() != "ftpes://ann@example.org//srv" {
		t.Fatal(at, err)
	}
	if f.connections != 6 || f.umask != 0o077 || f.timeout != 7*time.Second || len(f.tls.pins) != 2 || f.dirCacheTTL != 5*time.Minute || !f.readOnly {
		t.Errorf("%+v", f)
	}
	// The daemon has the same.
	again, err := flagsOf(settings(set))
	if err != nil || again.connections != 6 || again.umask != 0o077 || len(again.tls.pins) != 2 || !again.readOnly {
		t.Errorf("%+v, %v", again, err)
	}

	_, getenv = writeConfig(t, testConfig)
	for address, want := range map[string]string{
		"work:":               "ftpes://ann@example.org//srv",
		"work:a b/c":          "ftpes://ann@example.org//srv/a%20b/c",
		"work:/c":             "ftpes://ann@example.org//srv/c",
		"the nas:":            "ftp://nas.lan/music",
		"the nas:cd 1":        "ftp://nas.lan/music/cd%201",
		"other:dir":           "ftp://other/dir",
		"work.example.org:":   "ftp://work.example.org/",
		"ftp://work/":         "ftp://work/",
		"ann@work:dir":        "ftp://ann@work/dir",
		"ftpfs#ftp://h/work:": "ftp://h/work:",
	} {
		f, set, err := parseFlagSet()
		if err != nil {
			t.Fatal(err)
		}
		at, err := f.resolve(set, address, getenv)
		if err != nil || at.String() != want || (f.connections == 4) != strings.HasPrefix(address, "work:") || !f.readOnly {
			t.Errorf("%s: %v, %v, %d connections", address, at, err, f.connections)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("#", mostText+1):                     "it is longer than 4 MiB",
		"dir-cache-ttl = 5\n":                               "dir-cache-ttl is wrong: write a time with its unit, as 30s or 5m",
		"dir_cache_tll = \"5m\"\n":                          `dir_cache_tll is wrong: there is no such flag. Did you mean "dir-cache-ttl"?`,
		"x = ":                                              "cannot be understood: toml: ",
		"mode = {a=1}\n":                                    "mode is wrong: write a string, a number, true or false",
		"[profiles.a]\n":                                    `profiles.a is wrong: it needs a line url = "ftp://…"`,
		"profiles = 3\n":                                    "profiles is wrong: write a table",
		"[profiles.\"a:b\"]\nurl = \"ftp://h/\"\n":          "has no :, /",
		"[profiles.a]\nurl = \"sftp://h/\"\n":               "profiles.a.url is wrong: The URL has to begin with",
		"[profiles.a]\nurl = \"ftp://ann:secret@h/\"\n":     "profiles.a.url is wrong: a password does not belong there",
		"[profiles.a]\nurl = \"h:\"\npassword=\"secret\"\n": "profiles.a.password is wrong: a password does not belong there",
	} {
		name, getenv := writeConfig(t, text)
		_, err := readConfig(configFile(getenv))
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v instead of %s", text, err, want)
		}
	}
	name, _ := writeConfig(t, "")
	if err := os.Chmod(name, 0o662); err != nil {
		t.Fatal(err)
	}
	_, err := readConfig(name)
	expect(t, "writable", err, exitUsage, "Others may write to the file of settings "+name+": run chmod go-w "+name+".")
	f, set, _ := parseFlagSet()
	_, getenv := writeConfig(t, "", "FTPFS_UMASK=9")
	_, err = f.resolve(set, "h:", getenv)
	expect(t, "variable", err, exitUsage, "The variable FTPFS_UMASK is wrong: write a umask in octal digits, as 022.")
}

func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"HOME": dir}
	getenv := func(key string) string { return env[key] }
	usual := filepath.Join(dir, ".config", "ftpfs", "config.toml")
	if got := usualConfigFile(getenv); got != usual && got != systemConfig {
		t.Error(got)
	}
	if err := os.MkdirAll(filepath.Dir(usual), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(usual, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := configFile(getenv); got != usual {
		t.Error(got)
	}
	env[configEnv] = "/named"
	if got := configFile(getenv); got != "/named" {
		t.Error(got)
	}
	if c, err := readConfig(""); err != nil || len(c.settings) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestConfigCommand(t *testing.T) {
	name, _ := writeConfig(t, testConfig)
	t.Setenv(configEnv, name)
	t.Setenv("FTPFS_PROXY", "http://ann:secret@h:3128")
	var p program
	code, out, stderr := run(&p, "config")
	for _, part := range []string{"The file of settings is " + name, "work:", "the nas:", "nas.lan:music", "5m", "file", "proxy", "http://ann:xxxxx@h:3128", "environment"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if code != 0 || stderr != "" || strings.Contains(out, "secret") || strings.Contains(out, "default\n") {
		t.Errorf("%d %s%s", code, stderr, out)
	}
	t.Setenv("FTPFS_PROXY", "ann:secret@h:3128")
	if code, out, _ := run(&p, "config"); code != 0 || strings.Contains(out, "secret") || !strings.Contains(out, "h:3128") {
		t.Errorf("%d %s", code, out)
	}
	code, out, stderr = run(&p, "config", "--all", "work")
	if code != 0 || stderr != "" || !strings.Contains(out, "umask") || !strings.Contains(out, "default\n") || !strings.Contains(out, "profile\n") {
		t.Errorf("%d %s%s", code, stderr, out)
	}
	if code, _, stderr = run(&p, "config", "wrok"); code != exitUsage || !strings.Contains(stderr, `There is no profile "wrok"`) || !strings.Contains(stderr, `Did you mean "work"?`) {
		t.Errorf("%d %s", code, stderr)
	}
}

// A profile is mounted by its name, with the credentials of a unit of systemd.
func TestMountProfile(t *testing.T) {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/sub/file", []byte("from the server"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "ftpfs"), []byte("username=user\npassword=secret\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	name, _ := writeConfig(t, "cache-dir = \""+t.TempDir()+"\"\n[profiles.work]\nread-only = true\nurl = \"ftp://"+server.Addr()+"/\"\n")
	t.Setenv(configEnv, name)
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	dir := mountPoint(t)
	p := program{mount: mountServer}
	if code, _, stderr := run(&p, "work:sub", dir); code != 0 {
		t.Fatal(stderr)
	}
	pid := daemonOf(t, dir)
	if got := shell(t, dir, "cat file; touch file 2>/dev/null || echo ' is read-only'"); got != "from the server is read-only\n" {
		t.Errorf("%q", got)
	}
	if code, _, stderr := run(&p, "umount", dir); code != 0 {
		t.Error(stderr)
	}
	waitProcess(t, pid)
}

func TestSystemdCredentials(t *testing.T) {
	dir := t.TempDir()
	src := sources{getenv: func(key string) string { return map[string]string{"CREDENTIALS_DIRECTORY": dir}[key] }}
	for _, tt := range []struct {
		text, user         string
		wantUser, wantWord string
		found              bool
	}{
		{"username=ann\npassword=p w\n", "", "ann", "p w", true},
		{"username=ann\npassword=pw\n", "ann", "ann", "pw", true},
		{"username=ann\npassword=pw\n", "eve", "ann", "pw", false},
		{"just a word\n", "ann", "ann", "just a word", true},
		{"just a word\n", "", "", "", false},
	} {
		if err := os.WriteFile(filepath.Join(dir, "ftpfs"), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		user, password, found, err := src.fromSystemd(tt.user)
		if err != nil || found != tt.found || found && (user != tt.wantUser || password != tt.wantWord) {
			t.Errorf("%q for %q: %q, %q, %v, %v", tt.text, tt.user, user, password, found, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(testConfig)
	f.Add("profiles = [1]\npin = [[1]]\n")
	name := filepath.Join(f.TempDir(), "config.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(name)
		if err != nil {
			return
		}
		// What was accepted can be set.
		for _, p := range c.profiles {
			var fl flags
			if _, err := c.settle(newFlagSet(&fl), p, func(string) string { return "" }); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

// Contents of one name are kept apart where it may mean several hosts.
func TestCacheName(t *testing.T) {
	to := target{Host: "nas", Port: 21, Dir: "d"}
	names := make(map[string]bool)
	for _, f := range []flags{{}, {proxy: "socks5://ann:secret@a"}, {proxy: "socks5://ann:secret@b"}, {virtualHost: "v"}} {
		name := cacheName(to, "ann", &f)
		if names[name] || strings.Contains(name, "secret") {
			t.Errorf("%q", name)
		}
		names[name] = true
	}
	if cacheName(to, "ann", &flags{proxy: "none"}) != cacheName(to, "ann", &flags{}) {
		t.Error("no proxy is one")
	}
}
