package ftpclient

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Pin is the SHA-256 hash of a server's public key (the SubjectPublicKeyInfo of its
// certificate, RFC 7469) or of its whole certificate.
type Pin [sha256.Size]byte

// PinOf is the hash of the certificate's public key, which outlives the certificate
// where it is renewed with the same key.
func PinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// ParsePin reads "sha256:" and a hash in hexadecimal, with or without colons, or in
// base64, also after curl's "sha256//".
func ParsePin(s string) (Pin, error) {
	var p Pin
	scheme, text := s, ""
	if i := strings.IndexAny(s, ":/"); i >= 0 {
		scheme, text = s[:i], strings.TrimPrefix(strings.TrimPrefix(s[i:], ":"), "//")
	}
	hash, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		hash, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if !strings.EqualFold(scheme, "sha256") || err != nil || len(hash) != len(p) {
		return p, errors.New("write a pin as sha256: and the 64 hexadecimal digits of the hash")
	}
	copy(p[:], hash)
	return p, nil
}

// String is a form that ParsePin reads.
func (p Pin) String() string { return "sha256:" + hex.EncodeToString(p[:]) }

func (p Pin) matches(cert *x509.Certificate) bool {
	return p == PinOf(cert) || p == sha256.Sum256(cert.Raw)
}

// CertificateError says that the server's certificate is not trusted.
type CertificateError struct {
	Certificate *x509.Certificate // the server's own
	Err         error             // of x509, or that it has none of the pins
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("the certificate of the server is not trusted: %v (its key is %v)", e.Err, PinOf(e.Certificate))
}

func (e *CertificateError) Unwrap() error { return e.Err }

// ErrPin is the reason of a CertificateError: the certificate has none of Config.Pins.
var ErrPin = errors.New("it is not the pinned one")

// verifyPins lets pins take the place of authorities, names and dates. Whether the server
// has the certificate's key is checked as ever.
func verifyPins(cfg *tls.Config, pins []Pin) {
	cfg.InsecureSkipVerify = true
	own := cfg.VerifyConnection
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		cert := state.PeerCertificates[0]
		for _, p := range pins {
			if p.matches(cert) {
				if own != nil {
					return own(state)
				}
				return nil
			}
		}
		return &CertificateError{Certificate: cert, Err: ErrPin}
	}
}
