package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// secured reads a command line with a URL up to what it says about encryption.
func secured(t *testing.T, address string, args ...string) (target, *flags, error) {
	t.Helper()
	var f flags
	cmd := &cobra.Command{}
	f.register(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	to, err := parseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	err = f.tls.secure(&to, cmd.Flags())
	return to, &f, err
}

func TestTLSOfURLAndFlags(t *testing.T) {
	for _, tt := range []struct {
		address, args string
		want          string // the URL that means the same
		mode          ftpclient.TLSMode
	}{
		{"ftp://h/", "", "ftp://h/", ftpclient.TLSOff},
		{"ftp://h/", "--tls=try", "ftp://h/", ftpclient.TLSTry},
		{"ftp://h/", "--tls=explicit", "ftpes://h/", ftpclient.TLSExplicit},
		{"ftp://h/", "--tls=implicit", "ftps://h/", ftpclient.TLSImplicit},
		{"ftp://h:2121/", "--tls=implicit", "ftps://h:2121/", ftpclient.TLSImplicit},
		{"ftpes://h/", "", "ftpes://h/", ftpclient.TLSExplicit},
		{"ftps://h/", "--tls=implicit --insecure", "ftps://h/", ftpclient.TLSImplicit},
	} {
		got, f, err := secured(t, tt.address, strings.Fields(tt.args)...)
		if err != nil || got.String() != tt.want || got.TLS != tt.mode {
			t.Errorf("%s %s: %s, %v, %v", tt.args, tt.address, got, got.TLS, err)
			continue
		}
		if cfg, err := f.config(got, "", ""); err != nil || cfg.TLS != tt.mode || cfg.TLSConfig.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s %s: %+v, %v", tt.args, tt.address, cfg, err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pin := ftpclient.Pin{}.String()
	for _, tt := range []struct{ address, args, want string }{
		{"ftps://h/", "--tls=try", "The URL and --tls contradict each other: ftps:// means --tls implicit."},
		{"ftpes://h/", "--tls=off", "The URL and --tls contradict each other: ftpes:// means --tls explicit."},
		{"ftp://h/", "--pin=" + pin, "--pin means nothing without TLS: write ftpes:// in place of ftp://, or give --tls."},
		{"ftp://h/", "--insecure", "--insecure means nothing without TLS: write ftpes:// in place of ftp://, or give --tls."},
		{"ftpes://h/", "--insecure --pin=" + pin, "Give either --pin or --insecure, not both."},
		{"ftpes://h/", "--key=/k", "--key is the key of a certificate: name that by --cert."},
		{"ftpes://h/", "--ca-file=" + empty, "The file " + empty + " given by --ca-file holds no certificate in PEM form."},
		{"ftpes://h/", "--ca-file=/none", "The authorities given by --ca-file cannot be read: open /none: no such file or directory."},
		{"ftpes://h/", "--cert=/none", "The certificate given by --cert cannot be used: open /none: no such file or directory. Certificate and key have to be in PEM form, the key without a passphrase."},
	} {
		_, _, err := secured(t, tt.address, strings.Fields(tt.args)...)
		expect(t, tt.args, err, exitUsage, tt.want)
	}
}

func TestTLSFlagsRefused(t *testing.T) {
	for arg, want := range map[string]string{
		"--tls=on":              `The flag --tls=on is wrong: TLS "on" is none of off, try, explicit, implicit. See ftpfs --help.`,
		"--tls-min-version=1.4": `The flag --tls-min-version=1.4 is wrong: write 1.0, 1.1, 1.2 or 1.3. See ftpfs --help.`,
		"--tls-data=off":        `The flag --tls-data=off is wrong: write private or clear. See ftpfs --help.`,
		"--pin=sha1:00":         `The flag --pin=sha1:00 is wrong: write a pin as sha256: and the 64 hexadecimal digits of the hash. See ftpfs --help.`,
	} {
		_, _, err := parseFlags(arg)
		expect(t, arg, err, exitUsage, want)
	}
}

func TestExplainTLS(t *testing.T) {
	cert := &x509.Certificate{RawSubjectPublicKeyInfo: []byte("key"), DNSNames: []string{"other.example"}}
	pin := ftpclient.PinOf(cert).String()
	in := func(m ftpclient.TLSMode) job { return job{User: "ann", Target: target{TLS: m, Host: "host", Port: 21}} }
	off, explicit, implicit := in(ftpclient.TLSOff), in(ftpclient.TLSExplicit), in(ftpclient.TLSImplicit)
	refused := func(command string, code int, text string) error {
		return fmt.Errorf("login to host:21: %w", &ftpclient.Error{Command: command, Code: code, Text: text})
	}
	handshake := func(err error) error { return &ftpclient.HandshakeError{Err: err} }
	for _, tt := range []struct {
		j    job
		err  error
		code int
		want string
	}{
		{explicit, refused("AUTH", 530, "Please login."), exitServer,
			"host refuses TLS: login to host:21: AUTH: 530 Please login. Use ftps:// if the server has a port for TLS alone, or ftp:// where the network can be trusted."},
		{explicit, refused("AUTH", 431, "Later."), exitServer, "host cannot speak TLS now: login to host:21: AUTH: 431 Later. Try again later."},
		{explicit, refused("PROT", 536, "No."), exitServer,
			"host does not protect data connections as asked: login to host:21: PROT: 536 No. Try the other value of --tls-data, private or clear."},
		{off, refused("USER", 530, "Non-anonymous sessions must use encryption."), exitLogin,
			"host lets nobody in without encryption: login to host:21: USER: 530 Non-anonymous sessions must use encryption. Write ftpes:// in place of ftp://."},
		{off, refused("connect", 500, "OOPS: error:0A00010B:SSL routines::wrong version number"), exitServer,
			"host expects TLS from the first byte: login to host:21: connect: 500 OOPS: error:0A00010B:SSL routines::wrong version number. Write ftps:// in place of ftp://, with the port if it is not 990."},
		{explicit, refused("PASS", 530, "Encrypted login incorrect."), exitLogin,
			"host refused the login of ann: login to host:21: PASS: 530 Encrypted login incorrect. Check user and password."},
		{explicit, &ftpclient.CertificateError{Certificate: cert, Err: x509.UnknownAuthorityError{}}, exitServer,
			"host has a certificate that is not trusted: x509: certificate signed by unknown authority. If you know that this is the server's key add --pin " + pin + "; --ca-file trusts an authority of your own."},
		{explicit, &ftpclient.CertificateError{Certificate: cert, Err: x509.HostnameError{Certificate: cert, Host: "host"}}, exitServer,
			"host has a certificate for another name: x509: certificate is valid for other.example, not host. Write a name in the URL that it is for, or if you know that this is the server's key add --pin " + pin + "."},
		{explicit, &ftpclient.CertificateError{Certificate: cert, Err: ftpclient.ErrPin}, exitServer,
			"host has another key than the pinned one: " + pin + ". If you know that the server has changed it, give that by --pin; otherwise somebody may be in between."},
		{explicit, handshake(errors.New("remote error: tls: protocol version not supported")), exitServer,
			"host speaks no version of TLS that is accepted: TLS handshake: remote error: tls: protocol version not supported. If the server is old, try --tls-min-version 1.0; it is not secure."},
		{implicit, handshake(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), exitServer,
			"host:21 does not begin with TLS on port 21: TLS handshake: tls: first record does not look like a TLS handshake. Write ftpes:// in place of ftps://, which asks for TLS on the usual port."},
		{explicit, errors.New("greeting: remote error: tls: certificate required"), exitLogin,
			"host wants another client certificate, or one at all: greeting: remote error: tls: certificate required. Give it by --cert and --key."},
		{explicit, handshake(errors.New("remote error: tls: handshake failure")), exitServer,
			"host and this program cannot agree on TLS: TLS handshake: remote error: tls: handshake failure."},
	} {
		expect(t, tt.err.Error(), explainConnect(tt.err, tt.j, &flags{}), tt.code, tt.want)
	}
}

// mountArgs runs a mount in the background and detaches it at the end of the test.
func mountArgs(t *testing.T, args ...string) (dir string, code int, stderr string) {
	t.Helper()
	t.Setenv("FTPFS_PASSWORD", "secret")
	dir = t.TempDir()
	t.Cleanup(func() { endMount(t, dir) })
	p := program{mount: mountServer}
	code, stdout, stderr := run(&p, append(args, "--cache-dir", t.TempDir(), dir)...)
	if stdout != "" {
		t.Errorf("%q", stdout)
	}
	return dir, code, stderr
}

// A certificate that nobody vouches for is refused, by words that say how to trust it;
// then the mount works, over TLS only.
func TestMountOverTLS(t *testing.T) {
	s := ftptest.Real(t, "vsftpd", ftptest.RealOptions{TLS: true})
	url := "ftpes://user@" + s.Addr + "/"
	_, code, stderr := mountArgs(t, url)
	pin := regexp.MustCompile(`--pin sha256:[0-9a-f]{64}`).FindString(stderr)
	if code != exitServer || pin == "" {
		t.Fatalf("%d %s", code, stderr)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.CA.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(ca))
	for i, args := range [][]string{strings.Fields(pin), {"--ca-file", "ca.pem"}, {"--insecure"}} {
		dir, code, stderr := mountArgs(t, append(args, url)...)
		if code != 0 || stderr != "" {
			t.Fatalf("%q: %d %s", args, code, stderr)
		}
		if got := shell(t, dir, fmt.Sprintf("ls; echo %d > f; cat f", i)); got != []string{"0\n", "f\n1\n", "f\n2\n"}[i] {
			t.Errorf("%q: %q", args, got)
		}
		if m := thisHost().mounted(dir); m.source != url {
			t.Errorf("mounted as %s", m.source)
		}
	}
}

// Who wants encryption if it can be had is told that it cannot.
func TestMountTryTLS(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	dir, code, stderr := mountArgs(t, "--tls=try", "ftp://user@"+server.Addr()+"/")
	if code != 0 || !strings.HasPrefix(stderr, "ftpfs: Warning: the server refuses TLS: password and data cross the network in clear (reply AUTH: 5") || strings.Count(stderr, "\n") != 1 {
		t.Fatalf("%d %s", code, stderr)
	}
	shell(t, dir, "ls")
	if _, code, stderr := mountArgs(t, "ftpes://user@"+server.Addr()+"/"); code != exitServer || !strings.Contains(stderr, "refuses TLS: ") {
		t.Errorf("%d %s", code, stderr)
	}
}
