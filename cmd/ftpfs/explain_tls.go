package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"ftpfs/ftpclient"
)

// explainTLS says what to do about an error that concerns encryption; nil for another.
func explainTLS(err error, t target) error {
	host := t.hostName()
	var refused *ftpclient.Error
	var untrusted *ftpclient.CertificateError
	var handshake *ftpclient.HandshakeError
	var noTLS tls.RecordHeaderError
	alert := strings.ToLower(err.Error())
	switch {
	case errors.As(err, &untrusted):
		return explainCertificate(untrusted, t)
	case errors.As(err, &refused) && refused.Command == "AUTH" && refused.Temporary():
		return fail(exitServer, "%s cannot speak TLS now: %w. Try again later.", host, err)
	case errors.As(err, &refused) && refused.Command == "AUTH":
		return fail(exitServer, "%s refuses TLS: %w. Use ftps:// if the server has a port for TLS alone, or ftp:// where the network can be trusted.", host, err)
	case errors.As(err, &refused) && refused.Command == "PROT":
		return fail(exitServer, "%s does not protect data connections as asked: %w. Try the other value of --tls-data, private or clear.", host, err)
	case errors.As(err, &refused) && refused.Command == "connect" && t.TLS != ftpclient.TLSImplicit && demandsTLS(refused.Text):
		return fail(exitServer, "%s expects TLS from the first byte: %w. Write ftps:// in place of %s://, with the port if it is not 990.", host, err, t.scheme())
	case errors.As(err, &refused) && t.TLS == ftpclient.TLSOff && demandsTLS(refused.Text):
		return fail(exitLogin, "%s lets nobody in without encryption: %w. Write ftpes:// in place of ftp://.", host, err)
	case strings.Contains(alert, "tls: certificate required"), strings.Contains(alert, "tls: bad certificate"):
		return fail(exitLogin, "%s wants another client certificate, or one at all: %w. Give it by --cert and --key.", host, err)
	case !errors.As(err, &handshake):
		return nil
	case strings.Contains(alert, "protocol version"):
		return fail(exitServer, "%s speaks no version of TLS that is accepted: %w. If the server is old, try --tls-min-version 1.0; it is not secure.", host, err)
	case errors.As(err, &noTLS) && t.TLS == ftpclient.TLSImplicit:
		return fail(exitServer, "%s does not begin with TLS on port %d: %w. Write ftpes:// in place of ftps://, which asks for TLS on the usual port.", host, t.Port, err)
	}
	return fail(exitServer, "%s and this program cannot agree on TLS: %w.", host, err)
}

// dataUnprotected tells whether a listing has failed for the encryption of its data
// connection (RFC 4217 section 9).
func dataUnprotected(err error) bool {
	var refused *ftpclient.Error
	var untrusted *ftpclient.CertificateError
	var handshake *ftpclient.HandshakeError
	return errors.As(err, &untrusted) || errors.As(err, &handshake) ||
		errors.As(err, &refused) && (refused.Code == 521 || refused.Code == 522)
}

// demandsTLS recognises how servers refuse a login in clear.
func demandsTLS(text string) bool {
	text = strings.ToLower(text)
	for _, word := range []string{"tls", "ssl", "encrypt", "cleartext", "clear text", "secure connection"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func explainCertificate(e *ftpclient.CertificateError, t target) error {
	host, pin := t.hostName(), ftpclient.PinOf(e.Certificate)
	var name x509.HostnameError
	switch {
	case errors.Is(e, ftpclient.ErrPin):
		return fail(exitServer, "%s has another key than the pinned one: %v. If you know that the server has changed it, give that by --pin; otherwise somebody may be in between.", host, pin)
	case errors.As(e, &name):
		return fail(exitServer, "%s has a certificate for another name: %w. Write a name in the URL that it is for, or if you know that this is the server's key add --pin %v.", host, phrase{e.Err}, pin)
	}
	return fail(exitServer, "%s has a certificate that is not trusted: %w. If you know that this is the server's key add --pin %v; --ca-file trusts an authority of your own.", host, phrase{e.Err}, pin)
}
