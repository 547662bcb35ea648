package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
)

// FuzzNetrc reads any netrc: a password that is found stands in the file.
func FuzzNetrc(f *testing.F) {
	for _, text := range []string{"", "machine host login a password b", "machine host login", "default login a password b # c", "macdef x\n\nmachine host\tlogin a\npassword b"} {
		f.Add(text)
	}
	name := filepath.Join(f.TempDir(), "netrc")
	src := sources{getenv: func(v string) string {
		if v == "NETRC" {
			return name
		}
		return ""
	}}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"", "a"} {
			login, password, found, err := src.fromNetrc("host", user)
			if err != nil || !found {
				continue
			}
			if user != "" && login != user || !strings.Contains(text, login) || !strings.Contains(text, password) {
				t.Errorf("%q, %q", login, password)
			}
		}
	})
}

// FuzzCredentials reads any file of credentials.
func FuzzCredentials(f *testing.F) {
	for _, text := range []string{"username=a\npassword=b\n", "user = a\r\npass=b\r\n", "a:b", "#a:b\nx=y\n", "=\n:\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		user, password, err := parseCredentials(strings.NewReader(text))
		if err == nil && (!strings.Contains(text, user) || !strings.Contains(text, password) || strings.Contains(user+password, "\n")) {
			t.Errorf("%q, %q", user, password)
		}
	})
}

// FuzzMountTable reads any mount table: the kernel writes names into it that others have chosen.
func FuzzMountTable(f *testing.F) {
	for _, text := range []string{
		"36 35 0:50 / /with\\040space rw - fuse.ftpfs ftp://host/ rw,user_id=0\n",
		"36 35 0:50 / / rw shared:1 master:2 - ext4 /dev/sda1 rw\n", "\\", "1 2 3 4 \\05 - fuse \\999 ", " - ", "",
	} {
		f.Add(text)
	}
	h := host{mountInfo: filepath.Join(f.TempDir(), "mountinfo")}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(h.mountInfo, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, m := range h.mounts() {
			if h.mounted(m.dir) == (mountEntry{}) && m != (mountEntry{}) {
				t.Errorf("%+v is not found", m)
			}
			if !strings.Contains(text, "\\") && (!strings.Contains(text, m.dir) || !strings.Contains(text, m.source)) {
				t.Errorf("%+v", m)
			}
		}
	})
}

// FuzzHelper has mount(8) pass on any line of fstab. What is wrong with it is told in one line,
// without the password.
func FuzzHelper(f *testing.F) {
	for _, line := range [][2]string{
		{"ftp://user@host/sub", "ro,credentials=/nonexistent,dcache_timeout=5,reconnect"}, {"host:dir", "rw,user,noauto,x-systemd.automount,uid=33,umask=022"},
		{"curlftpfs#user:secret@host", "allow_other,ssl,disable_epsv,_netdev"}, {"ftps://host:0/%zz", "mode=what,=,,,"}, {"", "timeout=1h,cache-size=1T,ftp_port=-"},
	} {
		f.Add(line[0], line[1])
	}
	f.Fuzz(func(t *testing.T, source, options string) {
		if strings.Contains(options, "/dev/") {
			t.Skip("reads what may never end")
		}
		var p program
		var said strings.Builder
		code := p.helper([]string{source, "/mnt", "-f", "-o", options}, &said)
		text := said.String()
		if code != 0 && code != helperUsage || (code == 0) != (text == "") || strings.Count(text, "\n") > 1 || strings.ContainsAny(text, "\x1b\r\x00") {
			t.Errorf("%d %q", code, text)
		}
	})
}

// FuzzValues reads the values of flags. What is taken can be used, and reads the same again
// where it is shown.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"500MiB", "8t", "022", "50000-50100", "[::1]:9121", "9121", "reply", "192.0.2.1", "+05:45", "Europe/Berlin", "1.2", "clear"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseCacheSize(text); err == nil && n < 0 {
			t.Errorf("size %q: %d", text, n)
		}
		if mode, err := parseUmask(text); err == nil && mode.Perm() != mode {
			t.Errorf("umask %q: %v", text, mode)
		}
		if p, err := parsePorts(text); err == nil && (p.Lo == 0 || p.Lo > p.Hi) {
			t.Errorf("ports %q: %v", text, p)
		}
		if addr, err := parseMetricsAddr(text); err == nil {
			if again, err := parseMetricsAddr(addr); err != nil || again != addr {
				t.Errorf("address %q: %q is read as %q, %v", text, addr, again, err)
			}
		}
		if p, err := ftpclient.ParsePasvAddress(text); err == nil {
			if again, err := ftpclient.ParsePasvAddress(p.String()); err != nil || again != p {
				t.Errorf("passive address %q: %v is read as %v, %v", text, p, again, err)
			}
		}
		if zone, err := ftpclient.ParseZone(text); err == nil && zone != nil {
			if _, offset := time.Unix(1e9, 0).In(zone).Zone(); offset < -16*3600 || offset > 16*3600 {
				t.Errorf("time zone %q: %d s from UTC", text, offset)
			}
		}
	})
}
