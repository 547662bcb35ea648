package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func cacheCommand() *cobra.Command {
	var clear, verify bool
	cmd := &cobra.Command{
		Use:   "cache [--clear | --verify] [PATH]",
		Short: "Show, clear or verify what mounts remember",
		Long: `Tells how much the mount that PATH is in, or each of your mounts, keeps of listings
and of file contents. With --clear it forgets them, except for files that are in use or
that the server does not have yet. With --verify it compares the contents with their
checksums, as each reading does with what an earlier process has left: what the disk has
damaged is told, dropped, and fetched again when it is read.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "ftpfs cache takes one path, as in: ftpfs cache /mnt. Without one it is about all mounts.")
			}
			if clear && verify {
				return fail(exitUsage, "ftpfs cache clears or verifies, not both at once.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			h := thisHost()
			all, err := h.statuses(args, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			for _, s := range all {
				if verify {
					if err := h.verifyCache(s.MountPoint, cmd.OutOrStdout()); err != nil {
						return err
					}
					continue
				}
				if clear {
					if s, err = h.clearCache(s.MountPoint); err != nil {
						return err
					}
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s in %d files; %d listings with %d names\n",
					printable(s.MountPoint), s.Cache.kept(), s.Cache.Files, s.Cache.Listings, s.Cache.Entries)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "forget what can be fetched again, and show what is left")
	cmd.Flags().BoolVar(&verify, "verify", false, "compare file contents with their checksums, and drop what is damaged")
	return cmd
}

// verifyCache makes the mount on dir verify its cache, and tells what it has found. Changes that are
// damaged, and so are lost, are an error.
func (h host) verifyCache(dir string, out io.Writer) error {
	p, err := h.reach(dir)
	if err != nil {
		return err
	}
	defer p.conn.Close()
	r, err := p.ask(request{What: askVerify})
	if err == nil && r.Verified == nil {
		err = fail(exitUnmount, "The process of the mount is of another version of ftpfs, which cannot verify its cache: mount again.")
	}
	if err != nil {
		return err
	}
	v := r.Verified
	fmt.Fprintf(out, "%s: %s are sound", printable(dir), size(v.Sound))
	if v.Unchecked > 0 {
		fmt.Fprintf(out, ", %s have no checksum yet", size(v.Unchecked))
	}
	if v.Dropped > 0 {
		fmt.Fprintf(out, ", %s were damaged and are dropped, of %s", size(v.Dropped), printable(strings.Join(v.Damaged, ", ")))
	}
	fmt.Fprintln(out)
	if len(v.Lost) > 0 {
		return fail(exitUnmount, "What was written to these files is damaged on the local disk, and the server does not have it: %s. Write them again.", strings.Join(v.Lost, ", "))
	}
	return nil
}

// clearCache makes the mount on dir forget, and returns what it holds then.
func (h host) clearCache(dir string) (status, error) {
	p, err := h.reach(dir)
	if err != nil {
		return status{}, err
	}
	defer p.conn.Close()
	if _, err := p.ask(request{What: askClear}); err != nil {
		return status{}, err
	}
	return p.status()
}
