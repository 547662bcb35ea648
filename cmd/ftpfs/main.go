// Ftpfs mounts a directory of an FTP server on Linux.
//
// Usage:
//
//	ftpfs [flags] ftp[es|s]://[user@]host[:port]/[dir] MOUNTPOINT
//	ftpfs umount [--force] MOUNTPOINT
//	ftpfs status [--json] [--watch] [PATH]
//	ftpfs list [--json]
//	ftpfs cache [--clear | --verify] [PATH]
//	ftpfs config [--all] [PROFILE]
//	ftpfs refresh PATH
//	ftpfs doctor [flags] URL
//	ftpfs copy [flags] URL URL
//	ftpfs login [flags] URL
//	ftpfs logout [flags] URL
//	ftpfs demo
//	ftpfs csi --endpoint unix:PATH --node-id NAME
//
// The mount goes to the background once it answers; its exit code and its errors
// reach the caller. The manual below is what ftpfs --help prints, followed by the flags.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	_ "time/tzdata" // for machines without a database of time zones

	"github.com/spf13/cobra"
)

const manual = `ftpfs makes a directory of an FTP server a directory of this machine, for
every program: ls, cp, vim, rsync, tar, git and the rest.

The URL is ftp://[user@]host[:port]/[dir]. The directory is taken from where the
login leads; a second slash makes it absolute: ftp://host//srv/data. Bytes that a URL
cannot hold are written %XX. With ftpes:// (TLS asked for by AUTH) or ftps:// (TLS from
the first byte, on port 990) everything is encrypted, and the server's certificate has to
be trusted; if it is not, the message shows the key to accept by --pin.

In place of the URL, host:dir and user@host:dir are taken as well, over plain FTP.
Options of sshfs, curlftpfs and rclone have their meaning here, behind -o. NAME: stands
for a server of the file of settings, in which also flags can be given: see ftpfs config --help.

The password is taken from the first of: the URL, --credentials, --password-file or
--password-stdin, a credential "ftpfs" of systemd, the variable FTPFS_PASSWORD, ~/.netrc
(or $NETRC), the keyring of the desktop (see ftpfs login), a prompt. Without a user the login
is anonymous, unless ~/.netrc knows the host. The password is not seen in ps, in the mount
table or in logs.

The command returns when the mount answers; with -f it stays. SIGTERM and SIGINT
unmount and finish uploads, a second one ends at once; SIGHUP makes the mount look
at the server anew. Logs are written with -f or -d to standard error, in the background
to the system's log (journalctl -t ftpfs), and with --log-file to a file.

Limitations:
  An ftp:// URL sends the password and all data unencrypted, unless --tls is given.
  Hard links and devices cannot be created, symbolic links only where the server has
  SITE SYMLINK, and chown reaches only the own user.
  A file is uploaded when it is closed, and close tells whether the server took it.
  Until then it is kept in the cache directory; if ftpfs is killed, the next mount goes on.
  Times of servers without MLSD are as fine as their listing: minutes, then days.
  A change that others make on the server is seen after --dir-cache-ttl, or after
  ftpfs refresh; in a file that is opened, after two seconds.
  The server may refuse names, modes or times; the program that asked gets the error.

Exit codes:
  0  mounted, or unmounted
  1  wrong use: a flag, the URL, a missing password
  2  the mount point or FUSE cannot be used
  3  the server cannot be reached, or is not trusted
  4  the server refused the login
  5  the remote directory cannot be read
  6  the mount ended with an error (a failed upload), or unmounting failed`

const examples = `  ftpfs ftp://ftp.example.org/pub /mnt/pub
  ftpfs ftp://ann@example.org/ ~/site
  ftpfs ftpes://ann@example.org/ ~/site
  ftpfs --mode active --active-ports 50000-50100 ftp://ann@example.org/ ~/site
  ftpfs -o read-only,dir-cache-ttl=5m ftp://ann@example.org//srv/data /mnt/data
  ftpfs status --watch ~/site
  ftpfs umount ~/site
  ftpfs doctor ftp://ann@example.org/`

const (
	exitUsage      = 1
	exitMountPoint = 2
	exitServer     = 3
	exitLogin      = 4
	exitRemoteDir  = 5
	exitUnmount    = 6
)

// failure is an error for the user: a sentence that says what to do, and the exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail makes a failure by fmt.Errorf.
func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// exitCode maps the error of a command; whatever is not a failure comes from the
// command line.
func exitCode(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return exitUsage
}

func main() {
	p := program{mount: mountServer}
	os.Exit(p.main())
}

// main is the command, the helper of mount(8) or the daemon, as the process was started.
func (p *program) main() int {
	if os.Getenv("PATH") == "" { // as mount(8) starts its helpers
		os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	switch {
	case isDaemon():
		return p.daemonMain()
	case isHelper(os.Args[0]):
		return p.helper(os.Args[1:], os.Stderr)
	}
	return p.run(os.Args[1:], os.Stdout, os.Stderr)
}

// program is the command with what tests replace.
type program struct {
	mount mountFunc
}

// run executes one command line, reports its error and returns the exit code.
func (p *program) run(args []string, stdout, stderr io.Writer) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(stderr, "ftpfs:", told(err, args))
	}
	return exitCode(err)
}

func (p *program) rootCommand() *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:           "ftpfs [flags] URL MOUNTPOINT",
		Short:         "Mount a directory of an FTP server",
		Long:          manual,
		Example:       examples,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !strings.ContainsAny(args[0], "/:@#.") {
				return fail(exitUsage, "There is no command %q.%s See ftpfs --help.", args[0], nearestCommand(cmd, args[0]))
			}
			if len(args) == 2 && !strings.Contains(args[0], ":") && strings.Contains(args[1], "://") {
				return fail(exitUsage, "The URL comes first, then the mount point, as in: ftpfs ftp://user@host/dir /mnt.")
			}
			if len(args) != 2 {
				return fail(exitUsage, "ftpfs needs a URL and a mount point, as in: ftpfs ftp://user@host/dir /mnt. See ftpfs --help.")
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return append(profileNames(), "ftp://", "ftpes://", "ftps://"), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.applyOptions(cmd.Flags()); err != nil {
				return err
			}
			return p.mountCommand(&f, cmd.Flags(), args[0], args[1], cmd.ErrOrStderr())
		},
	}
	f.register(root)
	root.SetFlagErrorFunc(flagError)
	useFlagSections(root)
	root.AddCommand(umountCommand(), statusCommand(), listCommand(), cacheCommand(), configCommand(), refreshCommand(), doctorCommand(), copyCommand(), loginCommand(), logoutCommand(), demoCommand(), csiCommand(), manpagesCommand(), profileCommand())
	return root
}

// nearestCommand suggests the command whose name is most like name.
func nearestCommand(root *cobra.Command, name string) string {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return suggest(name, names)
}

// release is the version of a package, set when it is built.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
