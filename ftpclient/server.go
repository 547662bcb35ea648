package ftpclient

import (
	"slices"
	"strings"
	"sync"
)

// Server is what is known about the server.
type Server struct {
	Banner   string   // text of the greeting
	Features []string // lines of the FEAT reply, sorted
	TLS      string   // version and cipher suite of control connections; "" in clear
	Mode     string   // of data connections; "" until one has worked
	Zone     string   // of the clock that LIST times are told by; "" as long as it is not known, or need not be
	HasMLSD  bool     // listings are machine-readable (RFC 3659)
	HasMLST  bool
	ListsBy  string // MLSD, LIST or STAT: the command that lists directories, as far as is known by now

	ListsTogether bool // ListMany takes few round trips, as far as is known by now
	Outlines      bool // Outlines serves, as far as is known by now
}

// Capability says whether the server can do something, as far as it is known.
type Capability uint8

const (
	Unknown Capability = iota
	Yes
	No
)

func (k Capability) String() string { return [...]string{"unknown", "yes", "no"}[min(k, No)] }

// serverInfo is what the connections have learned about their common server.
type serverInfo struct {
	mu        sync.Mutex
	known     bool // a login has succeeded
	banner    string
	tls       string
	features  features
	site      siteVerbs // of SITE HELP; nil: not asked
	facts     string    // argument of OPTS MLST in a login, "" none
	root      string
	names     names
	proftpd   bool
	pureFTPd  bool
	pyftpdlib bool
	mff       bool // MFF sets permissions
	vsftpd    bool
	lossy     bool // what was sent once did not arrive
	storing   bool // appends to no file that is not there
	unchained bool // replies to a command behind a transfer command were out of order
	lockstep  bool // loses commands that come before it has replied to another
	reluctant bool // refuses a passive command before it has told the transfer's end
	halfEnd   bool // sends the final reply after the client's FIN
	eager     bool // takes data that arrives before the command
	early     bool // connects at PORT, before the transfer command
	mlsd      Capability
	mlst      Capability
	dashA     Capability // LIST -a
	dotted    bool       // LIST -a has a row of the directory itself
	stat      Capability // STAT lists as LIST does
	outline   Capability // STAT names what MLSD does
	proofs    int        // of these two, so far
	setTime   setTimeForm
	noMDTM    bool // MDTM does not set times
	seconds   bool // times that are set are kept to the second
	chmod     Capability
	chmodded  bool       // it has worked
	appends   Capability // APPE adds to a file
	restarts  Capability // REST before RETR
	sparing   Capability // RMD refuses a directory that is not empty
	quota     Capability // SITE QUOTA
}

// introduce takes over what the first login told.
func (s *serverInfo) introduce(banner string, f features, root, facts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		return
	}
	s.known = true
	s.names.utf8 = s.names.utf8 || f.has("UTF8")
	s.banner, s.features, s.root = banner, f, s.names.shown(root)
	s.facts = facts
	b := strings.ToLower(banner)
	s.proftpd = isProFTPD(banner, f)
	s.pureFTPd, s.pyftpdlib = strings.Contains(b, "pure-ftpd"), strings.Contains(b, "pyftpdlib")
	s.mff = strings.Contains(strings.ToUpper(f["MFF"]), "UNIX.MODE")
	s.vsftpd = strings.Contains(b, "vsftpd")
	s.halfEnd = s.proftpd || s.vsftpd
	s.eager = s.proftpd || s.vsftpd || s.pureFTPd
	s.mlsd, s.mlst = No, No
	if f.has("MLST") || f.has("MLSD") {
		s.mlsd, s.mlst = Yes, Yes
	}
	if f.has("MFMT") {
		s.setTime = setTimeMFMT
	}
	if s.proftpd || s.vsftpd || s.pureFTPd || s.pyftpdlib {
		s.appends, s.chmod = Yes, Yes // until they refuse
		s.sparing = Yes
	}
}

func (s *serverInfo) setTLS(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tls = session
}

// login tells whether the first login is done, and which facts later ones select.
func (s *serverInfo) login() (known bool, facts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.facts
}

// announced returns what FEAT has told, which does not change any more.
func (s *serverInfo) announced() features {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.features
}

// wantsFIN tells whether the client should end its direction of a download at once.
// Only where it is known to help: pyftpdlib falls silent if the FIN overtakes the
// command.
func (s *serverInfo) wantsFIN() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halfEnd
}

// bearsEarlyData tells whether the data of an upload may leave together with the command,
// which it may overtake. Only where it is known to be safe, on servers that take up the data
// connection when they carry the command out: pyftpdlib reads at once and loses what comes
// before the command.
func (s *serverInfo) bearsEarlyData() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eager
}

// lingers tells whether the server waits for our side when it closes a data connection.
func (s *serverInfo) lingers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vsftpd && !s.lossy
}

// dontHasten is told that what is sent only once does not always arrive.
func (s *serverInfo) dontHasten() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lossy = true
}

// isVsftpd recognises the server whose clock, listings and logins need care.
func (s *serverInfo) isVsftpd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vsftpd
}

// window is how many bytes of commands may wait for replies.
func (s *serverInfo) window() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lockstep:
		return 1
	case s.vsftpd || s.pureFTPd:
		return wide
	}
	return window
}

// chains tells whether the next passive address may be asked for behind a transfer command.
func (s *serverInfo) chains() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unchained
}

// dontChain is told that the replies to that were out of order, as they may be behind a
// gateway that looks into the conversation.
func (s *serverInfo) dontChain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unchained = true
}

// takesPassiveAtEnd tells whether the next passive address may be asked for at the end of the
// data, before the server has told that the transfer is over.
func (s *serverInfo) takesPassiveAtEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.reluctant
}

func (s *serverInfo) learnReluctant() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reluctant, s.unchained = true, true
}

// deafens tells whether the server may make one connection deaf when it has connected to a
// client's port for another one. After each PORT and EPRT, pyftpdlib stops watching the
// descriptor of that data connection only at the session's next PORT, EPRT, PASV or EPSV; by
// then it is another connection's, if there are others, which then is not heard any more.
func (s *serverInfo) deafens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pyftpdlib
}

// can reads, and learn sets, one of the capabilities.
func (s *serverInfo) can(k *Capability) Capability {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *k
}

func (s *serverInfo) learn(k *Capability, value Capability) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*k = value
}

// CheckName tells, without asking the server, whether it could keep a new file or
// directory of this path: an *Error of KindInvalid if a command cannot say it, or if the
// server is known to lose or change such names.
func (cl *Client) CheckName(path string) error {
	if err := checkPath("STOR", path); err != nil {
		return err
	}
	if _, err := cl.server.wire("STOR", path); err != nil {
		return err
	}
	return cl.server.checkNew("STOR", path)
}

// Server returns what is known about the server; zero before the first login.
func (cl *Client) Server() Server {
	mode, zone := cl.modes.get(), cl.clock.found()
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	known := Server{
		Banner:   s.banner,
		TLS:      s.tls,
		Features: s.features.list(),
		Zone:     zone,
		HasMLSD:  s.mlsd == Yes,
		HasMLST:  s.mlst == Yes,
		ListsBy:  s.listsBy(cl.cfg.ListBy),

		ListsTogether: s.stat == Yes && cl.cfg.ListBy == ListAuto,
		Outlines:      s.outline == Yes && cl.cfg.ListBy == ListAuto,
	}
	slices.Sort(known.Features)
	if mode != ModeAuto {
		known.Mode = mode.String()
	}
	return known
}

// listsBy is the command that List uses; s.mu is held.
func (s *serverInfo) listsBy(by ListBy) string {
	switch {
	case by != ListAuto:
		return strings.ToUpper(by.String())
	case s.mlsd == Yes:
		return "MLSD"
	case s.stat == Yes:
		return "STAT"
	}
	return "LIST"
}

// Root returns the login directory, an absolute path; "/" if the server does not tell
// or before the first login.
func (cl *Client) Root() string {
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == "" {
		return "/"
	}
	return s.root
}

// mixesLinks tells whether MLST mixes facts of a symbolic link with its target's.
func (s *serverInfo) mixesLinks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proftpd
}

// connectsAtPort tells whether the server connects before it replies to PORT.
func (s *serverInfo) connectsAtPort() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.early
}

func (s *serverInfo) learnConnectsAtPort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.early = true
}
