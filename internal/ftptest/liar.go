package ftptest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lies are what a Liar says. The functions may be called from several goroutines at a time.
type Lies struct {
	// Reply returns what is said in the place of the honest answer to a command, byte for byte,
	// or nil. The verb is in capitals, and Greeting at first.
	Reply func(verb, arg string) io.Reader
	// Data returns what comes over the data connection of MLSD, LIST or RETR; nil is nothing.
	// After it comes a 226.
	Data func(verb, path string) io.Reader
	// Features are the lines of FEAT between its first and its last.
	Features []string
	// TLS takes AUTH TLS, and protects data where that is asked for.
	TLS bool
	// Cut tells whether the word by which TLS ends data is left away; nil is never.
	Cut func(verb, path string) bool
}

// A Liar is a server that says whatever a test wants, and is honest about the rest: it lets
// everybody in, takes every file, and keeps none.
type Liar struct {
	lies     Lies
	listener net.Listener
	group    sync.WaitGroup

	mu    sync.Mutex
	open  map[io.Closer]struct{} // nil: closed
	heard []string
}

// liesFor is how long a connection of a Liar lives.
const liesFor = 2 * time.Minute

// StartLiar starts a Liar on loopback, and ends it with the test.
func StartLiar(t testing.TB, lies Lies) *Liar {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Liar{lies: lies, listener: l, open: make(map[io.Closer]struct{})}
	s.group.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.group.Go(func() { s.serve(nc) })
		}
	})
	t.Cleanup(s.close)
	return s
}

// Addr returns the server's host:port.
func (s *Liar) Addr() string { return s.listener.Addr().String() }

// Trust returns a client's configuration that believes the server's certificate.
func (s *Liar) Trust() *tls.Config {
	_, cert := certificate()
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{RootCAs: roots}
}

// Commands returns what was heard on all control connections. What PASS says is left out.
func (s *Liar) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.heard...)
}

func (s *Liar) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.open = nil
	s.mu.Unlock()
	s.group.Wait()
}

// keep has c closed at the end; false: that has come.
func (s *Liar) keep(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		c.Close()
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *Liar) drop(c io.Closer) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// liarConn is one control connection.
type liarConn struct {
	*Liar
	nc      net.Conn
	br      *bufio.Reader
	data    net.Listener   // of the last EPSV or PASV
	client  netip.AddrPort // of the last EPRT or PORT
	rest    int64
	private bool // data goes under TLS
}

func (s *Liar) serve(nc net.Conn) {
	if !s.keep(nc) {
		return
	}
	defer s.drop(nc)
	nc.SetDeadline(time.Now().Add(liesFor))
	c := &liarConn{Liar: s, nc: nc, br: bufio.NewReader(nc)}
	defer c.endData()
	if !c.answer(Greeting, "") {
		return
	}
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		verb = strings.ToUpper(verb)
		s.mu.Lock()
		if said := strings.TrimRight(line, "\r\n"); verb != "PASS" {
			s.heard = append(s.heard, said)
		}
		s.mu.Unlock()
		if !c.answer(verb, arg) {
			return
		}
	}
}

func (c *liarConn) say(lines ...string) bool {
	_, err := io.WriteString(c.nc, strings.Join(lines, "\r\n")+"\r\n")
	return err == nil
}

// answer says what there is to say, false at the end of the conversation.
func (c *liarConn) answer(verb, arg string) bool {
	if c.lies.Reply != nil {
		if lie := c.lies.Reply(verb, arg); lie != nil {
			_, err := io.Copy(c.nc, lie)
			return err == nil
		}
	}
	switch verb {
	case Greeting:
		return c.say("220 ready")
	case "USER":
		return c.say("331 password")
	case "PASS":
		return c.say("230 in")
	case "FEAT":
		return c.say(append(append([]string{"211-Features"}, c.lies.Features...), "211 End")...)
	case "PWD":
		return c.say(`257 "/"`)
	case "CWD":
		return c.say("250 there")
	case "REST":
		c.rest, _ = strconv.ParseInt(arg, 10, 64)
		return c.say("350 from there")
	case "AUTH":
		return c.secure()
	case "PBSZ", "PROT", "OPTS", "TYPE", "NOOP", "ALLO":
		c.private = c.private || verb == "PROT" && arg == "P"
		return c.say("200 ok")
	case "EPSV", "PASV":
		return c.passive(verb)
	case "EPRT", "PORT":
		c.endData()
		var err error
		// Nobody is connected to but who asks for it.
		if c.client, err = parsePort(verb, arg); err != nil || !c.client.Addr().IsLoopback() {
			return c.say("500 not there")
		}
		return c.say("200 ok")
	case "MLSD", "LIST", "RETR", "STOR", "APPE":
		return c.transfer(verb, arg)
	case "RNFR":
		return c.say("350 what to")
	case "RNTO", "DELE", "RMD", "SITE", "MFMT":
		return c.say("250 done")
	case "MKD":
		return c.say(`257 "/made"`)
	case "SIZE", "MDTM", "MLST":
		return c.say("550 not found")
	case "QUIT":
		c.say("221 bye")
		return false
	}
	return c.say("502 what")
}

func (c *liarConn) secure() bool {
	if !c.lies.TLS {
		return c.say("502 in clear only")
	}
	if !c.say("234 go on") {
		return false
	}
	secured := tls.Server(c.nc, liarTLS())
	c.nc, c.br = secured, bufio.NewReader(secured)
	return secured.Handshake() == nil
}

// liarTLS has the certificate of the real servers.
var liarTLS = sync.OnceValue(func() *tls.Config {
	both, _ := certificate()
	pair, err := tls.X509KeyPair(both, both)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
})

func (c *liarConn) passive(verb string) bool {
	c.endData()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || !c.keep(l) {
		return false
	}
	c.data = l
	port := l.Addr().(*net.TCPAddr).Port
	if verb == "EPSV" {
		return c.say(fmt.Sprintf("229 Extended Passive Mode (|||%d|)", port))
	}
	return c.say(fmt.Sprintf("227 Passive Mode (127,0,0,1,%d,%d)", port>>8, port&0xff))
}

// endData forgets what was announced of the next data connection.
func (c *liarConn) endData() {
	if c.data != nil {
		c.drop(c.data)
	}
	c.data, c.client = nil, netip.AddrPort{}
}

func (c *liarConn) dataConn() (nc net.Conn, err error) {
	const soon = 10 * time.Second
	switch {
	case c.data != nil:
		c.data.(*net.TCPListener).SetDeadline(time.Now().Add(soon))
		nc, err = c.data.Accept()
	case c.client.IsValid():
		nc, err = net.DialTimeout("tcp", c.client.String(), soon)
	default:
		err = fmt.Errorf("no data connection was announced")
	}
	c.endData()
	return nc, err
}

func (c *liarConn) transfer(verb, path string) bool {
	from := c.rest
	c.rest = 0
	nc, err := c.dataConn()
	if err != nil {
		return c.say("425 no data connection")
	}
	if !c.keep(nc) {
		return false
	}
	defer c.drop(nc)
	nc.SetDeadline(time.Now().Add(liesFor))
	if !c.say("150 here") {
		return false
	}
	if err := c.move(nc, verb, path, from); err != nil {
		return c.say("426 broken off")
	}
	return c.say("226 done")
}

// farthest is where data may begin at most: those before it are made up, and thrown away.
const farthest = 1 << 30

func (c *liarConn) move(nc net.Conn, verb, path string, from int64) error {
	var stream io.ReadWriteCloser = nc
	if c.private {
		secured := tls.Server(nc, liarTLS())
		if err := secured.Handshake(); err != nil {
			return err
		}
		stream = secured
	}
	if verb == "STOR" || verb == "APPE" {
		_, err := io.Copy(io.Discard, stream)
		stream.Close()
		return err
	}
	var data io.Reader = strings.NewReader("")
	if c.lies.Data != nil {
		if lie := c.lies.Data(verb, path); lie != nil {
			data = lie
		}
	}
	if from > farthest {
		return errors.New("nothing is so far")
	}
	if _, err := io.CopyN(io.Discard, data, from); err != nil && err != io.EOF {
		return err
	}
	_, err := io.Copy(stream, data)
	if c.lies.Cut != nil && c.lies.Cut(verb, path) {
		stream = nc
	}
	stream.Close()
	return err
}

// Endless is text over and over.
func Endless(text string) io.Reader { return &endless{text: text} }

type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], e.text[e.at:])
		n, e.at = n+m, (e.at+m)%len(e.text)
	}
	return n, nil
}
