package ftpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// secureData is a data connection under TLS. Its handshake begins when the transfer's
// command has been sent, not before: servers take up the connection only then.
type secureData struct {
	*tls.Conn
	raw  *rawData
	done chan struct{} // closed when err is set
	err  error         // of the handshake
}

// rawData is what TLS reads and writes. It notes the end of the connection, and keeps TLS
// from changing deadlines.
type rawData struct {
	net.Conn
	ended bool
}

func (r *rawData) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		r.ended = true
	}
	return n, err
}

func (r *rawData) SetWriteDeadline(time.Time) error { return nil }

// protect puts a data connection under TLS, if data is to be. The handshake runs in the
// background; secured waits for it.
func (c *conn) protect(nc net.Conn) net.Conn {
	if !c.encryptsData() {
		return nc
	}
	raw := &rawData{Conn: nc}
	s := &secureData{Conn: tls.Client(raw, c.tls), raw: raw, done: make(chan struct{})}
	c.extend(s)
	answerAtOnce(nc)
	started := c.client.spawn(func() {
		defer close(s.done)
		s.err = s.Handshake()
	})
	if !started {
		s.err = net.ErrClosed
		close(s.done)
	}
	return s
}

// secured waits for the handshake of a data connection, for whose transfer the server is
// ready. If it fails, no data has been transferred.
func (c *conn) secured(m Mode, nc net.Conn, t transfer) (net.Conn, error) {
	s, ok := nc.(*secureData)
	if !ok {
		return nc, nil
	}
	c.setData(s)
	<-s.done
	if s.err == nil {
		c.begunTLS(s, t)
		return s, nil
	}
	c.setData(nil)
	err := c.cause(handshakeError(s.err))
	r, rerr := c.endEarly(s)
	if _, untrusted := errors.AsType[*CertificateError](err); untrusted {
		return nil, err // nor will it be in another mode
	}
	switch {
	case rerr == nil && r.code >= 500:
		return nil, fmt.Errorf("%w (%w)", refusal(t.cmd.verb, t.path, r), err)
	case rerr == nil && r.refused():
		err = fmt.Errorf("%w (%w)", refusal(t.cmd.verb, t.path, r), err)
	}
	return nil, &dataError{m, err}
}

// begunTLS follows the handshake.
func (c *conn) begunTLS(s *secureData, t transfer) {
	c.client.counters.encrypted.Add(1)
	state := s.ConnectionState()
	if state.DidResume {
		c.client.counters.resumed.Add(1)
	}
	answerAtOnce(s.raw.Conn)
	if t.download && state.Version >= tls.VersionTLS13 && c.client.server.isVsftpd() {
		// It waits for our end before its final reply: this saves a round trip. proftpd
		// takes it for a reason to cut off, and before TLS 1.3 everybody might.
		s.CloseWrite()
	}
}

// errTruncated: the end of a connection is part of what TLS protects (RFC 8446 section 6.1).
var errTruncated = fmt.Errorf("the data connection ended without the end that TLS demands: %w", io.ErrUnexpectedEOF)

// Read returns io.EOF only for an end that the server has declared; a connection that
// merely ends may have been cut off by anybody.
func (s *secureData) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err == io.EOF && s.raw.ended {
		err = errTruncated
	}
	return n, err
}

// CloseWrite ends our direction, of TLS and of the connection.
func (s *secureData) CloseWrite() error {
	err := s.Conn.CloseWrite()
	closeWrite(s.raw.Conn)
	return err
}

// endUpload ends the data of an upload. Under TLS the socket stays open until afterUpload: closed
// while a session ticket of the server is unread, it would be reset and data be lost.
func (c *conn) endUpload(nc net.Conn) error {
	s, ok := nc.(*secureData)
	if !ok {
		return nc.Close()
	}
	c.extend(s)
	return s.CloseWrite()
}

// afterUpload takes the session tickets and closes the socket; the server has had its
// last word.
func (c *conn) afterUpload(nc net.Conn) {
	if s, ok := nc.(*secureData); ok {
		c.setDeadline(s, time.Now().Add(c.soon()))
		io.Copy(io.Discard, s)
		s.raw.Close()
	}
}
