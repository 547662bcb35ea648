package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// errChoked: the server went away or talked nonsense before it had seen the password.
// Perhaps it does not bear a login in one write.
type errChoked struct{ error }

func (e errChoked) Unwrap() error { return e.error }

// errSwallowed: the server wants the password, and does not know that it has been sent.
type errSwallowed struct{ error }

func (e errSwallowed) Unwrap() error { return e.error }

// connect opens a control connection and logs in. It blocks for at most the timeout
// for each step.
func (cl *Client) connect(ctx context.Context) (*conn, error) {
	if err := cl.login.closed(); err != nil {
		return nil, err
	}
	stepwise := cl.login.bySteps()
	c, err := cl.connectOnce(ctx, stepwise)
	_, choked := errors.AsType[errChoked](err)
	_, swallowed := errors.AsType[errSwallowed](err)
	if (choked || swallowed) && !stepwise && !isAlert(err) {
		if c, err = cl.connectOnce(ctx, true); err == nil {
			cl.login.setStepwise()
			if swallowed {
				cl.server.learnLockstep()
			}
		}
	}
	cl.login.note(err)
	return c, err
}

func (cl *Client) connectOnce(ctx context.Context, stepwise bool) (*conn, error) {
	dialing, cancel := context.WithTimeout(ctx, cl.cfg.Timeout)
	defer cancel()
	begin := time.Now()
	nc, err := cl.cfg.Dial(dialing, "tcp", cl.cfg.Addr)
	if err != nil {
		if errors.Is(dialing.Err(), context.DeadlineExceeded) {
			err = os.ErrDeadlineExceeded
		}
		return nil, fmt.Errorf("connect to %s: %w", cl.cfg.Addr, err)
	}
	c := newConn(cl, nc, time.Since(begin))
	stop := context.AfterFunc(ctx, func() { c.interrupt(context.Cause(ctx)) })
	err = c.logIn(stepwise)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.fail(err)
		c.close()
		return nil, fmt.Errorf("login to %s: %w", cl.cfg.Addr, err)
	}
	cl.counters.logins.Add(1)
	return c, nil
}

// dialogue lets a login be sent in one write or step by step: next returns the reply
// to the next command.
type dialogue struct {
	c        *conn
	cmds     []command
	stepwise bool
}

func (d *dialogue) next(within time.Duration) (reply, error) {
	k := d.cmds[0]
	d.cmds = d.cmds[1:]
	if d.stepwise {
		if err := d.c.send(k); err != nil {
			return reply{}, failed(k.verb, "", err)
		}
	}
	r, err := d.c.receiveWithin(within)
	if err != nil {
		return reply{}, failed(k.verb, "", err)
	}
	return r, nil
}

// logIn sends everything in one write without waiting for the greeting, or step by
// step. The first connection asks for features and the login directory, too.
func (c *conn) logIn(stepwise bool) error {
	cfg := &c.client.cfg
	if err := c.chooseHost(false); err != nil {
		return err
	}
	if err := c.secure(stepwise); err != nil {
		return err
	}
	if err := c.chooseHost(true); err != nil {
		return err
	}
	known, facts := c.client.server.login()
	mode := c.passiveMode()
	if !known {
		mode = c.firstMode()
	}
	d := &dialogue{c, c.loginCommands(known, facts, mode), stepwise}
	if !stepwise {
		if err := c.send(d.cmds...); err != nil {
			return choked(err)
		}
	}
	banner, err := c.greeting()
	if err != nil {
		return err
	}
	if err := d.authenticate(cfg); err != nil {
		return err
	}
	if err := d.readProtection(); err != nil {
		return err
	}
	if err := d.readSettings(cfg); err != nil {
		return err
	}
	var pwd reply
	if !known || facts != "" {
		if pwd, err = d.next(cfg.Timeout); err != nil { // or that to OPTS MLST
			return err
		}
	}
	if mode != ModeAuto {
		if err := d.readSpare(mode); err != nil {
			return err
		}
	}
	if !known {
		return c.introduce(d, banner, pwd)
	}
	return nil
}

// loginCommands are those of a login, the first one or one that selects facts; mode is that of
// the spare data connection.
func (c *conn) loginCommands(known bool, facts string, mode Mode) []command {
	cfg := &c.client.cfg
	cmds := []command{{"USER", cfg.User}, {"PASS", cfg.Password}}
	if cfg.Account != "" {
		cmds = append(cmds, command{"ACCT", cfg.Account})
	}
	cmds = append(cmds, c.protection()...)
	if cfg.ClientName != "" {
		cmds = append(cmds, command{"CLNT", cfg.ClientName})
	}
	cmds = append(cmds, command{"OPTS", "UTF8 ON"}, command{"TYPE", "I"})
	switch {
	case !known:
		cmds = append(cmds, command{verb: "PWD"})
	case facts != "":
		cmds = append(cmds, command{"OPTS", "MLST " + facts})
	}
	if mode != ModeAuto {
		cmds = append(cmds, passiveCommand(mode))
	}
	if !known {
		// Last, since servers send it line by line, and a new TCP connection bears ten packets:
		// its end comes a round trip later, while the data connection is opened.
		cmds = append(cmds, command{verb: "FEAT"})
	}
	return cmds
}

// readSettings reads the replies to CLNT, OPTS UTF8 and TYPE, of which only the last matters.
func (d *dialogue) readSettings(cfg *Config) error {
	if cfg.ClientName != "" {
		if _, err := d.next(cfg.Timeout); err != nil {
			return err
		}
	}
	if _, err := d.next(cfg.Timeout); err != nil {
		return err
	}
	r, err := d.next(cfg.Timeout)
	if err == nil && !r.ok() {
		err = refusal("TYPE", "", r)
	}
	return err
}

// firstMode is how the first login may open a data connection, although nobody knows yet
// whether that works; ModeAuto: not.
func (c *conn) firstMode() Mode {
	return c.usable(c.client.cfg.Mode.candidates(c.peer.Is6())[0])
}

// readSpare reads where the server waits for the spare data connection, and begins to open
// it. Where the reply does not tell, there is none.
func (d *dialogue) readSpare(m Mode) error {
	r, err := d.next(d.c.client.cfg.Timeout)
	if err != nil || !r.ok() {
		return err
	}
	if to, err := d.c.passiveAddr(m, r); err == nil {
		d.c.dialSpare(m, to)
	} else if !isDataError(err) {
		return failed(passiveCommand(m).verb, "", err)
	}
	return nil
}

// maxDelays bounds the replies "ready in a while" before the greeting.
const maxDelays = 100

// greeting waits for the server to be ready, for no longer than the timeout in all. Once
// it has come it is returned again.
func (c *conn) greeting() (string, error) {
	if c.greeted {
		return c.banner, nil
	}
	deadline := time.Now().Add(c.client.cfg.Timeout)
	for range maxDelays {
		r, err := c.receiveWithin(time.Until(deadline))
		switch {
		case err != nil:
			if e, ok := errors.AsType[*Error](err.err); ok {
				e.Command = "connect"
				return "", e
			}
			return "", choked(failed("greeting", "", err))
		case r.code == 120: // ready in a while
		case r.code == 220:
			c.greeted, c.banner = true, r.text()
			return c.banner, nil
		case r.refused():
			return "", refusal("connect", "", r)
		default:
			return "", choked(c.surprised(r))
		}
	}
	return "", c.fail(fmt.Errorf("greeting: the server is never ready (%d delays)", maxDelays))
}

func choked(err error) error {
	if isTimeout(err) {
		return err
	}
	return errChoked{err}
}

// userTimeout bounds the wait for the reply to USER in a login in one write, since a
// server may have thrown away what came before its greeting.
const userTimeout = 10 * time.Second

// authenticate reads the replies to USER, PASS and ACCT (RFC 959 section 6).
func (d *dialogue) authenticate(cfg *Config) error {
	r, err := d.next(min(cfg.Timeout, userTimeout))
	if err != nil {
		if _, told := errors.AsType[*Error](err); told {
			return err
		}
		return errChoked{err}
	}
	switch {
	case r.code == 331 || r.code == 332 || r.ok():
	case r.code == 500 || r.code == 501 || r.code == 503 || !r.refused():
		return errChoked{refusal("USER", "", r)}
	default:
		return refusal("USER", "", r)
	}
	in, needsAccount := r.ok(), r.code == 332
	if r, err = d.next(cfg.Timeout); err != nil {
		if isTimeout(err) && !in {
			err = errSwallowed{err}
		}
		return err
	}
	if !in && !needsAccount {
		needsAccount = r.code == 332
		if !r.ok() && !needsAccount {
			return refusal("PASS", "", r)
		}
	}
	if cfg.Account == "" {
		if needsAccount {
			return refusal("ACCT", "", r)
		}
		return nil
	}
	// Where no account is needed the answer does not matter.
	if r, err = d.next(cfg.Timeout); err != nil {
		return err
	}
	if needsAccount && !r.ok() {
		return refusal("ACCT", "", r)
	}
	return nil
}

// introduce reads the reply to FEAT and notes what the first login has told.
func (c *conn) introduce(d *dialogue, banner string, pwd reply) error {
	feat, err := d.next(c.client.cfg.Timeout)
	if err != nil {
		return err
	}
	f := parseFeatures(feat)
	root, ok := parsePWD(pwd)
	if !ok {
		root = "/"
	}
	facts, lacking := f.selectFacts(c.client.cfg.Brief)
	switch {
	case lacking:
		if _, err := c.exchange(command{"OPTS", "MLST " + facts}); err != nil {
			return failed("OPTS", "", err)
		}
	case facts != "":
		c.facts = facts // no reason to wait
	}
	c.client.server.introduce(banner, f, root, facts)
	return nil
}

// parsePWD reads the path in a 257 reply: in quotes, inner quotes doubled (RFC 959
// appendix II), which pure-ftpd does not do.
func parsePWD(r reply) (string, bool) {
	text := r.text()
	_, rest, found := strings.Cut(text, `"`)
	if r.code != 257 || !found {
		return "", false
	}
	var path []byte
	for i := 0; i < len(rest); i++ {
		if rest[i] != '"' {
			path = append(path, rest[i])
			continue
		}
		if i+1 == len(rest) || rest[i+1] == ' ' {
			return string(path), strings.HasPrefix(string(path), "/")
		}
		path = append(path, '"')
		if rest[i+1] == '"' {
			i++
		}
	}
	return "", false
}
