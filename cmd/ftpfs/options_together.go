package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ftpfs/ftpclient"
)

// gathered are options of other programs that say something only together, in whatever
// order they are given.
type gathered struct {
	active         bool // ftp_port was given
	noEPSV, noEPRT bool
	noMLSD         bool
	noexec         bool
	tls            string
	proxyAddr      string
	proxyUser      string
	proxyKind      string
	ttl            time.Duration // the shortest; 0 none
}

// shortestTTL is how long listings are believed where they shall not be kept: one look
// around takes that long.
const shortestTTL = time.Second

// together sets the flags that the options mean together.
func (o *optionSetter) together() error {
	g := &o.later
	switch {
	case g.active && g.noEPRT:
		o.setTo("mode", "port")
	case g.active:
		o.setTo("mode", "active")
	case g.noEPSV && !o.set.Changed("mode"):
		o.setTo("mode", "pasv")
	}
	if g.noMLSD && !o.set.Changed("listing") {
		o.setTo("listing", "list")
	}
	if g.noexec {
		o.setTo("fmask", fmt.Sprintf("%03o", o.flags.fmask|0o111))
	}
	if g.ttl > 0 {
		o.setTo("dir-cache-ttl", g.ttl.String())
	}
	if g.tls != "" && !o.set.Changed("tls") {
		// Without marking the flag as given: a URL of ftps:// does not contradict it.
		o.flags.tls.mode, _ = ftpclient.ParseTLSMode(g.tls)
	}
	return o.proxyTogether()
}

// setTo sets a flag to a value.
func (o *optionSetter) setTo(flag, value string) error { return o.set.Set(flag, value) }

// seconds reads a time in seconds, or as our own flags have it.
func seconds(value string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(value, 64); err == nil && n >= 0 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, errors.New("write a number of seconds, or a time as 1m30s")
	}
	return d, nil
}

func (o *optionSetter) setSeconds(flag, value string) error {
	d, err := seconds(value)
	if err != nil {
		return err
	}
	return o.setTo(flag, d.String())
}

func (o *optionSetter) cacheTime(value string) error {
	d, err := seconds(value)
	if err != nil {
		return err
	}
	d = max(d, shortestTTL)
	if o.later.ttl == 0 || d < o.later.ttl {
		o.later.ttl = d
	}
	return nil
}

func (o *optionSetter) cacheSwitch(value string) error {
	on, err := parseSwitch(value)
	if err == nil && !on {
		o.later.ttl = shortestTTL
	}
	return err
}

func (o *optionSetter) user(value string) error {
	name, password, has := strings.Cut(value, ":")
	if name == "" && has {
		return errors.New("it names no user")
	}
	if has {
		o.flags.password, o.flags.passwordGiven = password, true
	}
	if name == "" {
		return nil
	}
	return o.setTo("user", name)
}

// ftpPort reads what curl calls --ftp-port: -, an address or an interface, and perhaps a
// range of ports behind a colon.
func (o *optionSetter) ftpPort(value string) error {
	o.later.active = true
	where, ports := value, ""
	if i := strings.LastIndexByte(value, ':'); i >= 0 && (strings.Count(value, ":") == 1 || strings.HasSuffix(value[:i], "]")) {
		where, ports = value[:i], value[i+1:]
	}
	if ports != "" {
		if err := o.setTo("active-ports", ports); err != nil {
			return cause(err)
		}
	}
	where = strings.TrimSuffix(strings.TrimPrefix(where, "["), "]")
	if where == "" || where == "-" {
		return nil
	}
	if _, err := netip.ParseAddr(where); err == nil {
		return o.setTo("active-address", where)
	}
	if _, err := net.InterfaceByName(where); err == nil {
		return o.setTo("bind", where)
	}
	return errors.New("write -, an address or a network interface of this machine")
}

func (o *optionSetter) proxy(value string) error {
	if value == "" {
		return errors.New("write a proxy as socks5://host:1080 or http://host:3128")
	}
	o.later.proxyAddr = value
	return nil
}

// proxyTogether makes one URL of the proxy's address, kind and user.
func (o *optionSetter) proxyTogether() error {
	g := &o.later
	if g.proxyAddr == "" {
		if g.proxyUser != "" {
			return fail(exitUsage, "The option proxy_user names the user of a proxy: name that by proxy=.")
		}
		return nil
	}
	address := g.proxyAddr
	if address != noProxy && !strings.Contains(address, "://") {
		kind := g.proxyKind
		if kind == "" {
			kind = "http"
		}
		address = kind + "://" + address
	}
	if g.proxyUser != "" && address != noProxy {
		u, err := url.Parse(address)
		if err != nil {
			return fail(exitUsage, "The proxy given by proxy= cannot be used: write it as host:port.")
		}
		name, password, _ := strings.Cut(g.proxyUser, ":")
		u.User = url.UserPassword(name, password)
		address = u.String()
	}
	return o.setTo("proxy", address)
}
