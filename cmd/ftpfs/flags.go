package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// flags are the settings of a mount. Each can also be given by -o name=value.
type flags struct {
	foreground bool
	debug      bool
	logFile    string
	metrics    string   // address to serve them at
	options    []string // of -o
	sloppy     bool     // what -o names in vain is left out

	mode          ftpclient.Mode
	activePorts   ftpclient.PortRange
	activeAddress netip.Addr
	pasvAddress   ftpclient.PasvAddress
	bind          string
	ipv4, ipv6    bool
	proxy         string
	tls           tlsFlags
	listBy        ftpclient.ListBy
	zone          *time.Location
	charset       string
	connections   int
	timeout       time.Duration
	delayConnect  bool

	port          uint16 // 0: that of the URL
	user          string
	virtualHost   string
	clientName    string
	passwordFile  string
	passwordStdin bool
	credentials   string // a file
	password      string // of -o user=NAME:PASSWORD
	passwordGiven bool

	dirCacheTTL     time.Duration
	dirCacheEntries int
	cacheDir        string
	cacheSize       int64
	parallel        int

	readOnly           bool
	uid, gid           uint32
	mapOwners          bool
	umask              fs.FileMode
	fmask, dmask       fs.FileMode
	fsname             string
	writeBack          time.Duration
	noTemp             bool
	exactTimes         bool
	followSymlinks     bool
	verify             bool
	capacity           int64
	xattr              bool
	allowOther         bool
	defaultPermissions bool
}

// register adds all flags and their completion to the command.
func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.SortFlags = false
	f.registerSettings(s)
	s.StringArrayVarP(&f.options, "option", "o", nil, "flags by `NAME[=VALUE],...`: -o read-only,uid=1000")
	s.BoolP("version", "V", false, "print the version")
	// What sshfs and curlftpfs take, too: there is one thread per processor, and errors are
	// always told.
	s.BoolP("single", "s", false, "")
	s.BoolP("verbose", "v", false, "")
	s.MarkHidden("single")
	s.MarkHidden("verbose")
	cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(
		[]string{"auto", "passive", "active", "epsv", "pasv", "eprt", "port"}, cobra.ShellCompDirectiveNoFileComp))
	f.tls.registerCompletion(cmd)
	cmd.RegisterFlagCompletionFunc("listing", cobra.FixedCompletions(
		[]string{"auto", "mlsd", "list", "stat"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("pasv-address", cobra.FixedCompletions(
		[]string{"control", "reply"}, cobra.ShellCompDirectiveNoFileComp))
}

// registerSettings adds what -o can set, too.
func (f *flags) registerSettings(s *pflag.FlagSet) {
	s.BoolVarP(&f.foreground, "foreground", "f", false, "stay in the foreground, log to standard error")
	s.BoolVarP(&f.debug, "debug", "d", false, "log the FTP conversation and the FUSE requests, with secrets masked; implies -f")
	s.StringVar(&f.logFile, "log-file", "", "append the log to `FILE`, also in the background")
	s.Var(value(&f.metrics, parseMetricsAddr, "[ADDR:]PORT", ""), "metrics", "serve metrics for Prometheus there, at /metrics (default no; without ADDR on this machine only)")
	s.BoolVar(&f.delayConnect, "delay-connect", false, "mount before the server can be reached; the first access connects")
	f.registerConnection(s)

	s.DurationVar(&f.dirCacheTTL, "dir-cache-ttl", time.Minute, "`TIME` that a directory listing is believed")
	s.IntVar(&f.dirCacheEntries, "dir-cache-entries", 200_000, "most directory entries remembered, a `NUMBER`")
	s.StringVar(&f.cacheDir, "cache-dir", defaultCacheDir(), "`DIR` where file contents are kept, and what is not uploaded yet")
	s.Var(value(&f.cacheSize, parseCacheSize, "SIZE", "1G"), "cache-size", "most file contents kept there, as in 500M or 2G; with 0 what is read is kept in memory only; files being written come on top")
	s.IntVar(&f.parallel, "parallel", 4, "most transfers at a time for one reader of a large file, a `NUMBER`; they are added only while they make it faster")

	s.BoolVar(&f.readOnly, "read-only", false, "refuse every change")
	f.uid, f.gid = uint32(os.Getuid()), uint32(os.Getgid())
	s.Uint32Var(&f.uid, "uid", f.uid, "owner of all files (default your own `ID`)")
	s.Uint32Var(&f.gid, "gid", f.gid, "group of all files (default your own `ID`)")
	s.Lookup("uid").DefValue, s.Lookup("gid").DefValue = "0", "0" // not told: the text says it
	s.BoolVar(&f.mapOwners, "map-owners", false, "show the server's owners: users and groups that exist here by the same name, and numbers as they are; --uid and --gid for all others")
	s.Var(value(&f.umask, parseUmask, "OCTAL", "000"), "umask", "permission bits that are not shown")
	s.Var(value(&f.fmask, parseUmask, "OCTAL", "000"), "fmask", "more of them for files")
	s.Var(value(&f.dmask, parseUmask, "OCTAL", "000"), "dmask", "more of them for directories")
	s.BoolVar(&f.followSymlinks, "follow-symlinks", false, "show what symbolic links lead to in their place; rm -r goes through them")
	s.DurationVar(&f.writeBack, "write-back", 0, "let no close wait for the server: files are uploaded `TIME` after it, 20ms if none is given")
	s.Lookup("write-back").NoOptDefVal = "20ms"
	s.BoolVar(&f.noTemp, "no-temp", false, "store files under their own names at once, for servers that rename nothing; others see them half written")
	s.BoolVar(&f.exactTimes, "exact-times", false, "ask for exact times where listings tell only minutes or days; costs round trips")
	s.BoolVar(&f.verify, "verify", false, "compare each uploaded file with what was sent, by a checksum of the server's or by reading it back")
	s.Var(value(&f.capacity, parseSize, "SIZE", ""), "capacity", "size that df shows for a server that does not tell its own, as in 500G")
	s.BoolVar(&f.xattr, "xattr", false, "show the server's facts and checksums of files as user.ftp.*, for getfattr -n; slows ls -l")
	s.StringVar(&f.fsname, "fsname", "", "source shown by mount and df, a `NAME` (default the URL)")
	s.BoolVar(&f.allowOther, "allow-other", false, "let other users use the mount")
	s.BoolVar(&f.defaultPermissions, "default-permissions", false, "let the kernel check permissions by mode and owner; implied by --allow-other")
}

// registerConnection adds the flags that say how to reach a server and log in.
func (f *flags) registerConnection(s *pflag.FlagSet) {
	s.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	s.Var(value(&f.mode, ftpclient.ParseMode, "MODE", "auto"), "mode", "how data connections are opened: auto, passive, active, epsv, pasv, eprt or port")
	s.Var(value(&f.activePorts, parsePorts, "LO-HI", ""), "active-ports", "local ports to listen on in active mode (default any)")
	s.Var(value(&f.activeAddress, netip.ParseAddr, "ADDR", ""), "active-address", "address told to the server in active mode (default that of the control connection)")
	s.Var(value(&f.pasvAddress, ftpclient.ParsePasvAddress, "control|reply|ADDR", "control"), "pasv-address", "host to connect to in passive mode: the control connection's, as the server replies, or a fixed one")
	s.StringVar(&f.bind, "bind", "", "connect and listen from an `ADDR|IFACE` of this machine (default any)")
	s.BoolVarP(&f.ipv4, "ipv4", "4", false, "use IPv4 only")
	s.BoolVarP(&f.ipv6, "ipv6", "6", false, "use IPv6 only")
	s.StringVar(&f.proxy, "proxy", "", "connect through socks5:// or http:// `URL`, or none (default as ALL_PROXY and NO_PROXY say)")
	f.tls.register(s)
	s.Var(value(&f.listBy, ftpclient.ParseListBy, "COMMAND", "auto"), "listing", "how directories are listed: auto, mlsd, list or stat")
	s.Var(value(&f.zone, ftpclient.ParseZone, "NAME|±HH:MM", ""), "timezone", "zone of the server's clock, where times come from LIST (default found out)")
	s.Var(value(&f.charset, ftpclient.ParseCharset, "NAME", ""), "charset", "character set of names, as latin1 or shift_jis, on a server that does not use UTF-8 (default none: names are bytes)")
	s.IntVar(&f.connections, "connections", 8, "most connections to the server, a `NUMBER`")
	s.DurationVar(&f.timeout, "timeout", 30*time.Second, "longest silence of the server, a `TIME`, before an operation fails")

	s.Uint16VarP(&f.port, "port", "p", 0, "`PORT` of the server, when the URL names none")
	s.StringVar(&f.user, "user", "", "user `NAME` to log in as, when the URL names none")
	s.StringVar(&f.virtualHost, "virtual-host", "", "`NAME` of the host that is meant, if the server has several at one address")
	s.StringVar(&f.clientName, "client-name", "", "`NAME` told to servers that treat some programs better, as in ftpfs")
	s.StringVar(&f.passwordFile, "password-file", "", "`FILE` whose first line is the password")
	s.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from the first line of standard input")
	s.StringVar(&f.credentials, "credentials", "", "`FILE` with the lines username=NAME and password=PASSWORD, which only you can read")
}

// defaultCacheDir is below $XDG_CACHE_HOME or the home directory; "" if there is none.
func defaultCacheDir() string {
	if os.Getenv("HOME") != "" || filepath.IsAbs(os.Getenv("XDG_CACHE_HOME")) {
		return filepath.Join(xdg.CacheHome, "ftpfs")
	}
	if home := homeDir(os.Getenv); home != "" {
		return filepath.Join(home, ".cache", "ftpfs")
	}
	return ""
}

// homeDir is $HOME, else what the user database says; "" if neither knows.
func homeDir(getenv func(string) string) string {
	if home := getenv("HOME"); home != "" {
		return home
	}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		return u.HomeDir
	}
	return ""
}

// isSetting tells the flags of a mount from those of the command line.
func isSetting(name string) bool {
	switch name {
	case "help", "version", "option", "single", "verbose":
		return false
	}
	return true
}

func (f *flags) check() error {
	switch {
	case f.cacheDir == "":
		return fail(exitUsage, "There is no cache directory: name one by --cache-dir, as in --cache-dir=/var/tmp/ftpfs.")
	case f.dirCacheTTL <= 0:
		return fail(exitUsage, "--dir-cache-ttl has to be longer than 0, as in 1s.")
	case f.writeBack < 0:
		return fail(exitUsage, "--write-back has to be longer than 0, as in 1s; 0 lets each close wait.")
	case f.dirCacheEntries < 1:
		return fail(exitUsage, "--dir-cache-entries has to be 1 or more.")
	case f.parallel < 1:
		return fail(exitUsage, "--parallel has to be 1 or more.")
	}
	return f.checkConnection()
}

// checkConnection checks the flags of registerConnection.
func (f *flags) checkConnection() error {
	switch {
	case f.passwordFile != "" && f.passwordStdin:
		return fail(exitUsage, "Give either --password-file or --password-stdin, not both.")
	case f.credentials != "" && (f.passwordFile != "" || f.passwordStdin):
		return fail(exitUsage, "Give the password either by --credentials or by --password-file or --password-stdin, not by both.")
	case f.connections < 1:
		return fail(exitUsage, "--connections has to be 1 or more.")
	case f.timeout <= 0:
		return fail(exitUsage, "--timeout has to be longer than 0, as in 30s.")
	}
	_, err := f.dialer()
	return err
}

// setting is one flag that was given, in the form in which it can be set again.
type setting struct{ Name, Value string }

// settings lists the flags that were given, for the daemon.
func settings(s *pflag.FlagSet) []setting {
	var all []setting
	s.Visit(func(flag *pflag.Flag) {
		if isSetting(flag.Name) {
			all = append(all, setting{flag.Name, flag.Value.String()})
		}
	})
	return all
}

// flagError makes pflag's errors sentences.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		return fail(exitUsage, "There is no flag %q.%s See ftpfs --help.", name, nearest(cmd.Flags(), name))
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fail(exitUsage, "The flag --%s=%s is wrong: %w. See ftpfs --help.", invalid.GetFlag().Name, invalid.GetValue(), cause(err))
	}
	return fail(exitUsage, "%w. See ftpfs --help.", err)
}
