package ftpclient

import "sync/atomic"

// Stats is a snapshot of what a Client has done since New.
type Stats struct {
	Open       int   // control connections open now, including those being opened
	Idle       int   // of them, ready for use
	Limit      int   // most control connections: Config.Connections, or what the server allowed when it refused one within the last minute; at least 1
	Logins     int64 // successful logins
	Commands   int64 // command lines sent
	RoundTrips int64 // writes of commands that waited for replies
	Transfers  int64 // data connections used for a listing or a file
	Encrypted  int64 // of them, under TLS
	Resumed    int64 // of those, by resuming a TLS session
	BytesIn    int64 // over data connections
	BytesOut   int64
	Unparsed   int64 // lines of listings that were not understood
}

type counters struct {
	logins, commands, roundTrips, transfers, encrypted, resumed, bytesIn, bytesOut, unparsed atomic.Int64
}

// Stats returns the counters so far. It does not block.
func (cl *Client) Stats() Stats {
	n := &cl.counters
	s := Stats{
		Logins:     n.logins.Load(),
		Commands:   n.commands.Load(),
		RoundTrips: n.roundTrips.Load(),
		Transfers:  n.transfers.Load(),
		Encrypted:  n.encrypted.Load(),
		Resumed:    n.resumed.Load(),
		BytesIn:    n.bytesIn.Load(),
		BytesOut:   n.bytesOut.Load(),
		Unparsed:   n.unparsed.Load(),
	}
	s.Open, s.Idle, s.Limit = cl.pool.counts()
	return s
}
