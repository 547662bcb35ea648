package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// doctorOptions are the flags of ftpfs doctor besides those about connections.
type doctorOptions struct {
	json    bool
	limit   bool
	maxTime time.Duration
}

const (
	doctorTime    = 2 * time.Minute  // for all
	doctorTimeout = 15 * time.Second // of silence, unless --timeout is given
)

func doctorCommand() *cobra.Command {
	var f flags
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [flags] URL",
		Short: "Find out how a server can be mounted, and what stands in the way",
		Long: `Connects to the server over IPv4 and IPv6, logs in, and lists the directory in
each mode of data connections. For each it tells whether it works, is refused (with the
server's words) or is blocked, and where the packets stop. It ends with the command that mounts
the server. Nothing on the server is changed.

The exit code is 0 if a mount would work, else that of the mount: see ftpfs --help.`,
		Example: `  ftpfs doctor ftp://ann@example.org/
  ftpfs doctor --json --active-ports 50000-50100 ftp://ann@example.org/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fail(exitUsage, "ftpfs doctor needs one URL, as in: ftpfs doctor ftp://user@host/dir.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.maxTime <= 0 {
				return fail(exitUsage, "--max-time has to be longer than 0, as in 1m.")
			}
			return doctor(cmd.Context(), &f, o, cmd.Flags(), args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s := cmd.Flags()
	s.SortFlags = false
	s.BoolVar(&o.json, "json", false, "print the findings as JSON")
	s.BoolVar(&o.limit, "limit", false, "also find out how many connections the server allows")
	s.DurationVar(&o.maxTime, "max-time", doctorTime, "most `TIME` for everything")
	f.registerConnection(s)
	return cmd
}

// doctor examines the server at address and prints what it finds.
func doctor(ctx context.Context, f *flags, o doctorOptions, given *pflag.FlagSet, address string, stdout, stderr io.Writer) error {
	t, err := f.resolve(given, address, os.Getenv)
	if err != nil {
		return err
	}
	if err := f.checkConnection(); err != nil {
		return err
	}
	if !given.Changed("timeout") {
		f.timeout = doctorTimeout
	}
	if err := f.tls.secure(&t, given); err != nil {
		return err
	}
	if t.User, t.Password, err = systemSources(stderr).credentials(t, f); err != nil {
		return err
	}
	if err := f.route(os.Getenv, t.addr()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.maxTime)
	defer cancel()
	defer onInterrupt(cancel)()

	e := examination{flags: f, target: t, given: given}
	if !o.json {
		e.text = stdout
	}
	err = e.run(ctx, o)
	if o.json {
		if jerr := printJSON(stdout, e.findings); jerr != nil {
			return jerr
		}
	}
	return err
}
