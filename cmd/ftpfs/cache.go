package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func cacheCommand() *cobra.Command {
	var clear bool
	cmd := &cobra.Command{
		Use:   "cache [--clear] [PATH]",
		Short: "Show or clear what mounts remember",
		Long: `Tells how much the mount that PATH is in, or each of your mounts, keeps of listings
and of file contents. With --clear it forgets them, except for files that are in use or
that the server does not have yet.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "ftpfs cache takes one path, as in: ftpfs cache /mnt. Without one it is about all mounts.")
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
				if clear {
					if s, err = h.clearCache(s.MountPoint); err != nil {
						return err
					}
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of %s in %d files; %d listings with %d names\n",
					printable(s.MountPoint), size(s.Cache.Bytes), size(s.Cache.Limit), s.Cache.Files, s.Cache.Listings, s.Cache.Entries)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "forget what can be fetched again, and show what is left")
	return cmd
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
