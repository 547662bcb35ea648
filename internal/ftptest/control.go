package ftptest

import (
	"bufio"
	"bytes"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// control is one control connection, from the client through us to ftpserverlib. Three
// goroutines serve it: commands reads from the client, replies reads from the server, and
// deliveries writes to the client. Whichever ends first ends all.
type control struct {
	e      *Embedded
	id     int
	client *net.TCPConn
	from   socket        // what the client says; for commands alone
	to     socket        // what it hears; for deliveries alone, but before agreed
	agreed chan bool     // whether TLS begins in the place of AUTH's answer
	done   chan struct{} // closed by close
	wake   chan struct{} // out has grown
	deaf   bool          // the server gets no more commands; for commands alone

	mu      sync.Mutex
	closed  bool
	server  net.Conn   // nil until dialled
	pending []*pending // commands without their final reply, the oldest first
	out     []*delivery
	data    *relay // announced last, for the next transfer
	private bool   // data connections are under TLS
}

// pending is a command that waits for its final reply.
type pending struct {
	verb  string
	local string  // answered by us with this; the server does not know of it
	fail  Failure // in the place of an answer; local is not empty
	quit  bool    // close after the answer
	auth  bool    // TLS comes after the answer, if it is 234
	relay *relay  // of an active transfer
}

// delivery is a reply on its way to the client.
type delivery struct {
	lines []string
	delay *rule
	hold  *Hold
	cut   *rule // reset after so many bytes
	fail  Failure
	quit  bool // close afterwards
	auth  bool // TLS comes after a 234
}

const maxLine = 1 << 20 // far more than ftpserverlib takes

func newControl(e *Embedded, id int, client *net.TCPConn) *control {
	return &control{
		e: e, id: id, client: client, from: socket{client, nil}, to: socket{client, nil}, agreed: make(chan bool, 1),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		pending: []*pending{{verb: Greeting}},
	}
}

// run serves the connection until it ends.
func (c *control) run(tooMany bool) {
	defer c.close()
	var all sync.WaitGroup
	defer all.Wait()
	if tooMany {
		c.deliver(&delivery{lines: []string{"421 There are too many connected users, please try later."}, quit: true})
		c.deliveries()
		return
	}
	server, err := net.Dial("tcp", c.e.upstream)
	if err != nil || !c.setServer(server) {
		c.close()
		return
	}
	all.Go(func() { defer c.close(); c.commands() })
	all.Go(func() { defer c.close(); c.deliveries() })
	c.replies()
}

func (c *control) setServer(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		server.Close()
		return false
	}
	c.server = server
	return true
}

// close ends the connection on both sides.
func (c *control) close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	server, data := c.server, c.data
	c.mu.Unlock()
	close(c.done)
	c.client.Close()
	if server != nil {
		server.Close()
	}
	if data != nil {
		data.listener.Close()
	}
	c.e.forget(c)
}

func (c *control) reset() {
	c.client.SetLinger(0)
	c.close()
}

// commands reads what the client writes, a burst at a time.
func (c *control) commands() {
	buf := make([]byte, 64<<10)
	var rest []byte // of a line that has not ended
	for {
		n, err := c.from.Read(buf)
		rest = append(rest, buf[:n]...)
		if end := bytes.LastIndexByte(rest, '\n'); end >= 0 {
			burst := string(rest[:end+1])
			rest = slices.Clone(rest[end+1:])
			if !c.burst(strings.SplitAfter(burst, "\n")) {
				return
			}
		}
		if err != nil || len(rest) > maxLine {
			return
		}
	}
}

// burst passes the commands of one write on. It returns false when the connection has ended.
func (c *control) burst(lines []string) bool {
	lines = lines[:len(lines)-1] // behind the last LF
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = strings.TrimRight(line, "\r\n")
	}
	c.e.log.sent(c.id, clean)
	var forward strings.Builder
	for i, line := range lines {
		verb, arg, _ := strings.Cut(clean[i], " ")
		verb = strings.ToUpper(verb)
		if c.e.faults.take(loseCommand, verb, nil) != nil {
			c.server.Write([]byte(forward.String()))
			c.reset()
			return false
		}
		p := &pending{verb: verb}
		if c.deaf {
			continue
		}
		switch reply, quit := c.refusal(verb); {
		case c.failing(p):
		case reply != "":
			p.local, p.quit = reply, quit
		case c.secures(p, arg):
		case verb == "PORT" || verb == "EPRT":
			line = c.active(verb, arg, line)
		case isTransfer(verb):
			p.relay = c.arm(verb)
		}
		c.push(p)
		if p.auth && !c.upgrade() {
			return false
		}
		if p.local == "" {
			forward.WriteString(line)
		}
	}
	_, err := c.server.Write([]byte(forward.String()))
	return err == nil
}

// failing reports whether the connection is to fail in the place of an answer to p.
func (c *control) failing(p *pending) bool {
	if p.fail = c.e.faults.failure(p.verb, OnCommand); p.fail == 0 {
		return false
	}
	p.local = garbage
	c.deaf = p.fail != Garbage && p.fail != Drip
	return true
}

// refusal returns the answer that keeps a command from the server, "" when it may pass.
func (c *control) refusal(verb string) (reply string, quit bool) {
	if r := c.e.faults.take(refuseCommand, verb, nil); r != nil {
		return r.reply, false
	}
	for _, unknown := range c.e.opts.Quirks.Unknown {
		if strings.EqualFold(unknown, verb) {
			return "500 Unknown command.", false
		}
	}
	if verb == "PASS" && c.e.faults.exceeded(c.e.Connections(), AtLogin) {
		return "530 Sorry, the maximum number of clients are already connected.", true
	}
	return "", false
}

// push queues a command; one that we answer is answered when its turn has come.
func (c *control) push(p *pending) {
	c.mu.Lock()
	c.pending = append(c.pending, p)
	c.answerLocal()
	c.mu.Unlock()
	c.nudge()
}

// answerLocal answers the oldest commands for as long as they are ours. It needs mu.
func (c *control) answerLocal() {
	for len(c.pending) > 0 && c.pending[0].local != "" {
		p := c.pending[0]
		c.pending = c.pending[1:]
		if p.fail != 0 {
			c.out = append(c.out, &delivery{lines: []string{p.local}, fail: p.fail})
			continue
		}
		d := c.e.faults.tamper(p.verb, strings.Split(p.local, "\n"), p.quit)
		d.auth = p.auth
		c.out = append(c.out, d)
	}
}

// replies reads what the server answers until it closes the connection.
func (c *control) replies() {
	in := bufio.NewReader(c.server)
	for {
		lines, err := readReply(in)
		if err != nil {
			c.deliver(&delivery{quit: true})
			<-c.done // what is on its way still has to be delivered
			return
		}
		c.replied(lines)
	}
}

// readReply reads the lines of one reply (RFC 959, 4.2), without their CRLF.
func readReply(in *bufio.Reader) (lines []string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[:3] != lines[0][:3] || line[3] != '-' {
			if len(lines) == 1 || len(line) > 3 && line[:4] == lines[0][:3]+" " {
				return lines, nil
			}
		}
	}
}

// replied hands one reply of the server to the client, as the faults want it.
func (c *control) replied(lines []string) {
	code, _ := strconv.Atoi(lines[0][:min(3, len(lines[0]))])
	final := code >= 200
	c.mu.Lock()
	head := &pending{} // of a reply that nobody asked for
	if len(c.pending) > 0 {
		head = c.pending[0]
	}
	c.mu.Unlock()
	switch {
	case code == 227 || code == 229:
		lines = c.passive(head.verb, code, lines)
	case head.verb == "FEAT":
		lines = c.features(lines)
	case !final && head.relay != nil && !head.relay.connected(c.done):
		return // the server does not know that the client was not there
	case final && head.relay != nil && head.relay.failed():
		lines = []string{"425 Can't open data connection."}
	}
	c.mu.Lock()
	c.out = append(c.out, c.e.faults.tamper(head.verb, lines, false))
	if final && len(c.pending) > 0 {
		c.pending = c.pending[1:]
		c.answerLocal()
	}
	c.mu.Unlock()
	c.nudge()
}

// features strikes out of a FEAT reply what is unknown or hidden here.
func (c *control) features(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		absent := slices.Concat(c.e.opts.Quirks.Unknown, c.e.opts.Quirks.Hidden)
		return slices.ContainsFunc(absent, func(u string) bool { return strings.EqualFold(u, name) })
	})
}

func (c *control) deliver(d *delivery) {
	c.mu.Lock()
	c.out = append(c.out, d)
	c.mu.Unlock()
	c.nudge()
}

func (c *control) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
