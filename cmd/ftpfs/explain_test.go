package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/internal/dialer"
)

func TestExplainConnect(t *testing.T) {
	f := &flags{timeout: 5 * time.Second}
	ann := job{Target: target{Host: "host", Port: 2121}, User: "ann"}
	anonymous := job{Target: target{Host: "host", Port: 21}}
	dial := func(err error) error { return fmt.Errorf("ftp: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	tests := []struct {
		j    job
		err  error
		code int
		want string
	}{
		{ann, &ftpclient.Error{Command: "PASS", Code: 530, Text: "Login incorrect."}, exitLogin,
			"host:2121 refused the login of ann: PASS: 530 Login incorrect. Check user and password."},
		{anonymous, &ftpclient.Error{Command: "USER", Code: 530, Text: "No"}, exitLogin,
			"host lets nobody in anonymously: USER: 530 No. Name a user, as in ftp://user@host/."},
		{ann, &ftpclient.Error{Command: "PASS", Code: 530, Text: "Too many users"}, exitServer,
			"host:2121 has too many connections now: PASS: 530 Too many users. Try again later."},
		{ann, &ftpclient.Error{Command: "TYPE", Code: 504, Text: "No binary"}, exitServer, "host:2121 cannot be used: TYPE: 504 No binary."},
		{ann, dial(&net.DNSError{Err: "no such host", Name: "host", IsNotFound: true}), exitServer, "There is no host host: check its spelling."},
		{ann, dial(syscall.ECONNREFUSED), exitServer, "host accepts no connection on port 2121: check that the FTP server runs, and the port in the URL."},
		{ann, dial(syscall.EHOSTUNREACH), exitServer, "host:2121 cannot be reached: ftp: dial tcp: no route to host. Check the network."},
		{ann, dial(os.ErrDeadlineExceeded), exitServer, "host:2121 did not answer within 5s: check host, port and firewall, or raise --timeout."},
		{ann, context.DeadlineExceeded, exitServer, "host:2121 did not answer within 5s: check host, port and firewall, or raise --timeout."},
		{ann, &dialer.ProxyError{Proxy: "socks5://p:1080", Err: syscall.ECONNREFUSED}, exitServer,
			"The proxy socks5://p:1080 cannot be reached: connection refused. Check --proxy and ALL_PROXY, or use --proxy none."},
		{ann, &dialer.ProxyError{Proxy: "http://p:80", Reached: true, Err: errors.New("it answers 403 Forbidden")}, exitServer,
			"The proxy http://p:80 does not connect to host:2121: it answers 403 Forbidden. Check its user and password, and whether it may connect to that port."},
		{ann, io.ErrUnexpectedEOF, exitServer, "host:2121 cannot be used: unexpected EOF. Check that it is an FTP server."},
	}
	for _, tt := range tests {
		err := explainConnect(tt.err, tt.j, f)
		expect(t, tt.err.Error(), err, tt.code, tt.want)
	}
	virtual := &flags{virtualHost: "v"}
	expect(t, "host", explainConnect(&ftpclient.Error{Command: "HOST", Code: 504, Text: "v: Unknown hostname provided"}, ann, virtual), exitServer,
		"host:2121 does not serve the host v: HOST: 504 v: Unknown hostname provided. Check --virtual-host, or leave it away.")
	expect(t, "host before login", explainConnect(&ftpclient.Error{Command: "HOST", Code: 530, Text: "Please login with USER and PASS."}, ann, virtual), exitServer,
		"host:2121 does not serve the host v: HOST: 530 Please login with USER and PASS. Check --virtual-host, or leave it away.")
	expect(t, "version", explainConnect(dial(&net.AddrError{Err: "no suitable address found", Addr: "192.0.2.1"}), ann, &flags{ipv6: true}), exitServer,
		"host has no address of the version of IP that --ipv4 or --ipv6 asks for: leave that away.")
	bound := &flags{bind: "192.0.2.1"}
	expect(t, "bind", explainConnect(dial(syscall.EADDRNOTAVAIL), ann, bound), exitServer,
		"host:2121 cannot be reached from 192.0.2.1: ftp: dial tcp: cannot assign requested address. Check --bind: the command ip address lists what there is.")
}

func TestExplainMount(t *testing.T) {
	j := job{Target: target{Host: "host", Port: 21}, MountPoint: "/mnt"}
	tests := []struct {
		err  error
		code int
		want string
	}{
		{&ftpclient.Error{Command: "CWD", Path: "/a", Code: 550, Text: "No such file. "}, exitRemoteDir,
			"The directory /a on host cannot be read: CWD /a: 550 No such file. Check the path in the URL; a second slash, as in ftp://host//dir, makes it absolute."},
		{&ftpclient.Error{Command: "MLSD", Path: "/a", Code: 500, Text: "Unknown command."}, exitServer,
			"host cannot list directories in this way: MLSD /a: 500 Unknown command. Leave --listing away: what works is found out."},
		{fmt.Errorf("(550) %w", syscall.EACCES), exitRemoteDir,
			"The directory /a on host cannot be read: (550) permission denied. Check the path in the URL; a second slash, as in ftp://host//dir, makes it absolute."},
		{&ftpclient.Error{Command: "LIST", Path: "/a", Code: 522, Text: "Data connections must be encrypted."}, exitServer,
			"host cannot send a listing with data protected as asked: LIST /a: 522 Data connections must be encrypted. Try the other value of --tls-data, private or clear."},
		{&ftpclient.HandshakeError{Err: errors.New("no")}, exitServer,
			"host cannot send a listing with data protected as asked: TLS handshake: no. Try the other value of --tls-data, private or clear."},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, exitServer,
			"host cannot send a listing: dial: connection refused. ftpfs doctor finds out what blocks data connections, and which --mode works."},
		{&ftpclient.Error{Command: "PORT", Code: 500, Text: "Illegal PORT command"}, exitServer,
			"host cannot send a listing: PORT: 500 Illegal PORT command. ftpfs doctor finds out what blocks data connections, and which --mode works."},
		{&ftpclient.Error{Command: "MLSD", Path: "/a", Code: 425, Text: "Cannot connect"}, exitServer,
			"host cannot send a listing: MLSD /a: 425 Cannot connect. ftpfs doctor finds out what blocks data connections, and which --mode works."},
		{&fs.PathError{Op: "mkdir", Path: "/c", Err: syscall.EACCES}, exitMountPoint,
			"The cache directory cannot be used: mkdir /c: permission denied. Choose another one by --cache-dir."},
		{fmt.Errorf("cache directory /c: others may write to it: %w", fs.ErrPermission), exitMountPoint,
			"The cache directory /c: others may write to it: permission denied. Choose another one by --cache-dir."},
		{fmt.Errorf("mounting on /mnt: %w", errors.New("fusermount3: no")), exitMountPoint, "/mnt cannot be mounted on: fusermount3: no."},
		{errors.New("EPSV: no address in 229 \"x\""), exitServer,
			"host cannot send a listing: EPSV: no address in 229 \"x\". Check that it is an FTP server, and by ftpfs doctor which --mode works."},
		{io.ErrUnexpectedEOF, exitServer,
			"host cannot send a listing: unexpected EOF. Check that it is an FTP server, and by ftpfs doctor which --mode works."},
		{context.DeadlineExceeded, exitServer,
			"host did not send a listing in time: context deadline exceeded. ftpfs doctor finds out what blocks data connections, and which --mode works."},
		{&ftpclient.Error{Command: "MLSD", Path: "/a", Code: 421, Text: "Bye."}, exitServer, "host cannot be used: MLSD /a: 421 Bye. Try again later."},
		{&ftpclient.Error{Command: "EPSV", Code: 421, Text: "Bye."}, exitServer, "host cannot be used: EPSV: 421 Bye. Try again later."},
		{errors.Join(&ftpclient.Error{Command: "EPSV", Code: 500, Text: "No."}, &ftpclient.Error{Command: "PASV", Code: 500, Text: "No."}), exitServer,
			"host cannot send a listing: EPSV: 500 No.; PASV: 500 No. ftpfs doctor finds out what blocks data connections, and which --mode works."},
	}
	for _, tt := range tests {
		expect(t, tt.err.Error(), explainMount(tt.err, j, "/a"), tt.code, tt.want)
	}
}
