package main

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func configCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "config [--all] [PROFILE]",
		Short: "Show the settings, and where they come from",
		Long: `Shows the settings that mounts have, or those of a profile, and where each comes
from: the environment (FTPFS_ and the name of the flag, as FTPFS_DIR_CACHE_TTL=5m), the
profile or the other lines of the file of settings. Flags of a mount come before all of
them. Without --all, what is as ever is left out.

The file is ~/.config/ftpfs/config.toml, else /etc/ftpfs/config.toml, or what FTPFS_CONFIG
names. Its keys are the names of flags:

  dir-cache-ttl = "5m"

  [profiles.work]
  url = "ftpes://ann@example.org/"
  credentials = "/home/ann/.ftp-work"

Then ftpfs work: ~/mnt mounts that server, and ftpfs work:dir ~/mnt a directory of it.`,
		Example: `  ftpfs config
  ftpfs config --all work`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "ftpfs config takes the name of one profile, as in: ftpfs config work.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := readConfig(configFile(os.Getenv))
			if err != nil {
				return err
			}
			var p profile
			if len(args) == 1 {
				var known bool
				if p, known = c.profiles[args[0]]; !known {
					return fail(exitUsage, "There is no profile %q in %s.%s", args[0], usualConfigFile(os.Getenv), suggest(args[0], slices.Collect(maps.Keys(c.profiles))))
				}
			}
			return c.show(cmd.OutOrStdout(), p, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also what is as ever")
	return cmd
}

// show prints the settings of mounts by a profile, or by none.
func (c config) show(out io.Writer, p profile, all bool) error {
	var f flags
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	f.registerSettings(set)
	from, err := c.settle(set, p, os.Getenv)
	if err != nil {
		return err
	}
	if c.file == "" {
		fmt.Fprintf(out, "There is no file of settings: %s can be one.\n", printable(usualConfigFile(os.Getenv)))
	} else {
		fmt.Fprintf(out, "The file of settings is %s.\n", printable(c.file))
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if p.URL != "" {
		fmt.Fprintf(w, "url\t%s\t%v\n", printable(p.URL), fromProfile)
	} else {
		for _, name := range slices.Sorted(maps.Keys(c.profiles)) {
			fmt.Fprintf(w, "%s:\t%s\tprofile\n", printable(name), printable(c.profiles[name].URL))
		}
	}
	set.VisitAll(func(flag *pflag.Flag) {
		if all || from[flag.Name] != fromDefault {
			fmt.Fprintf(w, "%s\t%s\t%v\n", flag.Name, printable(shown(flag)), from[flag.Name])
		}
	})
	return w.Flush()
}

// shown is the value of a flag, without the password of a proxy.
func shown(flag *pflag.Flag) string {
	text := flag.Value.String()
	if flag.Name != "proxy" {
		return text
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	// Something that is no proper URL may hold a password, too.
	return text[strings.LastIndexByte(text, '@')+1:]
}
