package keyring

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ftpfs/internal/keyringtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, address string) *Keyring {
	t.Helper()
	k, err := Open(t.Context(), address, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestStoreAndForget(t *testing.T) {
	service := keyringtest.Start(t)
	k, ctx := open(t, service.Address), t.Context()
	ann, elsewhere := Login{Host: "Example.org", User: "ann"}, Login{Host: "example.org", User: "ann", Port: 2121}
	if _, err := k.Password(ctx, ann); err != ErrNotFound {
		t.Error(err)
	}
	for l, password := range map[Login]string{ann: "old", elsewhere: "other"} {
		if err := k.Store(ctx, l, password); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Store(ctx, ann, "pässword"); err != nil { // in place of the old one
		t.Fatal(err)
	}
	for l, want := range map[Login]string{ann: "pässword", elsewhere: "other"} {
		if got, err := k.Password(ctx, l); err != nil || got != want {
			t.Errorf("%+v: %q, %v", l, got, err)
		}
	}
	if _, err := k.Password(ctx, Login{Host: "example.org", User: "bob"}); err != ErrNotFound {
		t.Error(err)
	}
	if items := service.Items(); len(items) != 2 || service.Prompts() != 0 {
		t.Errorf("%+v, %d prompts", items, service.Prompts())
	}
	if err := k.Forget(ctx, ann); err != nil {
		t.Error(err)
	}
	if err := k.Forget(ctx, ann); err != ErrNotFound {
		t.Error(err)
	}
	if got, err := k.Password(ctx, elsewhere); err != nil || got != "other" {
		t.Errorf("the password of another port went, too: %q, %v", got, err)
	}
}

// What the file manager of GNOME has saved is found.
func TestNetworkPasswords(t *testing.T) {
	service := keyringtest.Start(t)
	if err := service.Add(keyringtest.Item{Password: "secret", Attributes: map[string]string{
		"xdg:schema": "org.gnome.keyring.NetworkPassword", "user": "ann", "server": "example.org", "protocol": "ftp", "authtype": "x",
	}}); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, service.Address).Password(t.Context(), Login{Host: "example.org", User: "ann"}); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLocked(t *testing.T) {
	service := keyringtest.Start(t)
	k, ctx, ann := open(t, service.Address), t.Context(), Login{Host: "h", User: "ann"}
	if err := k.Store(ctx, ann, "secret"); err != nil {
		t.Fatal(err)
	}
	service.Lock(true)
	if got, err := k.Password(ctx, ann); err == nil || got != "" || service.Prompts() != 1 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := k.Password(ctx, Login{Host: "h", User: "bob"}); err != ErrNotFound || service.Prompts() != 1 {
		t.Errorf("%v: the user is asked for what is not there", err)
	}
	service.Lock(false)
	if got, err := k.Password(ctx, ann); err != nil || got != "secret" || service.Prompts() != 2 {
		t.Errorf("%q, %v", got, err)
	}
	service.Lock(false)
	if err := k.Store(ctx, ann, "new"); err != nil || service.Prompts() != 3 {
		t.Error(err)
	}
}

// Nothing is started and nobody is waited for where there is no keyring.
func TestNone(t *testing.T) {
	dir := t.TempDir()
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, address := range []string{"", "unix:path=" + dir + "/none", keyringtest.Bus(t)} {
		if k, err := Open(t.Context(), address, false); !errors.Is(err, ErrNone) || k != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, "unix:path="+dir+"/silent", false); !errors.Is(err, ErrNone) {
		t.Errorf("a bus that is silent: %v", err)
	}
}

func TestAddress(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct{ bus, runtime, want string }{
		{"", "", ""},
		{"unix:path=/a/bus", dir, "unix:path=/a/bus"},
		{"tcp:host=h,port=1;unix:abstract=/x", "", "unix:abstract=/x"},
		{"unixexec:path=/bin/sh", dir, ""}, // starts a program
		{"autolaunch:", dir, ""},
		{"", dir, "unix:path=" + dir + "/bus"},
		{"", t.TempDir(), ""},
	} {
		got := Address(func(name string) string {
			return map[string]string{"DBUS_SESSION_BUS_ADDRESS": tt.bus, "XDG_RUNTIME_DIR": tt.runtime}[name]
		})
		if got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}
