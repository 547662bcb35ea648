package main

import (
	"cmp"
	"crypto/tls"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// parseFlags reads a command line without mounting anything.
func parseFlags(args ...string) (*flags, []setting, error) {
	f, s, err := parseFlagSet(args...)
	return f, settings(s), err
}

func parseFlagSet(args ...string) (*flags, *pflag.FlagSet, error) {
	var f flags
	cmd := &cobra.Command{}
	f.register(cmd)
	cmd.SetFlagErrorFunc(flagError)
	err := cmd.ParseFlags(args)
	if err != nil {
		err = cmd.FlagErrorFunc()(cmd, err)
	} else {
		err = cmp.Or(f.applyOptions(cmd.Flags()), f.check())
	}
	return &f, cmd.Flags(), err
}

func newFlagSet(f *flags) *pflag.FlagSet {
	s := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.registerSettings(s)
	return s
}

func TestFlagDefaults(t *testing.T) {
	f, given, err := parseFlags()
	if err != nil || len(given) != 0 {
		t.Fatal(given, err)
	}
	if f.mode != ftpclient.ModeAuto || f.connections != 8 || f.timeout != 30*time.Second || f.cacheSize != 1<<30 ||
		f.umask != 0 || f.dirCacheTTL != time.Minute || f.readOnly || f.allowOther || !strings.HasSuffix(f.cacheDir, "/ftpfs") {
		t.Errorf("%+v", f)
	}
}

func TestOptionsTakeEveryFlag(t *testing.T) {
	// One -o with all of them, - and _ mixed.
	pin, other := ftpclient.Pin{1, 2, 3}.String(), ftpclient.Pin{4, 5, 6}.String()
	all := "foreground,debug=false,mode=PORT,active_ports=50000-50100,active-address=192.0.2.1,pasv_address=192.0.2.2," +
		"interface=lo,ipv4,ipv6=false,proxy=none,listing=list,timezone=+02:00,charset=latin1," +
		"pin=" + other + ",tls=explicit,tls_data=clear,tls-min-version=1.3,tls_any_name,ca-file=/ca,cert=/cert,key=/key,pin=" + pin + ",insecure=false," +
		"connections=3,timeout=5s,user=ann=b,virtual_host=v,client-name=c,password_file=/x,password-stdin=false,dir_cache_ttl=1m30s,dir-cache-entries=7," +
		"cache_dir=/c,cache-size=2G,parallel=2,ro,uid=1,gid=2,map_owners,umask=077,fmask=111,dmask=022,fsname=n,metrics=9121,log_file=/l,delay_connect,port=2121,credentials=,write_back=2s,no_temp,exact_times,follow_symlinks,verify,capacity=3G,xattr,allow_other,default_permissions"
	f, set, err := parseFlagSet("-o", all)
	if err != nil {
		t.Fatal(err)
	}
	set.VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag.Name) && !flag.Changed {
			t.Errorf("--%s is missing in this test", flag.Name)
		}
	})
	given := settings(set)
	zone, err := ftpclient.ParseZone("+02:00")
	if err != nil {
		t.Fatal(err)
	}
	want := flags{
		foreground: true, options: []string{all}, mode: ftpclient.ModePORT, activePorts: ftpclient.PortRange{Lo: 50000, Hi: 50100},
		activeAddress: netip.MustParseAddr("192.0.2.1"), pasvAddress: ftpclient.PasvFixed(netip.MustParseAddr("192.0.2.2")),
		bind: "lo", ipv4: true, proxy: "none", listBy: ftpclient.ListLIST, zone: zone, charset: "latin1",
		tls: tlsFlags{mode: ftpclient.TLSExplicit, clearData: true, minVersion: tls.VersionTLS13, anyName: true,
			caFile: "/ca", certFile: "/cert", keyFile: "/key", pins: pinList{{4, 5, 6}, {1, 2, 3}}},
		connections: 3, timeout: 5 * time.Second, user: "ann=b", virtualHost: "v", clientName: "c", passwordFile: "/x", dirCacheTTL: 90 * time.Second, dirCacheEntries: 7,
		cacheDir: "/c", cacheSize: 2 << 30, parallel: 2, readOnly: true, uid: 1, gid: 2, mapOwners: true, umask: fs.FileMode(0o077), fmask: fs.FileMode(0o111), dmask: fs.FileMode(0o022), fsname: "n", logFile: "/l", metrics: "127.0.0.1:9121", delayConnect: true, port: 2121, writeBack: 2 * time.Second, noTemp: true, exactTimes: true, followSymlinks: true, verify: true, capacity: 3 << 30, xattr: true,
		allowOther: true, defaultPermissions: true,
	}
	if !reflect.DeepEqual(*f, want) {
		t.Errorf("\ngot  %+v\nwant %+v", *f, want)
	}
	// What the daemon makes of it is the same.
	again, err := flagsOf(given)
	if err != nil {
		t.Fatal(err)
	}
	want.options = nil
	if !reflect.DeepEqual(*again, want) {
		t.Errorf("\ngot  %+v\nwant %+v", *again, want)
	}
}

func TestFlagForms(t *testing.T) {
	f, _, err := parseFlags("--read_only", "-o", "umask=0", "-oumask=7", "--active-ports", "6000", "-f")
	if err != nil || !f.readOnly || f.umask != 7 || f.activePorts != (ftpclient.PortRange{Lo: 6000, Hi: 6000}) || !f.foreground {
		t.Errorf("%+v, %v", f, err)
	}
	for text, want := range map[string]int64{"1": 1, "2k": 2 << 10, "500M": 500 << 20, "500MiB": 500 << 20, "500MB": 500 << 20, "8t": 8 << 40} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("size %s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "M", "0", "-1", "1.5G", "9999999T", "1X"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("size %q: %d", text, got)
		}
	}
}

func TestFlagErrors(t *testing.T) {
	tests := []struct {
		args string
		want string
	}{
		{"-o readonly", `There is no option "readonly". Did you mean "read-only"? See ftpfs --help.`},
		{"-o recconect", `There is no option "recconect". Did you mean "reconnect"? See ftpfs --help.`},
		{"-o dir_cache_tll=1s", `There is no option "dir-cache-tll". Did you mean "dir-cache-ttl"? See ftpfs --help.`},
		{"-o help", `There is no option "help". See ftpfs --help.`},
		{"-o option=user=x", `There is no option "option". See ftpfs --help.`},
		{"-o qqqqqqqq", `There is no option "qqqqqqqq". See ftpfs --help.`},
		{"-o uid", `The option "uid" needs a value: -o uid=ID.`},
		{"--uid=nobody", `The flag --uid=nobody is wrong: write a whole number, not less than 0. See ftpfs --help.`},
		{"-p 99999", `The flag --port=99999 is wrong: write a number from 0 to 65535. See ftpfs --help.`},
		{"--connections=1e3", `The flag --connections=1e3 is wrong: write a whole number. See ftpfs --help.`},
		{"-o read-only=perhaps", `The option read-only=perhaps is wrong: write true or false. See ftpfs --help.`},
		{"-o mode=fast", `The option mode=fast is wrong: mode "fast" is none of auto, passive, active, epsv, pasv, eprt, port. See ftpfs --help.`},
		{"-o listing=nlst", `The option listing=nlst is wrong: "nlst" is none of auto, mlsd, list, stat. See ftpfs --help.`},
		{"-o timezone=Mars", `The option timezone=Mars is wrong: time zone "Mars" is neither an offset as +02:00 nor a name as Europe/Berlin. See ftpfs --help.`},
		{"-o charset=klingon", `The option charset=klingon is wrong: the character set "klingon" is not known: name one as latin1, windows-1251 or shift_jis. See ftpfs --help.`},
		{"-o umask=9", `The option umask=9 is wrong: write a umask in octal digits, as 022. See ftpfs --help.`},
		{"-o active-ports=9-1", `The option active-ports=9-1 is wrong: write a range of ports as 50000-50100. See ftpfs --help.`},
		{"-o cache-size=big", `The option cache-size=big is wrong: write a size as 500M or 2G. See ftpfs --help.`},
		{"-4 -6", `Give either --ipv4 or --ipv6, not both: without them both are used.`},
		{"-6 --bind 127.0.0.1", `The address given by --bind is of the other version of IP: leave --ipv4 or --ipv6 away.`},
		{"--bind nosuchif0", `--bind is wrong: "nosuchif0" is neither an IP address nor a network interface of this machine. The command ip address lists them.`},
		{"--proxy http://u:secret@h:port", `The proxy given by --proxy or ALL_PROXY cannot be used: write a proxy as socks5://host:1080 or http://user:password@host:3128; special characters in user and password as %XX.`},
		{"-o proxy=socks4://h", `The proxy given by --proxy or ALL_PROXY cannot be used: proxies of the kind socks4 cannot be used: only socks5:// and http:// can.`},
		{"--mode port --proxy socks5://u:secret@h", `Through the proxy socks5://h:1080 a server cannot connect to this machine: use --mode passive, or --proxy none.`},
		{"--modus=port", `There is no flag "modus". Did you mean "mode"? See ftpfs --help.`},
		{"--password-file=x --password-stdin", `Give either --password-file or --password-stdin, not both.`},
		{"-o password-file=x,password-stdin", `Give either --password-file or --password-stdin, not both.`},
		{"--connections=0", `--connections has to be 1 or more.`},
		{"--timeout=0", `--timeout has to be longer than 0, as in 30s.`},
		{"--dir-cache-ttl=-1s", `--dir-cache-ttl has to be longer than 0, as in 1s.`},
		{"--dir-cache-entries=0", `--dir-cache-entries has to be 1 or more.`},
	}
	for _, tt := range tests {
		_, _, err := parseFlags(strings.Fields(tt.args)...)
		if err == nil || err.Error() != tt.want || exitCode(err) != exitUsage {
			t.Errorf("%s\ngot  %d %v\nwant %s", tt.args, exitCode(err), err, tt.want)
		}
	}
}
