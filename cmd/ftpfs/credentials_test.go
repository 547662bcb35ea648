package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const testNetrc = `# machine host login commented password out
machine other.example login ann password other
machine HOST
  # the second account
  login bob
  password bobs
machine host login ann password a#nns account x
default login guest password guests
`

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	netrc := filepath.Join(dir, "netrc")
	passwords := filepath.Join(dir, "password")
	empty := filepath.Join(dir, "empty")
	writable, fifo := filepath.Join(dir, "writable"), filepath.Join(dir, "fifo")
	for name, text := range map[string]string{netrc: testNetrc, passwords: "from file \r\nsecond line\n", empty: "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(writable, []byte("w\n"), 0o600), os.Chmod(writable, 0o620), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	const prompted = "prompted"
	tests := []struct {
		title  string
		url    string
		flags  flags
		env    string // FTPFS_PASSWORD
		netrc  string
		user   string
		pass   string
		prompt string // label, "" not asked
		fail   string
	}{
		{title: "nothing", url: "ftp://host/"},
		{title: "URL", url: "ftp://ann:u@host/", flags: flags{user: "eve", passwordFile: passwords}, env: "e", netrc: netrc, user: "ann", pass: "u"},
		{title: "empty password in URL", url: "ftp://ann:@host/", env: "e", user: "ann"},
		{title: "user of URL before flag", url: "ftp://ann@host/", flags: flags{user: "eve"}, env: "e", user: "ann", pass: "e"},
		{title: "file", url: "ftp://host/", flags: flags{user: "ann", passwordFile: passwords}, env: "e", netrc: netrc, user: "ann", pass: "from file "},
		{title: "stdin", url: "ftp://ann@host/", flags: flags{passwordStdin: true}, env: "e", netrc: netrc, user: "ann", pass: "from stdin"},
		{title: "environment before netrc", url: "ftp://ann@host/", env: "e", netrc: netrc, user: "ann", pass: "e"},
		{title: "environment without user", url: "ftp://host/", env: "e"},
		{title: "netrc, first entry", url: "ftp://host/", netrc: netrc, user: "bob", pass: "bobs"},
		{title: "netrc, by user", url: "ftp://ann@host/", netrc: netrc, user: "ann", pass: "a#nns"},
		{title: "netrc, by flag", url: "ftp://host/", flags: flags{user: "ann"}, netrc: netrc, user: "ann", pass: "a#nns"},
		{title: "netrc, default", url: "ftp://third/", netrc: netrc, user: "guest", pass: "guests"},
		{title: "netrc, default of another user", url: "ftp://ann@third/", netrc: netrc, user: "ann", pass: prompted, prompt: "Password of ann at third: "},
		{title: "prompt", url: "ftp://ann@host:2121/", user: "ann", pass: prompted, prompt: "Password of ann at host:2121: "},
		{title: "anonymous by name", url: "ftp://anonymous@host/", user: "anonymous", pass: "anonymous@"},
		{title: "no such file", url: "ftp://ann@host/", flags: flags{passwordFile: missing},
			fail: "The password file cannot be read: open " + missing + ": no such file or directory."},
		{title: "empty file", url: "ftp://ann@host/", flags: flags{passwordFile: empty},
			fail: "The password file " + empty + " cannot be read: its first line is empty."},
		{title: "pipe for a file", url: "ftp://ann@host/", flags: flags{passwordFile: fifo},
			fail: "The password file " + fifo + " is not a regular file: name one, or use --password-stdin for a pipe."},
		{title: "device for a file", url: "ftp://ann@host/", flags: flags{passwordFile: "/dev/zero"},
			fail: "The password file /dev/zero is not a regular file: name one, or use --password-stdin for a pipe."},
		{title: "file of others", url: "ftp://ann@host/", flags: flags{passwordFile: writable},
			fail: "Others may write to the password file " + writable + ": run chmod 600 " + writable + "."},
		{title: "password without user", url: "ftp://host/", flags: flags{passwordFile: passwords},
			fail: "A password is given but no user: name one in the URL, as in ftp://user@host/dir, or with --user."},
		{title: "no terminal", url: "ftp://ann@noterm/", prompt: "Password of ann at noterm: ",
			fail: "There is no password for ann at noterm: give it by --password-file, --password-stdin, FTPFS_PASSWORD or ~/.netrc."},
		{title: "netrc unreadable", url: "ftp://ann@host/", netrc: dir,
			fail: "The file of passwords cannot be read: read " + dir + ": is a directory."},
	}
	for _, tt := range tests {
		asked := ""
		src := sources{
			stdin: strings.NewReader("from stdin\n"),
			getenv: func(name string) string {
				return map[string]string{"FTPFS_PASSWORD": tt.env, "NETRC": tt.netrc, "HOME": missing}[name]
			},
			prompt: func(label string) (string, error) {
				asked = label
				if strings.Contains(label, "noterm") {
					return "", errNoTerminal
				}
				return prompted, nil
			},
		}
		target, err := parseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		user, pass, err := src.credentials(target, &tt.flags)
		if tt.fail != "" {
			if err == nil || err.Error() != tt.fail || exitCode(err) != exitUsage {
				t.Errorf("%s\ngot  %v\nwant %s", tt.title, err, tt.fail)
			}
		} else if err != nil || user != tt.user || pass != tt.pass {
			t.Errorf("%s: %q %q %v, want %q %q", tt.title, user, pass, err, tt.user, tt.pass)
		}
		if asked != tt.prompt {
			t.Errorf("%s: asked %q, want %q", tt.title, asked, tt.prompt)
		}
	}
}

// The second server of a copy does not get what is for the first. Who lacks its password is told
// how that is given.
func TestCredentialsOfTheTarget(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ftpfs"), []byte("of the first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	passwords := filepath.Join(dir, "passwords")
	if err := os.WriteFile(passwords, []byte("of the second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := target{Host: "h", Port: 21, User: "bob"}
	forFirst := flags{user: "ann", credentials: filepath.Join(dir, "missing"), passwordFile: filepath.Join(dir, "missing"), passwordStdin: true}
	env := map[string]string{"CREDENTIALS_DIRECTORY": dir, "FTPFS_PASSWORD": "of the first"}
	src := sources{
		getenv: func(name string) string { return env[name] },
		prompt: func(string) (string, error) { return "", errNoTerminal },
	}
	f, sources := forTarget(&forFirst, copyOptions{}, src)
	user, password, err := sources.credentials(second, f)
	if want := "There is no password for bob at h: give it by --target-password-file, FTPFS_TARGET_PASSWORD or ~/.netrc."; err == nil || err.Error() != want {
		t.Errorf("%s %s, %v, want %s", user, password, err, want)
	}
	f, sources = forTarget(&forFirst, copyOptions{targetPasswordFile: passwords}, src)
	if user, password, err := sources.credentials(second, f); user != "bob" || password != "of the second" || err != nil {
		t.Errorf("%s %s, %v", user, password, err)
	}
	env["FTPFS_TARGET_PASSWORD"] = "of the variable"
	f, sources = forTarget(&forFirst, copyOptions{}, src)
	if user, password, err := sources.credentials(second, f); user != "bob" || password != "of the variable" || err != nil {
		t.Errorf("%s %s, %v", user, password, err)
	}
}

func TestNetrcNeverPanics(t *testing.T) {
	name := filepath.Join(t.TempDir(), "netrc")
	for _, text := range []string{"", "machine", "machine ", "machine host login", "machine host login machine", "default", "default login", "#", "machine host login a password machine"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		src := sources{getenv: func(v string) string {
			if v == "NETRC" {
				return name
			}
			return ""
		}}
		if _, _, _, err := src.fromNetrc("host", ""); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadablePasswordFileIsWarnedOf(t *testing.T) {
	name := filepath.Join(t.TempDir(), "password\x1b")
	var warned bytes.Buffer
	src := sources{warn: &warned}
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o640: "ftpfs: Others may read the password file PLACE: run chmod 600 PLACE.\n",
		0o604: "ftpfs: Others may read the password file PLACE: run chmod 600 PLACE.\n",
	} {
		warned.Reset()
		if err := errors.Join(os.WriteFile(name, []byte("secret\n"), 0o600), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		password, err := src.readPasswordFile(name)
		if want = strings.ReplaceAll(want, "PLACE", printable(name)); password != "secret" || err != nil || warned.String() != want {
			t.Errorf("%v: %q, %v, warned %q", mode, password, err, warned.String())
		}
	}
}

func TestHomeDir(t *testing.T) {
	none := func(string) string { return "" }
	given := func(string) string { return "/home/ann" }
	if home := homeDir(given); home != "/home/ann" {
		t.Error(home)
	}
	if home := homeDir(none); !filepath.IsAbs(home) {
		t.Errorf("the user database says %q", home)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if dir, want := defaultCacheDir(), filepath.Join(homeDir(none), ".cache/ftpfs"); dir != want {
		t.Errorf("cache in %s, want %s", dir, want)
	}
}
