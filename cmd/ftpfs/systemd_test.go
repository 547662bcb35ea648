package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestSystemdIsToldOfTheMount(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	p := program{mount: func(context.Context, job, *slog.Logger) (mounted, error) {
		m := newFakeMount()
		close(m.end)
		return m, nil
	}}
	if code, _, stderr := run(&p, "-f", "ftp://host/", t.TempDir()); code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	said := make([]byte, 100)
	socket.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := socket.Read(said); err != nil || string(said[:n]) != "READY=1" {
		t.Errorf("%q, %v", said[:n], err)
	}
}
