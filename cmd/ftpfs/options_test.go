package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
)

// Every name that other programs have is accepted with its meaning, or refused with what to
// do in its place.
func TestForeignOptions(t *testing.T) {
	tests := []struct {
		options string
		same    string // flags of our own that mean the same
		refused string // part of the sentence
	}{
		// mount(8) and systemd
		{"defaults,auto,noauto,nofail,_netdev,user,nouser,users,owner,group,x-systemd.automount,x-gvfs-show,X-mount.mkdir,comment=here", "", ""},
		{"ro", "--read-only", ""},
		{"ro,rw", "--read-only=false", ""},
		{"nodev,nosuid,exec,dev,suid,relatime,noatime,nodiratime,async,sync,dirsync,lazytime", "", ""},
		{"noexec", "--fmask 111", ""},
		{"fmask=022,noexec", "--fmask 133", ""},
		{"noexec,fmask=022", "--fmask 133", ""},
		{"remount,rw", "", "unmount by ftpfs umount"},

		// libfuse
		{"allow_other,default_permissions,uid=1,gid=2,umask=022,fmask=0133,dmask=007", "--allow-other --default-permissions --uid 1 --gid 2 --umask 022 --fmask 0133 --dmask 007", ""},
		{"entry_timeout=1.0,attr_timeout=1,negative_timeout=0,max_read=65536,kernel_cache,auto_cache,direct_io,nonempty,auto_unmount,subtype=x", "", ""},
		{"fsname=a\\,b", "--fsname a,b", ""},
		{`fsname="a,b",ro`, "--fsname a,b --read-only", ""},
		{"allow_root", "", "use allow_other"},
		{"setuid=ann", "", "run ftpfs as that user"},
		{"drop_privileges", "", "run ftpfs as the user"},

		// curlftpfs: connections
		{"user=ann", "--user ann", ""},
		{"ftp_port=-", "--mode active", ""},
		{"ftp_port=192.0.2.1", "--mode active --active-address 192.0.2.1", ""},
		{"ftp_port=192.0.2.1:5000-5010", "--mode active --active-address 192.0.2.1 --active-ports 5000-5010", ""},
		{"ftp_port=[2001:db8::1]:5000-5010", "--mode active --active-address 2001:db8::1 --active-ports 5000-5010", ""},
		{"ftp_port=2001:db8::1", "--mode active --active-address 2001:db8::1", ""},
		{"ftp_port=lo", "--mode active --bind lo", ""},
		{"ftp_port=nowhere0", "", "a network interface of this machine"},
		{"disable_eprt,ftp_port=-", "--mode port", ""},
		{"disable_epsv", "--mode pasv", ""},
		{"disable_epsv=false", "", ""},
		{"disable_epsv,mode=active", "--mode active", ""},
		{"enable_epsv,disable_eprt,tcp_nodelay", "", ""},
		{"skip_pasv_ip", "--pasv-address control", ""},
		{"interface=lo", "--bind lo", ""},
		{"ipv4", "--ipv4", ""},
		{"ipv6", "--ipv6", ""},
		{"connect_timeout=7", "--timeout 7s", ""},
		{"connect_timeout=soon", "", "a number of seconds"},
		{"proxy=h:1", "--proxy http://h:1", ""},
		{"proxy=h:1,httpproxy,proxytunnel", "--proxy http://h:1", ""},
		{"socks5,proxy=h:1,proxy_user=ann:p@ss", "--proxy socks5://ann:p%40ss@h:1", ""},
		{"proxy_user=ann:secret", "", "name that by proxy="},
		{"proxy=socks5://h:1", "--proxy socks5://h:1", ""},
		{"proxy=none", "--proxy none", ""},
		{"socks4", "", "only SOCKS5"},

		// curlftpfs: encryption
		{"tlsv1,sslv3", "", ""},
		{"no_verify_peer", "--insecure", ""},
		{"no_verify_hostname", "--tls-any-name", ""},
		{"cert=/c,key=/k,cert_type=PEM,key_type=pem", "--cert /c --key /k", ""},
		{"cert_type=DER", "", "it can only be PEM"},
		{"pass=secret", "", "passphrase of the private key"},
		{"cacert=/ca", "--ca-file /ca", ""},
		{"capath=/ca", "--ca-file /ca", ""},
		{"ciphers=x", "", "leave it out"},

		// curlftpfs: other
		{"cache=yes", "", ""},
		{"cache=no", "--dir-cache-ttl 1s", ""},
		{"cache_timeout=10,cache_stat_timeout=5,cache_dir_timeout=60,cache_link_timeout=90", "--dir-cache-ttl 5s", ""},
		{"cache_timeout=0", "--dir-cache-ttl 1s", ""},
		{"utf8", "", ""},
		{"codepage=cp1251,iocharset=UTF8", "--charset cp1251", ""},
		{"iocharset=latin1", "", "it can only be utf8"},
		{"transform_symlinks", "", ""},
		{"custom_list=LIST -a", "--listing list", ""},
		{"custom_list=NLST", "", "only LIST"},
		{"ftpfs_debug=0", "", ""},
		{"ftpfs_debug=1", "--debug", ""},

		// sshfs
		{"reconnect,delay_connect", "--delay-connect", ""},
		{"password_stdin", "--password-stdin", ""},
		{"idmap=none", "", ""},
		{"idmap=user", "", ""},
		{"idmap=file", "", "it can only be none, user"},
		{"uidfile=/x", "", "uid="},
		{"gidfile=/x", "", "gid="},
		{"contain_symlinks", "", ""},
		{"no_contain_symlinks", "", "out of the mount"},
		{"follow_symlinks", "--follow-symlinks", ""},
		{"dir_cache=yes,dcache_timeout=20,dcache_max_size=1000", "--dir-cache-ttl 20s --dir-cache-entries 1000", ""},
		{"workaround=rename", "", ""},
		{"max_conns=4", "--connections 4", ""},
		{"port=2121", "--port 2121", ""},

		// rclone, with - and with _
		{"dir_cache_time=5m", "--dir-cache-ttl 5m", ""},
		{"dir-cache-time=5m", "--dir-cache-ttl 5m", ""},
		{"vfs-cache-mode=full,vfs_cache_max_size=10G,vfs_cache_max_age=1h,vfs_read_ahead=0", "--cache-size 10G", ""},
		{"vfs_cache_max_size=off,vfs_cache_mode=off", "", ""},
		{"vfs_write_back=5s", "--write-back=5s", ""},
		{"vfs_cache_mode=fast", "", "it can only be off"},
		{"cache_dir=/c", "--cache-dir /c", ""},
		{"read_only", "--read-only", ""},
		{"tls=explicit", "--tls explicit", ""},
		{"no_check_certificate", "--insecure", ""},
		{"no_check_certificate=false", "", ""},
		{"concurrency=0", "", ""},
		{"concurrency=3", "--connections 3", ""},
		{"idle_timeout=60s,shut_timeout=60s,ask_password,writing_mdtm,force_list_hidden", "", ""},
		{"disable_mlsd,disable_epsv", "--listing list --mode pasv", ""},
		{"disable_utf8", "", "--charset"},

		// credentials
		{"credentials=/c", "--credentials /c", ""},
		{"passwd_file=/c", "--credentials /c", ""},
	}
	for _, tt := range tests {
		f, given, err := parseFlags("-o", tt.options)
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) || exitCode(err) != exitUsage || strings.Contains(err.Error(), "secret") {
				t.Errorf("-o %s: %v instead of %s", tt.options, err, tt.refused)
			}
			continue
		}
		want, _, wantErr := parseFlags(strings.Fields(tt.same)...)
		if err != nil || wantErr != nil {
			t.Errorf("-o %s: %v, %v", tt.options, err, wantErr)
			continue
		}
		f.options = nil
		if !reflect.DeepEqual(f, want) {
			t.Errorf("-o %s\ngot  %+v\nwant %+v", tt.options, f, want)
		}
		// What the daemon makes of it is the same.
		again, err := flagsOf(given)
		if err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("-o %s: the daemon has\n     %+v, %v\nwant %+v", tt.options, again, err, want)
		}
	}
}

// Encryption asked for by an option of another program yields to what the URL says.
func TestForeignTLS(t *testing.T) {
	for _, tt := range []struct {
		options, url string
		want         ftpclient.TLSMode
	}{
		{"ssl", "ftp://h/", ftpclient.TLSExplicit},
		{"ssl_control", "ftp://h/", ftpclient.TLSExplicit},
		{"ssl_try", "ftp://h/", ftpclient.TLSTry},
		{"explicit_tls", "ftp://h/", ftpclient.TLSExplicit},
		{"explicit_tls=false", "ftp://h/", ftpclient.TLSOff},
		{"tls", "ftp://h/", ftpclient.TLSImplicit},
		{"tls=false", "ftp://h/", ftpclient.TLSOff},
		{"tls=true,no_check_certificate", "ftp://h/", ftpclient.TLSImplicit},
		{"ssl", "ftps://h/", ftpclient.TLSImplicit},
	} {
		f, set, err := parseFlagSet("-o", tt.options)
		if err != nil {
			t.Fatal(err)
		}
		at, err := parseAddress(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.tls.secure(&at, set); err != nil || at.TLS != tt.want || f.tls.clearData != (tt.options == "ssl_control") {
			t.Errorf("-o %s %s: %v, %v", tt.options, tt.url, at.TLS, err)
		}
	}
}

func TestUserOption(t *testing.T) {
	f, given, err := parseFlags("-o", `user=ann:a\,b:c`)
	if err != nil || f.user != "ann" || f.password != "a,b:c" || !f.passwordGiven {
		t.Errorf("%+v, %v", f, err)
	}
	for _, s := range given {
		if strings.Contains(s.Value, "a,b") {
			t.Errorf("the password is a setting: %v", given)
		}
	}
	user, password, err := (sources{}).credentials(target{Host: "h"}, f)
	if err != nil || user != "ann" || password != "a,b:c" {
		t.Error(user, password, err)
	}
}

func TestSloppy(t *testing.T) {
	f := flags{options: []string{"ro,nonsense=1,cache_timeout=3"}, sloppy: true}
	set := newFlagSet(&f)
	if err := f.applyOptions(set); err != nil || !f.readOnly || f.dirCacheTTL != 3*time.Second {
		t.Errorf("%+v, %v", f, err)
	}
}

// The manual of options is written from the table: UPDATE=1 go test -run TestManualOfOptions.
func TestManualOfOptions(t *testing.T) {
	const name = "../../docs/options.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, []byte(manualOfOptions()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || string(text) != manualOfOptions() {
		t.Errorf("%s is not what the table of options says (%v): run UPDATE=1 go test -run TestManualOfOptions ./cmd/ftpfs", name, err)
	}
}

func manualOfOptions() string {
	var b strings.Builder
	b.WriteString(`# Options of other programs

Every flag of ftpfs can be given as ` + "`-o NAME[=VALUE]`" + `, on the command line and in ` + "`/etc/fstab`" + `. The names
below are those of mount(8), libfuse, sshfs, curlftpfs and rclone, with what they mean to ftpfs. ` + "`-` and `_`" + `
are alike. A comma in a value is written ` + "`\\,`" + `, or the value is put in double quotes. Names that begin with
` + "`x-`" + ` are left to others. A name that is not known is an error, which tells the nearest one.
`)
	for _, g := range foreignOptions {
		b.WriteString("\n## " + g.title + "\n\n| option | means |\n|---|---|\n")
		for _, known := range g.options {
			b.WriteString("| `" + strings.Join(strings.Fields(strings.ReplaceAll(known.names, "-", "_")), "`, `") + "` | " + known.means + " |\n")
		}
	}
	return b.String()
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"ftp://ann@h/a%20b":          "ftp://ann@h/a%20b",
		"FTPS://h":                   "ftps://h/",
		"h:":                         "ftp://h/",
		"h:dir":                      "ftp://h/dir",
		"h:a b%/c#d":                 "ftp://h/a%20b%25/c%23d",
		"h:/srv/data":                "ftp://h//srv/data",
		"ann@h:dir/sub":              "ftp://ann@h/dir/sub",
		"ann@h:":                     "ftp://ann@h/",
		"ann@[2001:db8::1]:dir":      "ftp://ann@[2001:db8::1]/dir",
		"[2001:db8::1]:2121/dir":     "ftp://[2001:db8::1]:2121/dir",
		"h:2121":                     "ftp://h:2121/",
		"h:2121/dir":                 "ftp://h:2121/dir",
		"h/dir":                      "ftp://h/dir",
		"h/dir:x":                    "ftp://h/dir:x",
		"h/dir@x":                    "ftp://h/dir@x",
		"h:x://y":                    "ftp://h/x:/y",
		"ann:pw@h/dir":               "ftp://ann@h/dir",
		"ftp.example.org":            "ftp://ftp.example.org/",
		"curlftpfs#ftp://ann@h/":     "ftp://ann@h/",
		"curlftpfs#ann:pw@h:2121/a":  "ftp://ann@h:2121/a",
		"ftpfs#h:dir":                "ftp://h/dir",
		"ftpfs#ftpes://h/":           "ftpes://h/",
		"ftp#h/dir":                  "ftp://h/dir",
		"ftps#ann@h":                 "ftps://ann@h/",
		"ftpes#h/dir#1":              "ftpes://h/dir%231",
		"bücher.example:dir":         "ftp://xn--bcher-kva.example/dir",
		"h:dir#1":                    "ftp://h/dir%231",
		"ftp://h/dir#1":              "ftp://h/dir%231",
		"ftp://ann@h:2121//srv/data": "ftp://ann@h:2121//srv/data",
	} {
		at, err := parseAddress(address)
		if err != nil || at.String() != want {
			t.Errorf("%s: %v, %v; want %s", address, at, err, want)
		}
	}
	for _, address := range []string{"", "/mnt", "./dir", "host", "sftp://h/", ":secret@h:dir", "h:..", "h:a\nb", "ann:secret@:dir"} {
		if at, err := parseAddress(address); err == nil || exitCode(err) != exitUsage || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, %v", address, at, err)
		}
	}
	if at, err := parseAddress("ann:a/b@h:dir"); err == nil && at.Host == "h" {
		t.Error("a / in a password has to be written %2F")
	}
	f := flags{port: 2121}
	for address, want := range map[string]uint16{"h:dir": 2121, "ftp://h:99/": 99, "ftps://h/": 2121} {
		at, err := parseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if f.setPort(&at); at.Port != want {
			t.Errorf("%s: port %d", address, at.Port)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"h:dir", "ann:pw@[::1]:21/x", "ftps#h", "curlftpfs#ftp://h", "a:b:c@d:e", "0#.", "\x80.00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parseAddress(s)
		if err != nil {
			return
		}
		// What is shown of it leads to the same place.
		again, err := parseAddress(at.String())
		if err != nil || again.Host != at.Host || again.Dir != at.Dir || again.User != at.User || again.Port != at.Port {
			t.Errorf("%q: %+v is %+v, %v", s, at, again, err)
		}
	})
}

func FuzzSplitOptions(f *testing.F) {
	for _, s := range []string{"a,b=c", `a="b,c",d`, `a\,b`, `x="`, ",,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, item := range splitOptions(s) {
			if item == "" || len(item) > len(s) {
				t.Errorf("%q: %q", s, item)
			}
		}
	})
}
