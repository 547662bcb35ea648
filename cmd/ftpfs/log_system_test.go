package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestSystemLog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	if log, closeLog, err := openBackgroundLog(&flags{}, socket); err != nil || log.Enabled(t.Context(), slog.LevelError) && closeLog == nil {
		t.Errorf("without a log of the system: %v", err)
	}
	listen := func() *net.UnixConn {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := listen()
	log, closeLog, err := openBackgroundLog(&flags{}, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	expectLine := func(want string) {
		t.Helper()
		buf := make([]byte, 1000)
		n, err := l.Read(buf)
		if err != nil || !regexp.MustCompile("^"+want+"$").Match(buf[:n]) {
			t.Errorf("%q instead of %s, %v", buf[:n], want, err)
		}
	}
	const head = `[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ftpfs\[\d+\]: `
	log.Debug("not this")
	log.Info("mounted", "on", "/m\n")
	expectLine(`<30>` + head + `msg=mounted on="/m\\n"`)
	log.With("conn", 3).Warn("slow")
	expectLine(`<28>` + head + `msg=slow conn=3`)
	// The log is started anew.
	l.Close()
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	log.Error("lost")
	l = listen()
	defer l.Close()
	log.Error("ended")
	expectLine(`<27>` + head + `msg=ended`)
}
