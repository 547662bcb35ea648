// Package ftpclient is a client of FTP servers (RFC 959, 2389, 2428, 3659, 4217) for programs
// that use one server much and from several goroutines: a file system, a mirror, a
// backup.
//
// A Client is a pool of control connections to one server. Its verbs (List, Stat,
// Rename, Delete and so on) each take a connection, speak, and give it back. Retrieve
// returns a Reader, Store, Create and Append return a Writer; these own a connection until
// their end. An Entry describes a file, a Listing the content of a directory.
//
// # Paths
//
// Paths are absolute and made of raw bytes; nothing is cleaned or quoted, and only with
// Config.Charset translated.
// Line breaks and NUL are refused before anything is sent. A path that is too long for a
// command is reached by way of its directory; where that cannot be, the Error has
// KindNameTooLong.
//
// # Ownership
//
// Who opens a Reader must Close it; who opens a Writer must end it by Close, Commit or
// Abort. The Client must be closed: Close ends everything that is under way and waits
// for the goroutines of the package, of which none outlives it.
//
// # Waiting
//
// Every verb takes a context and returns when it ends; the connection in use is then
// given up, since its replies cannot be told apart any more. For Retrieve, Store, Create and
// Append the context covers the opening only. Apart from the context, nothing lasts
// longer than Config.Timeout without a sign of life from the server, except waiting for
// a connection while others use all of them.
//
// Connections are handed out first come first served, at most Config.Connections or as
// many as the server allows, which is learned from its replies 421 and 530. One is never
// given to Readers and Writers if there are more, so that short commands and listings
// get through. Contended tells that somebody waits for a transfer to end. Who works ahead of others
// says so by Expect, and learns from Idle when a connection can be used again.
//
// # Errors and repetition
//
// A refusal by the server is an *Error: it has the reply and a Kind, and answers
// errors.Is for fs.ErrNotExist, fs.ErrPermission, fs.ErrExist and
// errors.ErrUnsupported. Errors of the network stay what they are, wrapped:
// os.ErrDeadlineExceeded, syscall.ECONNREFUSED, and net.ErrClosed after Close.
//
// If a connection that had been idle turns out to be dead, what only asks is asked again
// on another one. What changes something is not, unless it certainly was not done: the
// error then is a *LostError. A Writer begins anew by itself only if the server says, before
// it has accepted anything, that its data connection was dead. While the server cannot be
// reached all callers share a dial at a time, with growing pauses of up to two seconds; the
// longer ones are not waited for, the last failure is the answer at once. Where some connections
// live and another one is refused, or dies, all wait for those. After a minute without a login one
// is tried before others, and a refused one is tried again after a minute, then every 20 minutes, so
// that a password that has become wrong does not lock the account.
//
// # Data
//
// Each listing, unless it comes by STAT, and each file goes over a data connection of its own: EPSV, PASV, EPRT or
// PORT, as Config.Mode says or as turns out to work. In passive modes each idle
// control connection keeps a data connection open for the next transfer, which then
// takes a single round trip; on servers known to bear it the first 64 KiB of an upload leave
// together with its command. The end of a small upload is followed by a reset where the server
// would wait for us otherwise (vsftpd), and Create appends where it would wait for its disk. Files are transferred as they are (TYPE I). A listing is
// returned only when the server has said that it is whole; a Reader reports io.EOF
// only when the size or the server says so; Writer.Close returns the server's verdict. CopyTo
// lets two servers copy a file between them.
//
// # Security
//
// With TLSExplicit and TLSImplicit nothing but AUTH is sent in clear, and data
// connections are under TLS unless Config.ClearData is set. TLSTry protects only against
// who listens, not against who interferes: it goes on in clear if the server refuses TLS by
// a reply 5xx. Neither a failed handshake nor an untrusted certificate is such a reply, nor
// is any after the server has agreed to TLS once.
//
// The server's certificate has to be valid for its name, or to be pinned; otherwise the error is
// a *CertificateError. Data connections resume the TLS session of their control connection,
// which servers demand to be sure of the client. A download whose end is not declared by
// TLS ends with io.ErrUnexpectedEOF, unless its size was known and has come. Data never leaves
// before the server's answer to its command.
//
// Passwords and accounts are in no error, log or trace.
//
// # Locks
//
// A control connection is used by one goroutine at a time and needs no lock, apart from
// its deadlines, which an interruption may set. Locks are taken in the order Reader or Writer, pool,
// Client, and at last one of those of a connection, of a data connection, or of what is remembered:
// of the server, its clock, the modes, the login and the transfers. None is held across the network.
package ftpclient
