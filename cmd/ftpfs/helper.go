package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

// mount(8) starts a helper for the file systems that the kernel does not know, such as
// /sbin/mount.ftpfs for those of the type ftpfs, and mount.fuse.ftpfs for fuse.ftpfs. Under
// such a name our flags are those of mount(8), and so are the exit codes.
const (
	helperUsage       = 1
	helperInterrupted = 8
	helperFailed      = 32
)

func isHelper(argv0 string) bool {
	name, ok := strings.CutPrefix(filepath.Base(argv0), "mount.")
	return ok && (name == "ftpfs" || strings.HasPrefix(name, "fuse") && strings.HasSuffix(name, ".ftpfs"))
}

// helper mounts what a line of fstab, or a command line of mount(8), says.
func (p *program) helper(args []string, stderr io.Writer) int {
	err := p.mountFor(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "mount.ftpfs:", told(err, args))
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return helperInterrupted
	case exitCode(err) == exitUsage:
		return helperUsage
	}
	return helperFailed
}

func (p *program) mountFor(args []string, stderr io.Writer) error {
	s := pflag.NewFlagSet("mount.ftpfs", pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	var f flags
	s.StringArrayVarP(&f.options, "options", "o", nil, "")
	s.BoolVarP(&f.sloppy, "sloppy", "s", false, "")
	fake := s.BoolP("fake", "f", false, "")
	verbose := s.CountP("verbose", "v", "")
	readOnly := s.BoolP("read-only", "r", false, "")
	readWrite := s.BoolP("rw", "w", false, "")
	s.BoolP("no-mtab", "n", false, "") // the kernel keeps it
	s.StringP("types", "t", "", "")    // there is one only
	space := s.StringP("namespace", "N", "", "")
	if err := s.Parse(args); err != nil {
		return fail(exitUsage, "%w. It is mount that calls this program, as in: mount -t fuse.ftpfs ftp://host/dir /mnt", err)
	}
	switch {
	case s.NArg() != 2:
		return fail(exitUsage, "mount.ftpfs needs a URL and a mount point. It is mount that calls it, as in: mount -t fuse.ftpfs ftp://host/dir /mnt")
	case *space != "":
		return fail(exitUsage, "This program cannot mount in another name space: run mount in it, by nsenter.")
	case *readOnly:
		f.options = append(f.options, "ro")
	case *readWrite:
		f.options = append(f.options, "rw")
	}
	settings := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.registerSettings(settings)
	if err := f.applyOptions(settings); err != nil {
		return err
	}
	if *fake {
		if _, err := f.resolve(settings, s.Arg(0), os.Getenv); err != nil {
			return err
		}
		return f.check()
	}
	if err := p.mountCommand(&f, settings, s.Arg(0), s.Arg(1), stderr); err != nil {
		return err
	}
	if *verbose > 0 {
		fmt.Fprintf(os.Stdout, "mount.ftpfs: mounted on %s.\n", printable(s.Arg(1)))
	}
	return nil
}
