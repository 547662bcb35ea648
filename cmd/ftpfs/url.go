package main

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"ftpfs/ftpclient"
)

// target is what an ftp URL names.
type target struct {
	TLS         ftpclient.TLSMode
	User        string // "" none
	Password    string
	HasPassword bool // an empty password is one
	Host        string
	Port        uint16
	Dir         string // clean, raw bytes; absolute with a leading slash, else below the login directory ("" itself)
}

// parseURL reads ftp://[user[:password]@]host[:port]/[dir], and the same with ftpes:// for
// explicit and ftps:// for implicit TLS. A ? or # is part of the directory: FTP knows
// neither queries nor fragments. No error repeats the URL, since it may hold a password.
func parseURL(s string) (target, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch scheme = strings.ToLower(scheme); {
	case !ok:
		return target{}, fail(exitUsage, "The address has to be a URL, as in ftp://user@host/dir.")
	case scheme == "ftp" || scheme == "ftpes" || scheme == "ftps":
	default:
		return target{}, fail(exitUsage, "The URL has to begin with ftp://, ftpes:// or ftps://, as in ftp://user@host/dir.")
	}
	authority, dir, _ := strings.Cut(rest, "/")
	t := target{TLS: map[string]ftpclient.TLSMode{"ftpes": ftpclient.TLSExplicit, "ftps": ftpclient.TLSImplicit}[scheme]}
	t.Port = t.usualPort()
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		host = authority[at+1:]
		user, password, hasPassword := strings.Cut(authority[:at], ":")
		t.HasPassword = hasPassword
		if t.User, ok = unescape(user); !ok || t.User == "" {
			return target{}, fail(exitUsage, "The user in the URL cannot be read: write a %% in it as %%25, a / as %%2F, a : as %%3A.")
		}
		if t.Password, ok = unescape(password); !ok {
			return target{}, fail(exitUsage, "The password in the URL cannot be read: write a %% in it as %%25, a / as %%2F, a @ as %%40.")
		}
	}
	if err := t.setHost(host); err != nil {
		return target{}, err
	}
	if dir, ok = unescape(dir); !ok {
		return target{}, fail(exitUsage, "The directory in the URL cannot be read: write a %% in it as %%25; line breaks and NUL cannot be used.")
	}
	if dir != "" {
		t.Dir = path.Clean(dir)
	}
	switch {
	case t.Dir == ".":
		t.Dir = ""
	case t.Dir == ".." || strings.HasPrefix(t.Dir, "../"):
		return target{}, fail(exitUsage, "The directory in the URL leads out of the login directory: write an absolute one with a second slash, as in ftp://host//dir.")
	}
	return t, nil
}

func (t *target) setHost(s string) error {
	host, port := s, ""
	if inner, after, ok := strings.Cut(strings.TrimPrefix(s, "["), "]"); ok && strings.HasPrefix(s, "[") {
		addr, err := netip.ParseAddr(strings.Replace(inner, "%25", "%", 1))
		if err != nil || !addr.Is6() || after != "" && after[0] != ':' {
			return fail(exitUsage, "The address in brackets in the URL is no IPv6 address: write it as ftp://[2001:db8::1]:21/dir.")
		}
		host, port = addr.String(), strings.TrimPrefix(after, ":")
	} else if strings.Count(s, ":") > 1 {
		return fail(exitUsage, "Write an IPv6 address in brackets, as in ftp://[2001:db8::1]/dir.")
	} else {
		host, port, _ = strings.Cut(s, ":")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fail(exitUsage, "The port in the URL is no number from 1 to 65535. If this is a password with a /, write the / as %%2F.")
		}
		t.Port = uint16(n)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		host, _ = idna.Lookup.ToASCII(host) // as name servers know it
	}
	if host == "" || strings.ContainsFunc(host, inNoHost) && !strings.Contains(host, ":") {
		return fail(exitUsage, "The URL names no host, as in ftp://user@host/dir.")
	}
	t.Host = host
	return nil
}

// inNoHost tells the characters that are in no host name.
func inNoHost(r rune) bool {
	return !('a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
}

// unescape decodes %XX to raw bytes, and refuses what no FTP command can carry.
func unescape(s string) (string, bool) {
	s, err := url.PathUnescape(s)
	return s, err == nil && !strings.ContainsAny(s, "\r\n\x00")
}

// scheme is that of a URL which means the same.
func (t target) scheme() string {
	switch t.TLS {
	case ftpclient.TLSExplicit:
		return "ftpes"
	case ftpclient.TLSImplicit:
		return "ftps"
	}
	return "ftp"
}

func (t target) usualPort() uint16 {
	if t.TLS == ftpclient.TLSImplicit {
		return 990
	}
	return 21
}

// addr is host:port for a dialer.
func (t target) addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) }

// hostName is what messages call the server.
func (t target) hostName() string {
	if t.Port == t.usualPort() {
		return t.Host
	}
	return t.addr()
}

// root is the remote directory, given the directory that the login leads to.
func (t target) root(login string) string {
	if strings.HasPrefix(t.Dir, "/") {
		return t.Dir
	}
	return path.Join("/", login, t.Dir)
}

// String is the URL with user and without password, for process and mount tables.
func (t target) String() string {
	u := url.URL{Scheme: t.scheme(), Host: t.hostName(), Path: "/" + t.Dir}
	if t.Port == t.usualPort() && strings.Contains(t.Host, ":") {
		u.Host = "[" + t.Host + "]"
	}
	if t.User != "" {
		u.User = url.User(t.User)
	}
	return u.String()
}
