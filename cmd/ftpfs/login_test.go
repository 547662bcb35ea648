package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/keyringtest"
)

// A password that the server takes is kept, used by a mount without asking, and forgotten.
func TestLoginAndLogout(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", "")
	t.Setenv("NETRC", os.DevNull)
	desktop := keyringtest.Start(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", desktop.Address)
	server := ftptest.Start(t, ftptest.Options{User: "ann"})
	url := "ftp://ann@" + server.Addr() + "/"
	passwords := map[string]string{}
	for _, password := range []string{"wrong", "secret"} {
		passwords[password] = filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(passwords[password], []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := program{mount: mountServer}
	if code, _, stderr := run(&p, "login", "--password-file", passwords["wrong"], url); code != exitLogin || !strings.Contains(stderr, "refused the login of ann") || len(desktop.Items()) != 0 {
		t.Errorf("%d %s", code, stderr)
	}
	if code, stdout, stderr := run(&p, "login", "--password-file", passwords["secret"], url); code != 0 || stderr != "" || stdout != "The keyring keeps the password of ann at "+server.Addr()+".\n" {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	dir := t.TempDir()
	t.Cleanup(func() { endMount(t, dir) })
	if code, stdout, stderr := run(&p, "--cache-dir", t.TempDir(), url, dir); code != 0 || stdout+stderr != "" {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	if got := shell(t, dir, "echo here > new; cat new"); got != "here\n" {
		t.Error(got)
	}

	var warned strings.Builder
	src := systemSources(&warned)
	src.prompt = func(string) (string, error) { return "", errNoTerminal }
	to, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	desktop.Lock(true)
	if _, _, err := src.credentials(to, &flags{}); err == nil || warned.String() != "ftpfs: The keyring does not tell the password: the keyring stays locked: nobody has unlocked it.\n" {
		t.Errorf("%v, %q", err, warned.String())
	}
	desktop.Lock(false)
	if user, password, err := src.credentials(to, &flags{}); user != "ann" || password != "secret" || err != nil || desktop.Prompts() != 2 {
		t.Errorf("%s %s %v, asked %d times", user, password, err, desktop.Prompts())
	}

	if code, stdout, stderr := run(&p, "logout", url); code != 0 || stderr != "" || !strings.Contains(stdout, "has forgotten") || len(desktop.Items()) != 0 {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run(&p, "logout", url); code != exitUsage || stderr != "ftpfs: The keyring has no password of ann at "+server.Addr()+".\n" {
		t.Errorf("%d %s", code, stderr)
	}
}

// Without a session bus nobody is asked and nothing is waited for.
func TestNoKeyring(t *testing.T) {
	var p program
	for args, want := range map[string]string{
		"login":               "ftpfs login needs one URL, as in: ftpfs login ftp://user@host/.",
		"login ftp://h/":      "There is no user whose password is to be kept: name one in the URL, as in ftp://user@host/, or with --user.",
		"login ftp://ann@h/":  "The password cannot be kept: there is no keyring on this session's bus. Without a desktop write it into a file for --credentials, or into ~/.netrc.",
		"logout ftp://h/":     "There is no user whose password is to be forgotten: name one in the URL, as in ftp://user@host/.",
		"logout ftp://ann@h/": "The password cannot be forgotten: there is no keyring on this session's bus.",
	} {
		if code, _, stderr := run(&p, strings.Fields(args)...); code != exitUsage || stderr != "ftpfs: "+want+"\n" {
			t.Errorf("%s: %d %s", args, code, stderr)
		}
	}
	src := sources{warn: io.Discard}
	if _, found := src.fromKeyring(target{Host: "h", Port: 21}, "ann"); found {
		t.Error("a password from nowhere")
	}
}
