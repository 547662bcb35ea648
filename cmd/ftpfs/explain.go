package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"ftpfs/ftpclient"
	"ftpfs/internal/dialer"
)

// explainConnect says what to do about an error of the first connection.
func explainConnect(err error, j job, f *flags) error {
	host := j.Target.hostName()
	err = phrase{err}
	var refused *ftpclient.Error
	var dns *net.DNSError
	var timeout net.Error
	var proxy *dialer.ProxyError
	var version *net.AddrError
	switch {
	case errors.As(err, &proxy) && !proxy.Reached:
		return fail(exitServer, "The proxy %s cannot be reached: %w. Check --proxy and ALL_PROXY, or use --proxy none.", proxy.Proxy, phrase{proxy.Err})
	case errors.As(err, &proxy):
		return fail(exitServer, "The proxy %s does not connect to %s: %w. Check its user and password, and whether it may connect to that port.", proxy.Proxy, host, phrase{proxy.Err})
	case explainTLS(err, j.Target) != nil:
		return explainTLS(err, j.Target)
	case errors.As(err, &refused) && refused.Kind() == ftpclient.KindTooMany:
		return fail(exitServer, "%s has too many connections now: %w. Try again later.", host, err)
	case errors.As(err, &refused) && refused.Command == "HOST":
		return fail(exitServer, "%s does not serve the host %s: %w. Check --virtual-host, or leave it away.", host, f.virtualHost, err)
	case errors.As(err, &refused) && refused.Kind() == ftpclient.KindLogin && j.User == "":
		return fail(exitLogin, "%s lets nobody in anonymously: %w. Name a user, as in ftp://user@host/.", host, err)
	case errors.As(err, &refused) && refused.Kind() == ftpclient.KindLogin:
		return fail(exitLogin, "%s refused the login of %s: %w. Check user and password.", host, j.User, err)
	case errors.As(err, &refused):
		return fail(exitServer, "%s cannot be used: %w.", host, err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail(exitServer, "There is no host %s: check its spelling.", j.Target.Host)
	case errors.As(err, &dns):
		return fail(exitServer, "The address of %s cannot be found: %w. Check the network.", j.Target.Host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(exitServer, "%s accepts no connection on port %d: check that the FTP server runs, and the port in the URL.", j.Target.Host, j.Target.Port)
	case f.bind != "" && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENODEV)):
		return fail(exitServer, "%s cannot be reached from %s: %w. Check --bind: the command ip address lists what there is.", host, f.bind, err)
	case errors.As(err, &version) && (f.ipv4 || f.ipv6):
		return fail(exitServer, "%s has no address of the version of IP that --ipv4 or --ipv6 asks for: leave that away.", j.Target.Host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fail(exitServer, "%s cannot be reached: %w. Check the network.", host, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT), errors.As(err, &timeout) && timeout.Timeout():
		return fail(exitServer, "%s did not answer within %v: check host, port and firewall, or raise --timeout.", host, f.timeout)
	}
	return fail(exitServer, "%s cannot be used: %w. Check that it is an FTP server.", host, err)
}

// explainMount says what to do when the server has let us in and the mount fails.
func explainMount(err error, j job, root string) error {
	host := j.Target.hostName()
	text, inner := err.Error(), errors.Unwrap(err)
	err = phrase{err}
	var refused *ftpclient.Error
	var local *fs.PathError
	var network *net.OpError // not net.Error, which every errno is
	var errno syscall.Errno
	switch {
	case strings.HasPrefix(text, "mounting on ") && inner != nil:
		return fail(exitMountPoint, "%s cannot be mounted on: %w.", j.MountPoint, phrase{inner})
	case strings.HasPrefix(text, "cache directory "): // of another owner, open to others, or locked
		return fail(exitMountPoint, "The %w. Choose another one by --cache-dir.", err)
	case errors.As(err, &local):
		return fail(exitMountPoint, "The cache directory cannot be used: %w. Choose another one by --cache-dir.", err)
	case errors.As(err, &refused) && refused.Code == 421: // the server closes the connection
		return fail(exitServer, "%s cannot be used: %w. Try again later.", host, err)
	case dataUnprotected(err):
		return fail(exitServer, "%s cannot send a listing with data protected as asked: %w. Try the other value of --tls-data, private or clear.", host, err)
	case errors.As(err, &network), errors.As(err, &refused) && concernsData(refused):
		return fail(exitServer, "%s cannot send a listing: %w. ftpfs doctor finds out what blocks data connections, and which --mode works.", host, err)
	case errors.As(err, &refused) && refused.Kind() == ftpclient.KindUnsupported && (refused.Command == "MLSD" || refused.Command == "STAT"):
		return fail(exitServer, "%s cannot list directories in this way: %w. Leave --listing away: what works is found out.", host, err)
	case errors.As(err, &refused), errors.As(err, &errno):
		return fail(exitRemoteDir, "The directory %s on %s cannot be read: %w. Check the path in the URL; a second slash, as in ftp://host//dir, makes it absolute.", root, host, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fail(exitServer, "%s did not send a listing in time: %w. ftpfs doctor finds out what blocks data connections, and which --mode works.", host, err)
	}
	return fail(exitServer, "%s cannot send a listing: %w. Check that it is an FTP server, and by ftpfs doctor which --mode works.", host, err)
}

// concernsData tells whether a refusal is about the data connection, not the path.
func concernsData(refused *ftpclient.Error) bool {
	switch refused.Command {
	case "EPSV", "PASV", "EPRT", "PORT":
		return true
	}
	return refused.Code == 425 || refused.Code == 426
}

// phrase is an error in one line and without the full stop that servers write, to be put
// into a sentence.
type phrase struct{ err error }

func (p phrase) Error() string { return oneLine(strings.TrimRight(p.err.Error(), ". ")) }
func (p phrase) Unwrap() error { return p.err }
