package ftpclient

import (
	"strings"
	"testing"
	"time"
)

func TestPin(t *testing.T) {
	p := PinOf(testCertificate(t, time.Now(), "host").Leaf)
	hex := strings.TrimPrefix(p.String(), "sha256:")
	var colons []string
	for i := 0; i < len(hex); i += 2 {
		colons = append(colons, strings.ToUpper(hex[i:i+2]))
	}
	const base64 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
	test := Pin{0x9f, 0x86, 0xd0, 0x81, 0x88, 0x4c, 0x7d, 0x65, 0x9a, 0x2f, 0xea, 0xa0, 0xc5, 0x5a, 0xd0, 0x15,
		0xa3, 0xbf, 0x4f, 0x1b, 0x2b, 0x0b, 0x82, 0x2c, 0xd1, 0x5d, 0x6c, 0x15, 0xb0, 0xf0, 0x0a, 0x08}
	for text, want := range map[string]Pin{
		p.String(): p, "SHA256:" + strings.Join(colons, ":"): p,
		"sha256//" + base64: test, "sha256:" + base64: test, "sha256:" + strings.TrimSuffix(base64, "="): test,
	} {
		if got, err := ParsePin(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sha256:", "sha256", hex, "sha256:" + hex[2:], "sha256:" + hex + "00", "md5:" + hex, "sha256:!" + hex[1:]} {
		if got, err := ParsePin(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("sha256:9f:86")
	f.Add("sha256//n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePin(s)
		if err != nil {
			return
		}
		if again, err := ParsePin(p.String()); err != nil || again != p {
			t.Errorf("%q: %v is read as %v, %v", s, p, again, err)
		}
	})
}

func TestTLSModes(t *testing.T) {
	for m := TLSOff; m <= TLSImplicit; m++ {
		if got, err := ParseTLSMode(strings.ToUpper(m.String())); err != nil || got != m {
			t.Errorf("%v is read as %v, %v", m, got, err)
		}
	}
	if _, err := ParseTLSMode("on"); err == nil {
		t.Error("unknown mode accepted")
	}
	for m, want := range map[TLSMode]string{TLSOff: "host:21", TLSExplicit: "host:21", TLSImplicit: "host:990"} {
		cfg := Config{Addr: "host", TLS: m}
		if err := cfg.complete(); err != nil || cfg.Addr != want {
			t.Errorf("%v: %s, %v", m, cfg.Addr, err)
		}
	}
	cfg := Config{Addr: "[fe80::1%eth0]:21"}
	if got := cfg.tlsConfig().ServerName; got != "fe80::1" {
		t.Errorf("the server's name is %q", got)
	}
}
