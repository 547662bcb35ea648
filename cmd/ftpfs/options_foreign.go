package main

import (
	"errors"
	"fmt"
	"strings"
)

// A foreignOption is what names of other programs mean here.
type foreignOption struct {
	names      string // separated by blanks, with - for _
	means      string // for the manual
	needsValue bool
	apply      func(o *optionSetter, value string) error
}

type optionGroup struct {
	title   string
	options []foreignOption
}

// foreignOptions are the names that mount(8), libfuse, sshfs, curlftpfs and rclone have,
// where they are not those of our own flags. A name has one meaning, whoever has it.
var foreignOptions = []optionGroup{
	{"mount(8), fstab and systemd", []foreignOption{
		sets("ro", "read-only", "true"),
		sets("rw", "read-only", "false"),
		ignored("defaults auto noauto nofail _netdev nouser users owner group nogroup comment", "for mount and systemd"),
		special("user", "`user` is for mount; `user=NAME` is --user NAME, and `user=NAME:PASSWORD` also the password, which ps then shows", (*optionSetter).user),
		special("noexec", "files are shown without execute permission", func(o *optionSetter, value string) error {
			o.later.noexec = true
			return nil
		}),
		sets("exec", "", ""),
		ignored("nosuid nodev", "holds in every mount"),
		ignored("suid dev", "nothing on a server is a device or runs as another user here"),
		ignored("atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime lazytime nolazytime", "servers know no time of access"),
		ignored("sync async dirsync iversion noiversion mand nomand silent loud nosymfollow symfollow", "a close waits for the server unless write_back is given"),
		refusing("remount", "unmount by ftpfs umount, and mount again"),
	}},
	{"libfuse", []foreignOption{
		ignored("attr-timeout entry-timeout negative-timeout ac-attr-timeout", "the kernel believes what it was told as long as --dir-cache-ttl says"),
		ignored("kernel-cache auto-cache noauto-cache direct-io max-read max-write max-background max-readahead congestion-threshold async-read sync-read big-writes splice-read splice-write splice-move writeback-cache no-remote-lock", "found out or done anyway"),
		ignored("intr nointr hard-remove use-ino readdir-ino remember noforget clone-fd max-idle-threads max-threads modules", "the same result is had without"),
		ignored("nonempty blkdev fd rootmode user-id group-id subtype", "of no effect: mounts are of the type fuse.ftpfs"),
		ignored("auto-unmount", "a mount whose process has died is taken away by the next ftpfs on it, and by ftpfs umount"),
		refusing("allow-root", "use allow_other, which lets root in, too"),
		refusing("setuid", "run ftpfs as that user, or show the files as that user's by uid= and gid="),
		refusing("drop-privileges", "run ftpfs as the user who shall own the mount"),
	}},
	{"sshfs", []foreignOption{
		ignored("reconnect", "always done"),
		ignored("workaround compression cipher sshfs-sync sync-readdir no-readahead disable-hardlink nomap dcache-clean-interval dcache-min-clean-interval", "not needed here"),
		special("idmap", "`none` and `user` show all files as yours, as ever; `file` is refused", oneOf("none", "user")),
		refusing("uidfile gidfile", "owners are shown by uid= and gid= only"),
		ignored("transform-symlinks", "done as far as links lead to places in the mount"),
		ignored("contain-symlinks", "always done"),
		refusing("no-contain-symlinks", "a link that leads out of the mount is something else on this machine: --follow-symlinks shows what it leads to"),
		sets("max-conns", "connections", ""),
		special("dir-cache cache", "`yes`, or `no`: listings are then believed for a second only", (*optionSetter).cacheSwitch),
		special("cache-timeout cache-stat-timeout cache-dir-timeout cache-link-timeout dcache-timeout dcache-stat-timeout dcache-dir-timeout dcache-link-timeout",
			"--dir-cache-ttl, in seconds; the shortest of them counts", (*optionSetter).cacheTime),
		sets("dcache-max-size", "dir-cache-entries", ""),
		sets("sshfs-debug", "debug", "true"),
	}},
	{"curlftpfs: connections", []foreignOption{
		special("ftp-port", "--mode active; `ADDR` is --active-address, `IFACE` is --bind, `:LO-HI` behind it is --active-ports, `-` is none of them", (*optionSetter).ftpPort),
		switched("disable-epsv", "--mode pasv, in passive mode", func(g *gathered) { g.noEPSV = true }),
		switched("disable-eprt", "--mode port, in active mode", func(g *gathered) { g.noEPRT = true }),
		ignored("enable-epsv enable-eprt", "tried first anyway"),
		sets("skip-pasv-ip", "pasv-address", "control"),
		sets("interface", "bind", ""),
		ignored("tcp-nodelay", "always done"),
		special("connect-timeout", "--timeout, in seconds", func(o *optionSetter, value string) error { return o.setSeconds("timeout", value) }),
		special("proxy", "--proxy; without `socks5://` or `http://` it is of the kind that the next options say (HTTP)", (*optionSetter).proxy),
		special("proxy-user", "user and password of the proxy", func(o *optionSetter, value string) error {
			o.later.proxyUser = value
			return nil
		}),
		switched("socks5", "the proxy is a SOCKS5 one", func(g *gathered) { g.proxyKind = "socks5" }),
		switched("httpproxy", "the proxy is an HTTP one", func(g *gathered) { g.proxyKind = "http" }),
		refusing("socks4", "only SOCKS5 and HTTP proxies can be used"),
		ignored("proxytunnel proxy-basic proxy-anyauth", "always done"),
		refusing("proxy-digest proxy-ntlm", "proxies are told user and password in the basic form only"),
	}},
	{"curlftpfs: encryption", []foreignOption{
		special("ssl", "--tls explicit, unless the URL says ftps", tlsOption("explicit")),
		special("ssl-control", "--tls explicit --tls-data clear", func(o *optionSetter, value string) error {
			return errors.Join(tlsOption("explicit")(o, value), o.setTo("tls-data", "clear"))
		}),
		special("ssl-try", "--tls try", tlsOption("try")),
		ignored("tlsv1 sslv2 sslv3", "--tls-min-version says which are accepted; SSL never is"),
		sets("no-verify-peer", "insecure", "true"),
		sets("no-verify-hostname", "tls-any-name", "true"),
		sets("cacert capath", "ca-file", ""),
		special("cert-type key-type", "`PEM`", oneOf("PEM")),
		refusing("pass", "there it is the passphrase of the private key, which has to be without one here (openssl pkey -in KEY -out NEW); the password of the login is given by --password-file or --credentials"),
		refusing("ciphers engine krb4", "leave it out: the ciphers are those that Go's TLS takes for safe"),
	}},
	{"curlftpfs: other", []foreignOption{
		ignored("utf8 nomulticonn", "found out"),
		sets("codepage", "charset", ""),
		special("iocharset", "`utf8`", oneOf("utf8", "utf-8")),
		special("custom-list", "`LIST` or `LIST -a`: --listing list", func(o *optionSetter, value string) error {
			if verb, _, _ := strings.Cut(value, " "); !strings.EqualFold(verb, "LIST") {
				return errors.New("only LIST can be asked for: see --listing")
			}
			return o.setTo("listing", "list")
		}),
		special("ftpfs-debug", "-d, unless 0", func(o *optionSetter, value string) error {
			if value == "0" {
				return nil
			}
			return o.setTo("debug", "true")
		}),
	}},
	{"rclone mount", []foreignOption{
		sets("dir-cache-time", "dir-cache-ttl", ""),
		special("vfs-cache-mode", "each program may write as on a disk whatever the mode", oneOf("off", "minimal", "writes", "full")),
		special("vfs-cache-max-size", "--cache-size", func(o *optionSetter, value string) error {
			if value == "off" || value == "-1" {
				return nil
			}
			return o.setTo("cache-size", value)
		}),
		sets("vfs-write-back", "write-back", ""),
		ignored("vfs-cache-max-age vfs-cache-poll-interval vfs-read-ahead vfs-read-chunk-size vfs-read-chunk-size-limit vfs-read-chunk-streams vfs-read-wait vfs-write-wait vfs-fast-fingerprint vfs-refresh no-modtime no-checksum no-seek buffer-size poll-interval transfers checkers daemon daemon-timeout daemon-wait", "found out or done anyway"),
		special("tls", "without value --tls implicit, as rclone means it; with one --tls", func(o *optionSetter, value string) error {
			switch value {
			case "", "true":
				return tlsOption("implicit")(o, value)
			case "false":
				return nil
			}
			return o.setTo("tls", value)
		}),
		special("explicit-tls", "--tls explicit", tlsOption("explicit")),
		sets("no-check-certificate", "insecure", "true"),
		special("concurrency", "--connections, unless 0", func(o *optionSetter, value string) error {
			if value == "0" {
				return nil
			}
			return o.setTo("connections", value)
		}),
		ignored("idle-timeout shut-timeout close-timeout ask-password writing-mdtm force-list-hidden", "found out or done anyway"),
		switched("disable-mlsd", "--listing list", func(g *gathered) { g.noMLSD = true }),
		refusing("disable-utf8", "name the character set of the server by --charset"),
	}},
	{"credentials", []foreignOption{
		sets("passwd-file", "credentials", ""),
	}},
}

// foreignNames finds an option by one of its names.
var foreignNames = make(map[string]foreignOption)

func init() {
	for _, g := range foreignOptions {
		for _, known := range g.options {
			for name := range strings.FieldsSeq(known.names) {
				foreignNames[strings.ReplaceAll(name, "_", "-")] = known
			}
		}
	}
}

// sets is an option that stands for a flag, with a fixed value or ("") its own.
func sets(names, flag, fixed string) foreignOption {
	means := "--" + flag
	switch fixed {
	case "true", "":
	default:
		means += " " + fixed
	}
	if flag == "" {
		means = "the default"
	}
	return foreignOption{names: names, means: means, needsValue: flag != "" && fixed == "", apply: func(o *optionSetter, value string) error {
		switch {
		case flag == "":
			return nil
		case fixed == "":
			return o.setTo(flag, value)
		}
		on, err := parseSwitch(value)
		if err != nil || !on {
			return err
		}
		return o.setTo(flag, fixed)
	}}
}

// ignored is an option that changes nothing.
func ignored(names, why string) foreignOption {
	return foreignOption{names: names, means: "nothing: " + why, apply: func(*optionSetter, string) error { return nil }}
}

// refusing is an option without which things have to go.
func refusing(names, instead string) foreignOption {
	return foreignOption{names: names, means: "refused: " + instead, apply: func(_ *optionSetter, value string) error {
		if on, err := parseSwitch(value); err == nil && !on {
			return nil
		}
		return errors.New(instead)
	}}
}

func special(names, means string, apply func(o *optionSetter, value string) error) foreignOption {
	return foreignOption{names: names, means: means, apply: apply}
}

// switched is an option that says something together with others.
func switched(names, means string, on func(*gathered)) foreignOption {
	return special(names, means, func(o *optionSetter, value string) error {
		is, err := parseSwitch(value)
		if is {
			on(&o.later)
		}
		return err
	})
}

// oneOf is an option that may only say what is the case anyway.
func oneOf(values ...string) func(*optionSetter, string) error {
	return func(_ *optionSetter, value string) error {
		for _, v := range values {
			if strings.EqualFold(v, value) {
				return nil
			}
		}
		return fmt.Errorf("it can only be %s", strings.Join(values, ", "))
	}
}

// tlsOption is --tls for ftp:// URLs; the others say for themselves.
func tlsOption(mode string) func(*optionSetter, string) error {
	return func(o *optionSetter, value string) error {
		on, err := parseSwitch(value)
		if on {
			o.later.tls = mode
		}
		return err
	}
}

// parseSwitch reads the value of an option that is on or off; without one it is on.
func parseSwitch(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "", "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, errors.New("write yes or no")
}
