package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// conclude recommends a command or says why a mount would not work.
func (e *examination) conclude(ctx context.Context) error {
	if path, mode := e.best(); path >= 0 {
		e.findings.Works = true
		e.findings.Command = e.command(path, mode)
		return nil
	}
	err := e.problem(ctx)
	e.findings.Problem = err.Error()
	return err
}

// best is the first path and mode that work, in the order in which a mount tries the modes;
// -1 if none does.
func (e *examination) best() (path, mode int) {
	for _, m := range allModes {
		for i, p := range e.findings.Paths {
			for j, f := range p.Modes {
				if f.Mode == m.String() && f.Result == works {
					return i, j
				}
			}
		}
	}
	return -1, -1
}

// command mounts the server by a path and mode that work.
func (e *examination) command(path, mode int) string {
	words := append([]string{"ftpfs"}, e.givenFlags()...)
	p := e.findings.Paths[path]
	f := p.Modes[mode]
	if !e.flags.ipv4 && !e.flags.ipv6 {
		// Another version of IP that gets as far as the login would be used, too.
		for i, other := range e.findings.Paths {
			if i != path && other.err == nil && !sameModes(p, other, f.Mode) {
				words = append(words, map[string]string{"IPv4": "--ipv4", "IPv6": "--ipv6"}[p.Name])
			}
		}
	}
	if f.Mode != allModes[0].String() {
		words = append(words, "--mode", f.Mode)
	}
	words = append(words, f.Flags...)
	words = append(words, e.target.String(), "MOUNTPOINT")
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// sameModes tells whether mode works on other as it does on p.
func sameModes(p, other pathFinding, mode string) bool {
	return slices.ContainsFunc(other.Modes, func(f modeFinding) bool { return f.Mode == mode && f.Result == works })
}

// givenFlags are the flags about connections that were given, apart from the mode and without
// secrets.
func (e *examination) givenFlags() []string {
	var words []string
	connection := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(flags).registerConnection(connection)
	e.given.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		switch {
		case connection.Lookup(flag.Name) == nil, flag.Name == "mode",
			flag.Name == "tls" && e.target.TLS != ftpclient.TLSTry: // the URL says it
			return
		case flag.Name == "proxy" && e.findings.Proxy != "" && strings.Contains(value, "@"):
			value = strings.Replace(e.findings.Proxy, "://", "://USER:PASSWORD@", 1)
		case flag.Value.Type() == "bool":
			if value == "true" {
				words = append(words, "--"+flag.Name)
			}
			return
		}
		words = append(words, "--"+flag.Name, value)
	})
	return words
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=[]", r))
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// problem says why no mode works.
func (e *examination) problem(ctx context.Context) error {
	var login *pathFinding
	var all []modeFinding
	for i, p := range e.findings.Paths {
		if p.err == nil {
			login = &e.findings.Paths[i]
			all = append(all, p.Modes...)
		}
	}
	host := e.target.hostName()
	if login == nil {
		for _, p := range e.findings.Paths {
			if !errors.Is(p.err, errNoAddress) {
				return p.err
			}
		}
		return fail(exitServer, "%s has no address of the version of IP that the flags allow.", host)
	}
	for _, f := range all {
		var said *ftpclient.Error
		if _, noData := ftpclient.NoData(f.err); errors.As(f.err, &said) && !noData && !concernsData(said) {
			return explainMount(f.err, job{Target: e.target}, e.findings.Server.Directory)
		}
	}
	if ctx.Err() != nil && slices.ContainsFunc(all, func(f modeFinding) bool { return f.Result == untried }) {
		return fail(exitServer, "No mode of data connections to %s has worked within --max-time: give more time.", host)
	}
	advice := "Ask who runs the server to open its passive ports."
	if e.findings.Proxy == "" {
		advice += " Or let the server connect to this machine: let the ports of --active-ports through the firewall"
		if e.behindNAT() {
			advice += ", forward them on the router, and give its outer address by --active-address"
		}
		advice += "."
	}
	return fail(exitServer, "%s lets you in, but no data connection works. %s", host, advice)
}

// behindNAT tells whether this machine has an inner address and the server an outer one.
func (e *examination) behindNAT() bool {
	for _, p := range e.findings.Paths {
		for _, f := range p.Modes {
			if f.Control == nil {
				continue
			}
			from, err1 := netip.ParseAddrPort(f.Control.From)
			to, err2 := netip.ParseAddrPort(f.Control.To)
			if err1 == nil && err2 == nil && from.Addr().IsPrivate() && !to.Addr().IsPrivate() && !to.Addr().IsLoopback() {
				return true
			}
		}
	}
	return false
}
