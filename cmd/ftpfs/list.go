package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// listed is a mount as ftpfs list tells it.
type listed struct {
	MountPoint string `json:"mountpoint"`
	Source     string `json:"source"`
	Answers    bool   `json:"answers"` // its process does
	Pending    int    `json:"pending"` // files that the server does not have yet
}

func listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [--json]",
		Short: "Tell what is mounted by ftpfs",
		Long:  "Lists your mounts: where, what, and whether files wait to be sent. Root sees those of all users.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "ftpfs list takes no arguments: ftpfs status /mnt tells of one mount.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			h := thisHost()
			all := []listed{}
			for _, m := range h.own() {
				l := listed{MountPoint: m.dir, Source: m.source}
				if s, err := h.statusOn(m.dir); err == nil {
					l.Answers, l.Pending = true, len(s.Pending)
				}
				all = append(all, l)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "Nothing is mounted by ftpfs.")
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			defer w.Flush()
			for _, l := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\n", printable(l.MountPoint), printable(l.Source), l.state())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a list with an object for each mount")
	return cmd
}

func (l listed) state() string {
	switch {
	case !l.Answers:
		return "its process does not answer"
	case l.Pending > 0:
		return files(l.Pending) + " not sent yet"
	}
	return "all sent"
}
