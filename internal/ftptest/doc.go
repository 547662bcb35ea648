// Package ftptest gives tests FTP servers to talk to.
//
// Real starts one of the real servers (vsftpd, proftpd, pure-ftpd, pyftpdlib), each with a
// configuration, a user database and a login directory of its own, on a loopback port of its
// own, so that many run side by side. They are unpacked by "make setup"; they need root, as
// they change to the user who logs in. NewReal starts them outside of tests, also in another
// network namespace.
//
// Start, or New outside of tests, starts the embedded server: ftpserverlib on an afero file
// system, behind a proxy that writes down every line of the control connections (Log) and
// breaks them, their replies and the data connections on demand (the methods of Embedded). With
// Options.Upstream the proxy stands before a real server instead.
//
// Everything listens on loopback, unless another address is given, ends with the test, and
// leaves nothing behind: no process, no goroutine, no file. A server outlives neither a panic
// nor a kill of the test process.
//
// Limits: Linux only. The embedded server speaks TLS after AUTH only. The certificate of the real servers
// is made once per process and is valid for localhost and the loopback addresses only.
package ftptest
