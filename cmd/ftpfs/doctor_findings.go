package main

// findings are what ftpfs doctor has found, in the form of --json.
type findings struct {
	URL        string        `json:"url"`                   // without password
	Works      bool          `json:"works"`                 // a mount would work
	Problem    string        `json:"problem,omitempty"`     // why not
	Command    string        `json:"command,omitempty"`     // that mounts the server
	Proxy      string        `json:"proxy,omitempty"`       // without user and password
	Paths      []pathFinding `json:"paths"`                 // one for each version of IP
	Server     *serverFacts  `json:"server,omitempty"`      // nil if no login succeeded
	MostLogins *limitFinding `json:"connections,omitempty"` // with --limit
}

// pathFinding is one way to the server: a version of IP, or the proxy.
type pathFinding struct {
	Name    string        `json:"name"`              // IPv4, IPv6 or proxy
	Address string        `json:"address,omitempty"` // of the server, as connected to
	Error   string        `json:"error,omitempty"`   // why there is no login
	LoginMS float64       `json:"loginMs,omitempty"`
	Modes   []modeFinding `json:"modes,omitempty"`

	err error
}

// result says how a mode fares.
type result string

const (
	works   result = "works"
	refused result = "refused" // by the server, in words
	blocked result = "blocked" // packets do not arrive, or nothing comes back
	failed  result = "failed"  // anything else
	untried result = "untried" // no time was left, or the version of IP has no such mode
)

// modeFinding is how one mode of data connections fares.
type modeFinding struct {
	Mode    string   `json:"mode"`
	Result  result   `json:"result"`
	Detail  string   `json:"detail,omitempty"`
	Entries int      `json:"entries,omitempty"` // of the listing
	Unread  int      `json:"unread,omitempty"`  // lines of it that were not understood
	ListMS  float64  `json:"listMs,omitempty"`
	Control *link    `json:"control,omitempty"` // the control connection
	Data    *link    `json:"data,omitempty"`    // the data connection, made or attempted
	Told    string   `json:"told,omitempty"`    // the address in the reply to PASV, where it is not the server's
	Flags   []string `json:"flags,omitempty"`   // that the mode needs besides its own

	err error
}

// link is a connection, made or attempted, from who connects to who listens; without a
// port where it is not known.
type link struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// serverFacts is what the server tells of itself.
type serverFacts struct {
	Banner      string   `json:"banner"`
	TLS         string   `json:"tls"`                // version and ciphers; "" in clear
	Sessions    string   `json:"sessions,omitempty"` // how data connections resume them
	RoundTripMS float64  `json:"roundTripMs"`
	Directory   string   `json:"directory"` // that would be mounted
	Listings    string   `json:"listings"`
	Names       string   `json:"names"`
	Features    []string `json:"features"`
}

// limitFinding is how many connections the server allows.
type limitFinding struct {
	Allowed int    `json:"allowed"`
	AtLeast bool   `json:"atLeast"` // nobody has refused more
	Reply   string `json:"reply,omitempty"`
}
