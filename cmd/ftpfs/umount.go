package main

import (
	"io"

	"github.com/spf13/cobra"

	"ftpfs/ftpfs"
)

func umountCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "umount [--force] MOUNTPOINT",
		Aliases: []string{"unmount"},
		Short:   "Unmount",
		Long: `Unmounts what ftpfs has mounted, waits until its uploads are finished and tells if
one has failed; on a terminal it shows how much is left. While a program uses the mount
this fails; with --force the mount is then taken out of the tree at once and ends when
the last program closes its files. With --force uploads are waited for no longer than
some seconds, and what is not on the server by then is told: so also a mount whose
server is dead goes away.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fail(exitUsage, "ftpfs umount needs one mount point, as in: ftpfs umount /mnt.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return thisHost().unmount(args[0], force, ftpfs.Unmount, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also while programs use the mount, or when it is dead")
	return cmd
}

// unmount ends the mount on dir by unmount, and tells how it has ended; with force, if
// that fails, it ends it lazily, and does not wait for long.
func (h host) unmount(dir string, force bool, unmount func(string) error, stderr io.Writer) error {
	if dir == "" {
		return fail(exitUnmount, "The mount point is empty: name a directory, or write . for the current one.")
	}
	name, err := h.resolve(dir)
	if err != nil {
		return fail(exitUnmount, "%s cannot be found: %w.", dir, err)
	}
	m := h.mounted(name)
	switch {
	case m == mountEntry{}:
		return fail(exitUnmount, "Nothing is mounted by ftpfs on %s: ftpfs list tells what is mounted.", dir)
	case !m.ours():
		return fail(exitUnmount, "What is mounted on %s is of the type %s and not of ftpfs: unmount it by umount %s.", dir, m.kind, dir)
	}
	leave := h.farewell(m, force, stderr)
	defer leave.close()
	if err = unmount(name); err == nil {
		return leave.wait()
	}
	if !force {
		return fail(exitUnmount, "%s cannot be unmounted: %w. End the programs that use it (fuser -vm %s lists them), or use --force.", dir, err, dir)
	}
	if err := h.detach(name); err != nil {
		return fail(exitUnmount, "%s cannot be unmounted: %w.", dir, err)
	}
	return leave.stays()
}
