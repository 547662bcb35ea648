package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func refreshCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh PATH",
		Short: "Look at the server anew",
		Long: `Makes a mount forget what it remembers of the server at PATH, a mount point or
anything below one: the next look asks the server. Changes that others have made are
then seen at once and not when --dir-cache-ttl is over. What is not uploaded yet stays.
SIGHUP does the same for the whole mount.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fail(exitUsage, "ftpfs refresh needs one path, as in: ftpfs refresh /mnt.")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return thisHost().refresh(args[0]) },
	}
}

// refresh asks the process of the mount that name is in. What is mounted is not touched,
// unless a symbolic link leads there.
func (h host) refresh(name string) error {
	if name == "" {
		return fail(exitUsage, "The path is empty: name a mount point or something below one, or write . for the current directory.")
	}
	dir, real, err := h.find(name)
	if err != nil {
		return err
	}
	process, err := h.reach(dir)
	if err != nil {
		return err
	}
	defer process.conn.Close()
	_, err = process.ask(request{Refresh: "/" + strings.TrimPrefix(strings.TrimPrefix(real, dir), "/")})
	return err
}

// find returns the mount point of ours that name is in, and the real path of name.
func (h host) find(name string) (dir, real string, err error) {
	if real, err = filepath.Abs(name); err != nil {
		return "", "", fail(exitUsage, "%s cannot be found: %w.", name, err)
	}
	dir = h.mountOf(real)
	if dir == "" { // perhaps by way of a symbolic link
		if real, err = h.resolve(name); err != nil {
			return "", "", fail(exitUsage, "%s cannot be found: %w.", name, err)
		}
		dir = h.mountOf(real)
	}
	if dir == "" {
		return "", "", fail(exitUsage, "%s is not in a mount of ftpfs: ftpfs list tells what is mounted.", name)
	}
	return dir, real, nil
}

// reach connects to the process of the mount on dir.
func (h host) reach(dir string) (*process, error) {
	p := processOf(h.mounted(dir))
	if p == nil {
		return nil, fail(exitUnmount, "The process of the mount on %s does not answer: has it died, or is it another user's?", dir)
	}
	return p, nil
}

// mountOf returns the mount point of ours that a path is in, by the mount table alone; ""
// if there is none.
func (h host) mountOf(path string) string {
	for dir := path; ; dir = filepath.Dir(dir) {
		if h.mounted(dir).ours() {
			return dir
		}
		if dir == "/" {
			return ""
		}
	}
}
