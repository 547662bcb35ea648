package main

import (
	"ftpfs/ftpclient"
	"ftpfs/internal/dialer"
)

// reserve is how many connections are kept ready beside those at work: the next directory
// and the next file then take one round trip each.
const reserve = 2

// noProxy is the value of --proxy that means what it says, whatever ALL_PROXY says.
const noProxy = "none"

// route sets --proxy from the environment, unless it was given, for the server at addr.
func (f *flags) route(getenv func(string) string, addr string) error {
	if f.proxy == "" {
		f.proxy = dialer.FromEnvironment(getenv, addr)
	}
	_, err := f.dialer()
	return err
}

// dialer is how connections shall leave this machine.
func (f *flags) dialer() (*dialer.Dialer, error) {
	var d dialer.Dialer
	switch {
	case f.ipv4 && f.ipv6:
		return nil, fail(exitUsage, "Give either --ipv4 or --ipv6, not both: without them both are used.")
	case f.ipv4:
		d.Version = dialer.IPv4
	case f.ipv6:
		d.Version = dialer.IPv6
	}
	if f.bind != "" {
		var err error
		if d.Local, d.Interface, err = dialer.ParseBind(f.bind); err != nil {
			return nil, fail(exitUsage, "--bind is wrong: %w. The command ip address lists them.", err)
		}
		if d.Local.Is6() && f.ipv4 || d.Local.Is4() && f.ipv6 {
			return nil, fail(exitUsage, "The address given by --bind is of the other version of IP: leave --ipv4 or --ipv6 away.")
		}
	}
	if f.proxy == "" || f.proxy == noProxy {
		return &d, nil
	}
	var err error
	if d.Proxy, err = dialer.ParseProxy(f.proxy); err != nil {
		return nil, fail(exitUsage, "The proxy given by --proxy or ALL_PROXY cannot be used: %w.", err)
	}
	switch f.mode {
	case ftpclient.ModeActive, ftpclient.ModeEPRT, ftpclient.ModePORT:
		return nil, fail(exitUsage, "Through the proxy %s a server cannot connect to this machine: use --mode passive, or --proxy none.", d.Proxy)
	}
	return &d, nil
}

// dataMode is the mode of data connections. Behind a proxy only the passive ones are tried.
func (f *flags) dataMode(d *dialer.Dialer) ftpclient.Mode {
	if d.Proxy != nil && f.mode == ftpclient.ModeAuto {
		return ftpclient.ModePassive
	}
	return f.mode
}

// config is how a client reaches the server of t, as the flags say.
func (f *flags) config(t target, user, password string) (ftpclient.Config, error) {
	d, err := f.dialer()
	if err != nil {
		return ftpclient.Config{}, err
	}
	trust, err := f.tls.config()
	if err != nil {
		return ftpclient.Config{}, err
	}
	return ftpclient.Config{
		TLS:           t.TLS,
		TLSConfig:     trust,
		Pins:          f.tls.pins,
		ClearData:     f.tls.clearData,
		Addr:          t.addr(),
		User:          user,
		Password:      password,
		VirtualHost:   f.virtualHost,
		ClientName:    f.clientName,
		Mode:          f.dataMode(d),
		ActivePorts:   f.activePorts,
		ActiveAddress: f.activeAddress,
		PasvAddress:   f.pasvAddress,
		ListBy:        f.listBy,
		Brief:         !f.mapOwners && !f.xattr,
		Zone:          f.zone,
		Charset:       f.charset,
		Connections:   f.connections,
		Reserve:       reserve,
		Timeout:       f.timeout,
		Verify:        f.verify,
		Dial:          d.Dial,
		Listen:        d.Listen,
	}, nil
}
