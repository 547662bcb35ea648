package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// tlsFlags are the flags about encryption.
type tlsFlags struct {
	mode       ftpclient.TLSMode // of an ftp:// URL; that of ftpes:// and ftps:// is in the target
	clearData  bool
	minVersion uint16
	caFile     string
	certFile   string
	keyFile    string // "" in certFile, too
	pins       pinList
	insecure   bool
	anyName    bool
}

func (f *tlsFlags) register(s *pflag.FlagSet) {
	s.Var(value(&f.mode, ftpclient.ParseTLSMode, "off|try|explicit|implicit", "off"), "tls", "encryption with an ftp:// URL; explicit is what ftpes:// means, implicit what ftps:// means, try goes on in clear where the server refuses")
	s.Var(value(&f.clearData, parseTLSData, "private|clear", "private"), "tls-data", "whether data connections are encrypted, too")
	s.Var(value(&f.minVersion, parseTLSVersion, "VERSION", "1.2"), "tls-min-version", "oldest version of TLS accepted: 1.3, 1.2, or for old servers 1.1 or 1.0")
	s.StringVar(&f.caFile, "ca-file", "", "trust the authorities in a PEM `FILE`, or in those of a directory, instead of the system's")
	s.StringVar(&f.certFile, "cert", "", "PEM `FILE` with the certificate to show to the server")
	s.StringVar(&f.keyFile, "key", "", "PEM `FILE` with its private key (default in the file of --cert)")
	s.Var(&f.pins, "pin", "accept only a server with a key or certificate of this hash, or one of several, and trust it whoever signed it")
	s.BoolVar(&f.anyName, "tls-any-name", false, "accept a trusted certificate whatever host it is for: who has any can read and change everything")
	s.BoolVar(&f.insecure, "insecure", false, "accept any certificate: anybody in between can read and change everything")
}

func (f *tlsFlags) registerCompletion(cmd *cobra.Command) {
	for name, values := range map[string][]string{
		"tls": {"off", "try", "explicit", "implicit"}, "tls-data": {"private", "clear"}, "tls-min-version": {"1.0", "1.1", "1.2", "1.3"},
	} {
		cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

func parseTLSData(s string) (inClear bool, err error) {
	switch strings.ToLower(s) {
	case "private":
		return false, nil
	case "clear":
		return true, nil
	}
	return false, errors.New("write private or clear")
}

func parseTLSVersion(s string) (uint16, error) {
	switch s {
	case "1.0":
		return tls.VersionTLS10, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, errors.New("write 1.0, 1.1, 1.2 or 1.3")
}

// pinList is the value of --pin, which may be given several times, or once with commas.
type pinList []ftpclient.Pin

func (l *pinList) Type() string { return "sha256:HASH" }

func (l *pinList) String() string {
	var all []string
	for _, p := range *l {
		all = append(all, p.String())
	}
	return strings.Join(all, ",")
}

func (l *pinList) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		p, err := ftpclient.ParsePin(text)
		if err != nil {
			return err
		}
		*l = append(*l, p)
	}
	return nil
}

// secure brings together what URL and flags say about encryption, and makes the names of
// files absolute, since the daemon works in another directory.
func (f *tlsFlags) secure(t *target, given *pflag.FlagSet) error {
	switch {
	case t.TLS == ftpclient.TLSOff:
		t.TLS = f.mode
		if t.TLS == ftpclient.TLSImplicit && t.Port == 21 {
			t.Port = 990
		}
	case given.Changed("tls") && t.TLS != f.mode:
		return fail(exitUsage, "The URL and --tls contradict each other: %s:// means --tls %s.", t.scheme(), t.TLS)
	}
	if name := f.unused(given); t.TLS == ftpclient.TLSOff && name != "" {
		return fail(exitUsage, "--%s means nothing without TLS: write ftpes:// in place of ftp://, or give --tls.", name)
	}
	for name, file := range map[string]*string{"ca-file": &f.caFile, "cert": &f.certFile, "key": &f.keyFile} {
		if *file == "" {
			continue
		}
		abs, err := filepath.Abs(*file)
		if err != nil {
			return fail(exitUsage, "The file %s given by --%s cannot be found: %w.", *file, name, err)
		}
		given.Set(name, abs)
	}
	_, err := f.config()
	return err
}

// unused names a flag that was given and needs TLS.
func (f *tlsFlags) unused(given *pflag.FlagSet) string {
	for _, name := range []string{"pin", "ca-file", "cert", "key", "insecure", "tls-any-name", "tls-data", "tls-min-version"} {
		if given.Changed(name) {
			return name
		}
	}
	return ""
}

// config is what the flags say about trust.
func (f *tlsFlags) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: f.minVersion, InsecureSkipVerify: f.insecure}
	switch {
	case f.insecure && len(f.pins) > 0:
		return nil, fail(exitUsage, "Give either --pin or --insecure, not both.")
	case f.keyFile != "" && f.certFile == "":
		return nil, fail(exitUsage, "--key is the key of a certificate: name that by --cert.")
	}
	if f.caFile != "" {
		var err error
		if cfg.RootCAs, err = readAuthorities(f.caFile); err != nil {
			return nil, err
		}
	}
	if f.anyName && len(f.pins) == 0 && !f.insecure {
		trustAnyName(cfg)
	}
	if f.certFile != "" {
		keyFile := f.keyFile
		if keyFile == "" {
			keyFile = f.certFile
		}
		cert, err := tls.LoadX509KeyPair(f.certFile, keyFile)
		if err != nil {
			return nil, fail(exitUsage, "The certificate given by --cert cannot be used: %w. Certificate and key have to be in PEM form, the key without a passphrase.", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// readAuthorities reads the certificates of a file, or of the files in a directory.
func readAuthorities(name string) (*x509.CertPool, error) {
	files := []string{name}
	if entries, err := os.ReadDir(name); err == nil {
		files = nil
		for _, e := range entries {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, file := range files {
		text, err := readText(file)
		if err != nil && file == name {
			return nil, fail(exitUsage, "The authorities given by --ca-file cannot be read: %w.", err)
		}
		found = pool.AppendCertsFromPEM(text) || found
	}
	if !found {
		return nil, fail(exitUsage, "The file %s given by --ca-file holds no certificate in PEM form.", name)
	}
	return pool, nil
}

// trustAnyName leaves out of the verification whether the certificate is for this host.
func trustAnyName(cfg *tls.Config) {
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: cfg.RootCAs, Intermediates: between})
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
}
