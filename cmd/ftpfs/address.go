package main

import (
	"net/url"
	"slices"
	"strings"
)

// parseAddress reads what is to be mounted: a URL, or in its place what sshfs and curlftpfs
// take: [user[:password]@]host:dir, [user[:password]@]host[:port]/dir, and NAME#host/dir as
// in fstab, where NAME may be that of a program or of a kind of URL.
func parseAddress(s string) (target, error) {
	if name, rest, ok := strings.Cut(s, "#"); ok {
		switch name {
		case "ftpfs", "curlftpfs":
			s = rest
		case "ftp", "ftpes", "ftps":
			if s = rest; !isURL(rest) {
				s = name + "://" + rest
			}
		}
	}
	if isURL(s) {
		return parseURL(s)
	}
	if s == "" || s[0] == '/' || s[0] == '.' || !strings.ContainsAny(s, ":/@.") {
		return parseURL(s) // which tells how to write it
	}
	authority, _, _ := strings.Cut(s, "/")
	login, host := "", s
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		login, host = s[:at+1], s[at+1:]
	}
	bracket := strings.IndexByte(host, ']') + 1 // of an IPv6 address, whose colons separate nothing
	name, dir, ok := strings.Cut(host[bracket:], ":")
	if !ok || strings.Contains(name, "/") || isPort(dir) {
		return parseURL("ftp://" + s)
	}
	return parseURL("ftp://" + login + host[:bracket] + name + "/" + url.PathEscape(dir))
}

// isURL tells URLs from other addresses, in which :// may be part of a directory.
func isURL(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	return ok && !slices.ContainsFunc([]byte(scheme), func(c byte) bool { return (c|0x20) < 'a' || (c|0x20) > 'z' })
}

// isPort tells whether what follows a host and a colon begins with a port.
func isPort(s string) bool {
	digits, _, _ := strings.Cut(s, "/")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// setPort is --port, which the URL may overrule.
func (f *flags) setPort(t *target) {
	if f.port != 0 && t.Port == t.usualPort() {
		t.Port = f.port
	}
}
