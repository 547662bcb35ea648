package main

import (
	"strings"
	"testing"

	"ftpfs/ftpclient"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		in   string
		want target
		root string // with the login directory /home/u
		show string
	}{
		{"ftp://host", target{Host: "host", Port: 21}, "/home/u", "ftp://host/"},
		{"FTP://host/", target{Host: "host", Port: 21}, "/home/u", "ftp://host/"},
		{"ftp://ann@host:2121/a/b/", target{User: "ann", Host: "host", Port: 2121, Dir: "a/b"}, "/home/u/a/b", "ftp://ann@host:2121/a/b"},
		{"ftp://ann:pw@host//srv", target{User: "ann", Password: "pw", HasPassword: true, Host: "host", Port: 21, Dir: "/srv"}, "/srv", "ftp://ann@host//srv"},
		{"ftp://host/%2Fsrv/x", target{Host: "host", Port: 21, Dir: "/srv/x"}, "/srv/x", "ftp://host//srv/x"},
		{"ftp://host//", target{Host: "host", Port: 21, Dir: "/"}, "/", "ftp://host//"},
		{"ftp://host/./a/../b", target{Host: "host", Port: 21, Dir: "b"}, "/home/u/b", "ftp://host/b"},
		{"ftp://host/a/..", target{Host: "host", Port: 21}, "/home/u", "ftp://host/"},
		{"ftp://host//../..", target{Host: "host", Port: 21, Dir: "/"}, "/", "ftp://host//"},
		{"ftp://a%40b:p%2Fw%3A@host/", target{User: "a@b", Password: "p/w:", HasPassword: true, Host: "host", Port: 21}, "/home/u", "ftp://a%40b@host/"},
		{"ftp://a@b:p@w@host/", target{User: "a@b", Password: "p@w", HasPassword: true, Host: "host", Port: 21}, "/home/u", "ftp://a%40b@host/"},
		{"ftp://ann:@host/", target{User: "ann", HasPassword: true, Host: "host", Port: 21}, "/home/u", "ftp://ann@host/"},
		{"ftp://host/100%25 a?b#c;d", target{Host: "host", Port: 21, Dir: "100% a?b#c;d"}, "/home/u/100% a?b#c;d", "ftp://host/100%25%20a%3Fb%23c;d"},
		{"ftp://host/%FF%e4\xe4", target{Host: "host", Port: 21, Dir: "\xff\xe4\xe4"}, "/home/u/\xff\xe4\xe4", "ftp://host/%FF%E4%E4"},
		{"ftp://[2001:db8::1]/x", target{Host: "2001:db8::1", Port: 21, Dir: "x"}, "/home/u/x", "ftp://[2001:db8::1]/x"},
		{"ftp://ann@[::1]:2121", target{User: "ann", Host: "::1", Port: 2121}, "/home/u", "ftp://ann@[::1]:2121/"},
		{"FTPES://ann@host:2121/a", target{TLS: ftpclient.TLSExplicit, User: "ann", Host: "host", Port: 2121, Dir: "a"}, "/home/u/a", "ftpes://ann@host:2121/a"},
		{"ftpes://host/", target{TLS: ftpclient.TLSExplicit, Host: "host", Port: 21}, "/home/u", "ftpes://host/"},
		{"ftps://host/", target{TLS: ftpclient.TLSImplicit, Host: "host", Port: 990}, "/home/u", "ftps://host/"},
		{"ftps://host:21/", target{TLS: ftpclient.TLSImplicit, Host: "host", Port: 21}, "/home/u", "ftps://host:21/"},
		{"ftps://[::1]/", target{TLS: ftpclient.TLSImplicit, Host: "::1", Port: 990}, "/home/u", "ftps://[::1]/"},
		{"ftp://host:990/", target{Host: "host", Port: 990}, "/home/u", "ftp://host:990/"},
		{"ftp://[fe80::1%25eth0]/", target{Host: "fe80::1%eth0", Port: 21}, "/home/u", "ftp://[fe80::1%25eth0]/"},
	}
	for _, tt := range tests {
		got, err := parseURL(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", tt.in, got, err, tt.want)
			continue
		}
		if root := got.root("/home/u"); root != tt.root {
			t.Errorf("%s: root %q, want %q", tt.in, root, tt.root)
		}
		if got.String() != tt.show {
			t.Errorf("%s is shown as %s, want %s", tt.in, got, tt.show)
		}
		again, err := parseURL(got.String())
		got.Password, got.HasPassword = "", false
		if err != nil || again != got {
			t.Errorf("%s, shown as %s, is read as %+v, %v", tt.in, got, again, err)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"host:/dir", "The address has to be a URL, as in ftp://user@host/dir."},
		{"bob:hunter2@host/dir", "The address has to be a URL, as in ftp://user@host/dir."},
		{"http://host/", "The URL has to begin with ftp://, ftpes:// or ftps://, as in ftp://user@host/dir."},
		{"ftps:/bob:hunter2@host/", "The address has to be a URL, as in ftp://user@host/dir."},
		{"ftp://", "The URL names no host, as in ftp://user@host/dir."},
		{"ftp:///dir", "The URL names no host, as in ftp://user@host/dir."},
		{"ftp://bob:hunter2@/", "The URL names no host, as in ftp://user@host/dir."},
		{"ftp://ho st/", "The URL names no host, as in ftp://user@host/dir."},
		{"ftp://@host/", "The user in the URL cannot be read: write a % in it as %25, a / as %2F, a : as %3A."},
		{"ftp://b%zzb@host/", "The user in the URL cannot be read: write a % in it as %25, a / as %2F, a : as %3A."},
		{"ftp://bob:hunter2%@host/", "The password in the URL cannot be read: write a % in it as %25, a / as %2F, a @ as %40."},
		{"ftp://bob:hunter2%0d%0aQUIT@host/", "The password in the URL cannot be read: write a % in it as %25, a / as %2F, a @ as %40."},
		{"ftp://bob:hunter2/x@host/", "The port in the URL is no number from 1 to 65535. If this is a password with a /, write the / as %2F."},
		{"ftp://host:0/", "The port in the URL is no number from 1 to 65535. If this is a password with a /, write the / as %2F."},
		{"ftp://host:65536/", "The port in the URL is no number from 1 to 65535. If this is a password with a /, write the / as %2F."},
		{"ftp://::1/", "Write an IPv6 address in brackets, as in ftp://[2001:db8::1]/dir."},
		{"ftp://[::1/", "Write an IPv6 address in brackets, as in ftp://[2001:db8::1]/dir."},
		{"ftp://[127.0.0.1]/", "The address in brackets in the URL is no IPv6 address: write it as ftp://[2001:db8::1]:21/dir."},
		{"ftp://[::1]x/", "The address in brackets in the URL is no IPv6 address: write it as ftp://[2001:db8::1]:21/dir."},
		{"ftp://host/100%", "The directory in the URL cannot be read: write a % in it as %25; line breaks and NUL cannot be used."},
		{"ftp://host/a%0ab", "The directory in the URL cannot be read: write a % in it as %25; line breaks and NUL cannot be used."},
		{"ftp://host/a%00b", "The directory in the URL cannot be read: write a % in it as %25; line breaks and NUL cannot be used."},
		{"ftp://host/../x", "The directory in the URL leads out of the login directory: write an absolute one with a second slash, as in ftp://host//dir."},
	}
	for _, tt := range tests {
		got, err := parseURL(tt.in)
		if err == nil {
			t.Errorf("%s: %+v", tt.in, got)
			continue
		}
		if err.Error() != tt.want || exitCode(err) != exitUsage {
			t.Errorf("%s\ngot  %d %s\nwant %s", tt.in, exitCode(err), err, tt.want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password", tt.in)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"ftp://ann:pw@host:21//a%20b", "ftp://[::1]/", "ftps://x", "ftp://a%FF@h/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseURL(s)
		if err != nil {
			return
		}
		if got.Host == "" || got.Port == 0 || !strings.HasPrefix(got.root("/"), "/") {
			t.Errorf("%q: %+v", s, got)
		}
		again, err := parseURL(got.String())
		got.Password, got.HasPassword = "", false
		if err != nil || again != got {
			t.Errorf("%q: %+v is shown as %s, read as %+v, %v", s, got, got, again, err)
		}
	})
}
