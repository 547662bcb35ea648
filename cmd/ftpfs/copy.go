package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// copyOptions are the flags of ftpfs copy besides those about connections.
type copyOptions struct {
	recursive          bool
	relay              bool
	targetPasswordFile string
}

func copyCommand() *cobra.Command {
	var f flags
	var o copyOptions
	cmd := &cobra.Command{
		Use:   "copy [flags] URL URL",
		Short: "Copy files from one server to another, which exchange them directly",
		Long: `Copies a file, or with -r a directory, to another server. The servers open the data
connection between themselves, so that nothing but commands crosses this machine's line. Most
servers refuse that unless their administrator allows it (vsftpd: pasv_promiscuous and
port_promiscuous; proftpd: AllowForeignAddress; pure-ftpd: -w). With --relay the data goes
through this machine, which works with all servers.

Each file is written under a temporary name, its size is checked, and then it replaces
whatever had its name. Times and permissions are kept where the target can. Links are left
out. If the target is a directory, or its URL ends in a slash, the copy goes into it.

The password of the second URL is taken from: the URL, --target-password-file, the variable
FTPFS_TARGET_PASSWORD, ~/.netrc, the keyring, a prompt; that of the first as for a mount.`,
		Example: `  ftpfs copy ftp://ann@one.example.org/big.iso ftp://bob@two.example.org/incoming/
  ftpfs copy -r --relay ftp://ftp.example.org/pub/src ftp://bob@two.example.org/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fail(exitUsage, "ftpfs copy needs two URLs, as in: ftpfs copy ftp://user@host/file ftp://user@other/dir/.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkConnection(); err != nil {
				return err
			}
			return copyBetween(cmd.Context(), &f, o, cmd.Flags(), args, cmd.ErrOrStderr())
		},
	}
	s := cmd.Flags()
	s.SortFlags = false
	s.BoolVarP(&o.recursive, "recursive", "r", false, "copy a directory with all that is in it")
	s.BoolVar(&o.relay, "relay", false, "send the data through this machine")
	s.StringVar(&o.targetPasswordFile, "target-password-file", "", "`FILE` whose first line is the password of the second URL")
	f.registerConnection(s)
	return cmd
}

// endpoint is one of the two servers.
type endpoint struct {
	target target
	client *ftpclient.Client
	path   string // absolute
	into   bool   // the URL ends in a slash
}

// targets reads the two URLs, with what the flags add about encryption. Flags that need TLS
// are in order if one of the servers has it.
func targets(f *flags, o copyOptions, given *pflag.FlagSet, urls []string) (all [2]target, err error) {
	encrypted := f.tls.mode != ftpclient.TLSOff
	for i := range all {
		if all[i], err = parseURL(urls[i]); err != nil {
			return all, err
		}
		encrypted = encrypted || all[i].TLS != ftpclient.TLSOff
	}
	for i := range all {
		if encrypted && f.tls.mode == ftpclient.TLSOff && all[i].TLS == ftpclient.TLSOff {
			continue
		}
		if err := f.tls.secure(&all[i], given); err != nil {
			return all, err
		}
	}
	if encrypted && !o.relay && !f.tls.clearData {
		return all, fail(exitUsage, "Between servers data cannot be encrypted: use --relay, or --tls-data clear if others may read it.")
	}
	return all, nil
}

func copyBetween(ctx context.Context, f *flags, o copyOptions, given *pflag.FlagSet, urls []string, stderr io.Writer) (err error) {
	both, err := targets(f, o, given, urls)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer onInterrupt(func() { cancel(errCopyInterrupted) })()

	var warned warnings
	log := slog.New(warned.collect(slog.DiscardHandler))
	from, err := openEndpoint(ctx, f, systemSources(stderr), both[0], log)
	if err != nil {
		return err
	}
	defer from.client.Close()
	toFlags, sources := forTarget(f, o, systemSources(stderr))
	to, err := openEndpoint(ctx, toFlags, sources, both[1], log)
	if err != nil {
		return err
	}
	to.into = strings.HasSuffix(urls[1], "/")
	defer to.client.Close()
	for _, w := range warned.texts() {
		fmt.Fprintln(stderr, "ftpfs:", printable(w))
	}

	p, err := planCopy(ctx, from, to, o.recursive)
	if err != nil {
		return err
	}
	bar := newProgress(stderr, p.bytes)
	defer bar.end()
	c := copying{from: from.client, to: to.client, relay: o.relay, patience: 2 * f.timeout, bar: bar, warn: stderr}
	return explainCopy(c.run(ctx, p, max(1, f.connections-1)), from, to)
}

// forTarget are the flags and the sources of credentials for the second server, without those that
// are for the first.
func forTarget(f *flags, o copyOptions, src sources) (*flags, sources) {
	own := *f
	own.user, own.credentials, own.passwordStdin, own.passwordFile = "", "", false, o.targetPasswordFile
	getenv := src.getenv
	src.getenv = func(name string) string {
		switch name {
		case "FTPFS_PASSWORD":
			name = "FTPFS_TARGET_PASSWORD"
		case "CREDENTIALS_DIRECTORY":
			return ""
		}
		return getenv(name)
	}
	src.ways = "--target-password-file, FTPFS_TARGET_PASSWORD or ~/.netrc"
	return &own, src
}

var errCopyInterrupted = fail(exitUnmount, "Interrupted: files that were not complete have been removed from the target.")

// openEndpoint logs in to a server.
func openEndpoint(ctx context.Context, f *flags, src sources, t target, log *slog.Logger) (_ *endpoint, err error) {
	own := *f // each server may have a proxy of its own
	if t.User, t.Password, err = src.credentials(t, &own); err != nil {
		return nil, err
	}
	if err := own.route(os.Getenv, t.addr()); err != nil {
		return nil, err
	}
	config, err := own.config(t, t.User, t.Password)
	if err != nil {
		return nil, err
	}
	config.Logger = log
	client, err := ftpclient.New(config)
	if err != nil {
		return nil, fail(exitUsage, "This cannot be copied: %w.", err)
	}
	if err := client.Connect(ctx); err != nil {
		client.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, explainConnect(err, job{Target: t, User: t.User}, &own)
	}
	return &endpoint{target: t, client: client, path: t.root(client.Root())}, nil
}

// explainCopy makes an error of copying a sentence.
func explainCopy(err error, from, to *endpoint) error {
	var link *ftpclient.LinkError
	var done *failure
	switch {
	case err == nil, errors.As(err, &done):
		return err
	case errors.As(err, &link):
		return fail(exitServer, "%s and %s do not send data to each other: %w. Most servers refuse it by default. Use --relay to send the data through this machine.",
			from.target.hostName(), to.target.hostName(), phrase{link})
	}
	return fail(exitUnmount, "The copy failed: %w.", phrase{err})
}

// item is a file or directory to copy.
type item struct {
	from, to string
	entry    ftpclient.Entry
}

// plan is all that is to be copied: directories before what is in them.
type plan struct {
	items   []item
	bytes   int64
	skipped []string // links and devices
}

// maxItems bounds a plan: a server can show directories without end.
const maxItems = 2_000_000

// planCopy looks what there is to copy, and where it goes.
func planCopy(ctx context.Context, from, to *endpoint, recursive bool) (*plan, error) {
	e, err := from.client.Stat(ctx, from.path)
	if err != nil {
		return nil, explainSource(ctx, err, from)
	}
	if e.Type == ftpclient.TypeDir && !recursive {
		return nil, fail(exitUsage, "%s on %s is a directory: use -r to copy it with all that is in it.", from.path, from.target.hostName())
	}
	goal := to.path
	if base := path.Base(from.path); base != "/" {
		there, err := to.client.Stat(ctx, goal)
		if to.into || err == nil && there.Type == ftpclient.TypeDir {
			goal = path.Join(goal, base)
		}
	}
	if from.target.addr() == to.target.addr() && from.path == goal {
		return nil, fail(exitUsage, "The source and the target are the same.")
	}
	p := &plan{}
	p.add(item{from.path, goal, e})
	if len(p.items) == 0 {
		return nil, fail(exitRemoteDir, "%s on %s is neither a file nor a directory.", from.path, from.target.hostName())
	}
	for i := 0; i < len(p.items); i++ {
		it := p.items[i]
		if it.entry.Type != ftpclient.TypeDir {
			continue
		}
		l, err := from.client.List(ctx, it.from)
		if err != nil {
			return nil, explainSource(ctx, err, from)
		}
		if len(p.items)+len(l.Entries) > maxItems {
			return nil, fail(exitRemoteDir, "%s on %s holds more than %d files: copy its directories one by one.", from.path, from.target.hostName(), maxItems)
		}
		for _, e := range l.Entries {
			p.add(item{path.Join(it.from, e.Name), path.Join(it.to, e.Name), e})
		}
	}
	return p, nil
}

func (p *plan) add(it item) {
	switch it.entry.Type {
	case ftpclient.TypeFile:
		p.bytes += max(0, it.entry.Size)
	case ftpclient.TypeDir:
	default:
		p.skipped = append(p.skipped, it.from)
		return
	}
	p.items = append(p.items, it)
}

func explainSource(ctx context.Context, err error, from *endpoint) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return fail(exitRemoteDir, "There is no %s on %s: %w. A second slash, as in ftp://host//dir, makes a path absolute.", from.path, from.target.hostName(), phrase{err})
	}
	return fail(exitRemoteDir, "%s on %s cannot be read: %w.", from.path, from.target.hostName(), phrase{err})
}
