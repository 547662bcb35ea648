package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"ftpfs/ftpclient"
)

// trial is a login and a listing in one mode, with a record of what happened.
type trial struct {
	mode    ftpclient.Mode
	config  ftpclient.Config
	client  *ftpclient.Client // nil before connect
	control link

	mu      sync.Mutex // guards the fields below
	dials   int
	data    *link      // passive: last data connection, made or attempted
	made    bool       // it was made
	dataErr error      // why not
	told    netip.Addr // in the reply to PASV
	listen  string     // address told by EPRT or PORT
	began   bool       // the server has said that the data comes
}

func (e *examination) newTrial(w way, m ftpclient.Mode) *trial {
	t := &trial{mode: m}
	f := *e.flags
	f.mode = m
	f.ipv4, f.ipv6 = false, false
	d, _ := f.dialer() // has been checked
	d.Version = w.version
	t.config, _ = f.config(e.target, e.target.User, e.target.Password)
	t.config.Mode = m
	t.config.Connections = 1
	t.config.Trace = t.heard
	t.config.Listen = d.Listen
	t.config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := d.Dial(ctx, network, addr)
		t.dialled(addr, nc, err)
		return nc, err
	}
	return t
}

func (t *trial) connect(ctx context.Context) error {
	client, err := ftpclient.New(t.config)
	if err != nil {
		return err
	}
	t.client = client
	return client.Connect(ctx)
}

func (t *trial) close() {
	if t.client != nil {
		t.client.Close()
	}
}

// dialled records a connection. The first is the control connection.
func (t *trial) dialled(addr string, nc net.Conn, err error) {
	l := link{From: "this machine", To: addr}
	if err == nil {
		l.From = nc.LocalAddr().String()
		if _, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
			l.To = nc.RemoteAddr().String()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dials++; t.dials == 1 {
		t.control = l
		return
	}
	if t.data == nil || !t.made {
		t.data, t.made, t.dataErr = &l, err == nil, err
	}
}

var pasvAddress = regexp.MustCompile(`(\d+), ?(\d+), ?(\d+), ?(\d+), ?\d+, ?\d+`)

// heard reads the addresses off the control connection.
func (t *trial) heard(l ftpclient.TraceLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !l.Sent && strings.HasPrefix(l.Line, "227"):
		if m := pasvAddress.FindStringSubmatch(l.Line); m != nil {
			t.told, _ = netip.ParseAddr(strings.Join(m[1:], "."))
		}
	case !l.Sent && strings.HasPrefix(l.Line, "1"):
		t.began = true
	case l.Sent && strings.HasPrefix(l.Line, "EPRT "):
		if parts := strings.Split(l.Line, "|"); len(parts) == 5 {
			t.listen = net.JoinHostPort(parts[2], parts[3])
		}
	case l.Sent && strings.HasPrefix(l.Line, "PORT "):
		if parts := strings.Split(l.Line[5:], ","); len(parts) == 6 {
			high, _ := strconv.Atoi(parts[4])
			low, _ := strconv.Atoi(parts[5])
			t.listen = net.JoinHostPort(strings.Join(parts[:4], "."), strconv.Itoa(high<<8|low))
		}
	}
}

func (t *trial) active() bool { return t.mode == ftpclient.ModeEPRT || t.mode == ftpclient.ModePORT }

// finding says how the listing went.
func (t *trial) finding(l ftpclient.Listing, err error) modeFinding {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := modeFinding{Mode: t.mode.String(), Control: &link{t.control.From, t.control.To}, Data: t.data, err: err}
	if t.active() && t.listen != "" {
		f.Data = &link{hostOf(t.control.To), t.listen}
	}
	if server := hostOf(t.control.To); t.told.IsValid() && t.told.String() != server && net.ParseIP(server) != nil {
		f.Told = t.told.String()
	}
	if err == nil {
		f.Result, f.Entries, f.Unread = works, len(l.Entries), l.Unparsed
		if f.Told != "" {
			f.Detail = "the server tells its address as " + f.Told + ", which is ignored"
		}
		return f
	}
	f.Result, f.Detail = t.judge(err)
	return f
}

// judge finds out where the packets stopped. mu is held.
func (t *trial) judge(err error) (result, string) {
	var said *ftpclient.Error
	words := phrase{err}.Error()
	if errors.As(err, &said) {
		words = fmt.Sprintf("%d %s", said.Code, phrase{errors.New(said.Text)})
	}
	_, noData := ftpclient.NoData(err)
	switch {
	case said != nil && !noData:
		return failed, words
	case said != nil && concernsData(said) && (said.Code == 425 || said.Code == 426) && t.active():
		return blocked, fmt.Sprintf("the server cannot connect to %s: it says %s", t.listen, words)
	case said != nil:
		return refused, words
	case t.active():
		return t.judgeActive(err, noData)
	}
	return t.judgePassive(err, noData)
}

func (t *trial) judgeActive(err error, noData bool) (result, string) {
	switch {
	case isTimeout(err) && noData:
		return blocked, fmt.Sprintf("from the server to %s: no connection came", t.listen) + strangers(err)
	case isTimeout(err):
		return blocked, "connected but silent: the server's connection came, and no data over it"
	}
	return failed, phrase{err}.Error()
}

func strangers(err error) string {
	if _, note, ok := strings.Cut(err.Error(), "a connection from "); ok {
		return "; a connection from " + strings.TrimSuffix(note, ")")
	}
	return ""
}

func (t *trial) judgePassive(err error, noData bool) (result, string) {
	switch {
	case t.data == nil && isTimeout(err):
		return blocked, fmt.Sprintf("the server does not answer %s: something on the way may swallow it", strings.ToUpper(t.mode.String()))
	case t.data == nil && noData:
		return refused, "the reply tells no address: " + phrase{err}.Error()
	case t.dataErr != nil && isTimeout(t.dataErr):
		return blocked, fmt.Sprintf("from this machine to %s: never connected, no answer to the packets", t.data.To)
	case errors.Is(t.dataErr, syscall.ECONNREFUSED):
		return blocked, fmt.Sprintf("from this machine to %s: never connected, nothing accepts connections there", t.data.To)
	case t.dataErr != nil:
		return blocked, fmt.Sprintf("from this machine to %s: never connected: %s", t.data.To, phrase{t.dataErr})
	case t.made && isTimeout(err):
		return blocked, fmt.Sprintf("connected but silent: %s accepts the connection, and no data comes over it", t.data.To)
	}
	return failed, phrase{err}.Error()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// hostOf is the host of a host:port.
func hostOf(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}
