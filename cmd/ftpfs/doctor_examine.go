package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
	"ftpfs/internal/dialer"
)

// examination is one run of ftpfs doctor.
type examination struct {
	flags    *flags
	target   target
	given    *pflag.FlagSet
	text     io.Writer // nil: say nothing
	findings findings
	listed   bool // a listing has succeeded
}

var allModes = []ftpclient.Mode{ftpclient.ModeEPSV, ftpclient.ModePASV, ftpclient.ModeEPRT, ftpclient.ModePORT}

// run examines the server; the error says why a mount would not work.
func (e *examination) run(ctx context.Context, o doctorOptions) error {
	e.findings.URL = e.target.String()
	e.findings.Paths = []pathFinding{}
	e.sayServer()
	for _, way := range e.ways(ctx) {
		p := e.examinePath(ctx, way)
		e.findings.Paths = append(e.findings.Paths, p)
		if exitCode(p.err) == exitLogin {
			break // servers count wrong passwords
		}
	}
	if o.limit && e.findings.Server != nil {
		e.findings.MostLogins = e.countLogins(ctx)
	}
	e.sayFacts()
	e.sayPictures()
	err := e.conclude(ctx)
	e.sayConclusion()
	return err
}

// way is a path to examine.
type way struct {
	name    string
	version dialer.Version
	err     error // there is none
}

var errNoAddress = errors.New("the host has no such address")

// ways lists the versions of IP that the host has addresses of, as far as the flags allow
// them; behind a proxy there is one way only.
func (e *examination) ways(ctx context.Context) []way {
	d, _ := e.flags.dialer() // has been checked
	if d.Proxy != nil {
		e.findings.Proxy = d.Proxy.String()
		return []way{{name: "proxy", version: d.Version}}
	}
	four, six := way{name: "IPv4", version: dialer.IPv4}, way{name: "IPv6", version: dialer.IPv6}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.target.Host)
	if err != nil {
		return []way{{name: "address", err: explainConnect(err, job{Target: e.target}, e.flags)}}
	}
	four.err, six.err = errNoAddress, errNoAddress
	for _, a := range addrs {
		if a.Unmap().Is4() {
			four.err = nil
		} else {
			six.err = nil
		}
	}
	literal := false
	if _, err := netip.ParseAddr(e.target.Host); err == nil {
		literal = true
	}
	var all []way
	for _, w := range []way{four, six} {
		if d.Version != dialer.Any && d.Version != w.version || literal && w.err != nil {
			continue
		}
		all = append(all, w)
	}
	return all
}

// examinePath tries the modes over one version of IP.
func (e *examination) examinePath(ctx context.Context, w way) pathFinding {
	p := pathFinding{Name: w.name, err: w.err}
	if p.err != nil {
		p.Error = phrase{p.err}.Error()
		e.sayPath(p)
		return p
	}
	explain := func(err error) error { return explainConnect(err, job{Target: e.target, User: e.target.User}, e.flags) }
	modes := allModes
	switch {
	case w.name == "proxy":
		modes = allModes[:2]
	case w.version == dialer.IPv6:
		modes = []ftpclient.Mode{ftpclient.ModeEPSV, ftpclient.ModeEPRT}
	}
	for i, m := range modes {
		t := e.newTrial(w, m)
		if ctx.Err() != nil {
			p.Modes = append(p.Modes, modeFinding{Mode: m.String(), Result: untried, Detail: "no time was left"})
			continue
		}
		begin := time.Now()
		if err := t.connect(ctx); err != nil {
			t.close()
			if i == 0 {
				p.err = explain(err)
				p.Error = phrase{p.err}.Error()
				e.sayPath(p)
				return p
			}
			p.Modes = append(p.Modes, t.finding(ftpclient.Listing{}, err))
			continue
		}
		if i == 0 {
			p.LoginMS = milliseconds(time.Since(begin))
			p.Address = t.control.To
			e.sayPath(p)
		}
		f := e.try(ctx, t)
		if f.Result == blocked && f.Told != "" && w.version == dialer.IPv4 {
			f = e.tryTold(ctx, w, f)
		}
		p.Modes = append(p.Modes, f)
		e.sayMode(p, f)
	}
	return p
}

// try lists the directory in the mode of t, and ends t.
func (e *examination) try(ctx context.Context, t *trial) modeFinding {
	defer t.close()
	root := e.target.root(t.client.Root())
	begin := time.Now()
	l, err := t.client.List(ctx, root)
	took := time.Since(begin)
	f := t.finding(l, err)
	if f.Result == works {
		f.ListMS = milliseconds(took)
	}
	if e.findings.Server == nil || f.Result == works && !e.listed {
		e.listed = f.Result == works
		e.findings.Server = t.facts(ctx, root, l)
	}
	return f
}

// tryTold tries PASV once more, now to the address that the server tells.
func (e *examination) tryTold(ctx context.Context, w way, f modeFinding) modeFinding {
	t := e.newTrial(w, ftpclient.ModePASV)
	t.config.PasvAddress = ftpclient.PasvReply
	if t.connect(ctx) != nil {
		t.close()
		return f
	}
	again := e.try(ctx, t)
	if again.Result != works {
		return f
	}
	again.Flags = []string{"--pasv-address", "reply"}
	again.Detail = "only at the address " + f.Told + " that the server tells, which is not its own"
	return again
}

// mostLogins bounds the search for the server's limit.
const mostLogins = 20

// countLogins logs in until the server refuses.
func (e *examination) countLogins(ctx context.Context) *limitFinding {
	var open []*trial
	defer func() {
		for _, t := range open {
			t.close()
		}
	}()
	w, ok := e.working()
	if !ok {
		return nil
	}
	for len(open) < mostLogins {
		t := e.newTrial(w, ftpclient.ModeAuto)
		if err := t.connect(ctx); err != nil {
			t.close()
			return &limitFinding{Allowed: len(open), Reply: phrase{err}.Error()}
		}
		open = append(open, t)
	}
	return &limitFinding{Allowed: len(open), AtLeast: true}
}

// working is a way on which a login has succeeded.
func (e *examination) working() (way, bool) {
	for _, p := range e.findings.Paths {
		switch {
		case p.err != nil:
		case p.Name == "IPv6":
			return way{p.Name, dialer.IPv6, nil}, true
		case p.Name == "IPv4":
			return way{p.Name, dialer.IPv4, nil}, true
		default:
			return way{name: p.Name}, true
		}
	}
	return way{}, false
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
