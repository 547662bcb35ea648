package main

import (
	"encoding/json"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// A mount tells what it is doing while it does it.
func TestStatus(t *testing.T) {
	files := afero.NewMemMapFs()
	const megabytes = 8
	if err := afero.WriteFile(files, "/sub/big", make([]byte, megabytes<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	dir := testMount(t, server, "--timeout", "1m", "--cache-size", "100M")
	server.Refuse("STOR", "451 The disk is on \x1b[2Jholiday.", -1)
	shell(t, dir, "ln -s a b 2>/dev/null; ls >/dev/null; ls -l >/dev/null; echo data > precious 2>/dev/null; true")
	held := server.StallData("RETR", 1<<20)
	reading := exec.CommandContext(t.Context(), "cat", filepath.Join(dir, "big"))
	if err := reading.Start(); err != nil {
		t.Fatal(err)
	}
	<-held.Reached()

	var p program
	var s status
	eventually(t, "a transfer is shown", func() bool {
		code, stdout, stderr := run(&p, "status", "--json", filepath.Join(dir, "not", "there"))
		var all []status
		if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != 0 || stderr != "" || len(all) != 1 {
			t.Fatalf("%d %s %v\n%s", code, stderr, err, stdout)
		}
		s = all[0]
		return len(s.Transfers) > 0 && s.Transfers[0].Moved >= 1<<20
	})
	if s.MountPoint != dir || !strings.HasPrefix(s.Source, "ftp://user@127.0.0.1:") || s.Pid != daemonOf(t, dir) {
		t.Errorf("%+v", s)
	}
	if !s.Server.Reached || s.Server.Mode != "epsv" || s.Server.TLS != "" || s.Connections.Busy < 1 || s.Connections.Open < s.Connections.Busy || s.Connections.Limit < s.Connections.Open {
		t.Errorf("%+v, %+v", s.Server, s.Connections)
	}
	if tr := s.Transfers[0]; tr.Path != "/big" || tr.Upload || tr.Total != megabytes<<20 || tr.Rate <= 0 {
		t.Errorf("%+v", tr)
	}
	if len(s.Pending) != 1 || s.Pending[0].Path != "/precious" || s.Pending[0].Size != 5 || !strings.Contains(s.Pending[0].Error, "451 ") {
		t.Errorf("%+v", s.Pending)
	}
	if s.Traffic.RoundTrips < 3 || s.Traffic.Saved == 0 || s.Traffic.In < 1<<20 || s.Cache.Limit != 100<<20 || s.Cache.Listings != 1 || s.Cache.Entries == 0 {
		t.Errorf("%+v, %+v", s.Traffic, s.Cache)
	}
	if len(s.Errors) == 0 || !strings.Contains(s.Errors[0].Text, "451 ") {
		t.Errorf("%+v", s.Errors)
	}

	code, text, stderr := run(&p, "status", dir)
	for _, part := range []string{s.Source + " on " + dir + "\n", "reading", "/big, ", " of 8.0 MiB [", "not sent yet /precious, 5 B: ", `\x1b[2Jholiday`, "data by EPSV", "lists by MLSD", "not encrypted", "saved by listings"} {
		if !strings.Contains(text, part) {
			t.Errorf("the status lacks %q:\n%s", part, text)
		}
	}
	if code != 0 || stderr != "" || strings.Contains(text, "\x1b") {
		t.Errorf("%d %s%q", code, stderr, text)
	}
	if code, list, _ := run(&p, "list"); code != 0 || !strings.Contains(list, dir) || !strings.Contains(list, "1 file not sent yet") {
		t.Errorf("%d %s", code, list)
	}
	held.Release()
	if err := reading.Wait(); err != nil {
		t.Error(err)
	}

	if code, before, _ := run(&p, "cache", dir); code != 0 || !strings.Contains(before, " 8.0 MiB of 100.0 MiB in ") && !strings.Contains(before, " 8.1 MiB of 100.0 MiB in ") {
		t.Errorf("%d %s", code, before)
	}
	if code, text, stderr := run(&p, "cache", "--verify", dir); code != 0 || !strings.HasPrefix(text, dir+": 8.0 MiB are sound") || strings.Contains(text, "damaged") {
		t.Errorf("%d %q %s", code, text, stderr)
	}
	shell(t, s.Cache.Dir, `for f in */f*; do test $(stat -c %s $f) -lt 8000000 || printf damage | dd of=$f bs=1 seek=3000000 conv=notrunc 2>/dev/null; done`)
	if code, text, stderr := run(&p, "cache", "--verify", dir); code != 0 || !strings.HasSuffix(text, ", 1.0 MiB were damaged and are dropped, of /big\n") {
		t.Errorf("%d %q %s", code, text, stderr)
	}
	if code, after, _ := run(&p, "cache", "--clear", dir); code != 0 || strings.Contains(after, " 8.") || !strings.Contains(after, "; 0 listings") {
		t.Errorf("%d %s", code, after)
	}
	if left := strings.Fields(shell(t, s.Cache.Dir, "du -sk ."))[0]; len(left) > 3 {
		t.Errorf("%s KiB are still on the disk", left)
	}
	if got := shell(t, dir, "cat precious"); got != "data\n" {
		t.Errorf("what is not uploaded is gone: %q", got)
	}

	// Forced, the mount goes although the file cannot be sent.
	pid := daemonOf(t, dir)
	code, _, stderr = run(&p, "umount", "--force", dir)
	if code != exitUnmount || !strings.Contains(stderr, "precious") {
		t.Errorf("%d %s", code, stderr)
	}
	waitProcess(t, pid)
}

func TestRecentErrors(t *testing.T) {
	var r recent
	log := slog.New(r.collect(slog.DiscardHandler))
	for range 3 {
		log.Warn("upload failed", "path", "/a")
	}
	log.Info("request failed", "errno", "EIO")
	log.Info("mounted")
	got, n := r.list()
	if n != 4 || len(got) != 2 || got[0].Text != "upload failed (path /a)" || got[0].Times != 3 || got[1].Text != "request failed (errno EIO)" {
		t.Errorf("%+v", got)
	}
	for i := range 2 * maxRecent {
		log.Error("again", "number", i)
	}
	if got, n := r.list(); n != 24 || len(got) != maxRecent || got[maxRecent-1].Text != "again (number 19)" {
		t.Errorf("%+v", got)
	}
}

func TestStatusText(t *testing.T) {
	begun := time.Now()
	s := status{Age: 3, Transfers: []statusTransfer{{Path: "/a", Moved: 3 << 20, Total: 4 << 20, Begun: begun, Rate: 1 << 20, Upload: true}}}
	before := status{Age: 1, Transfers: []statusTransfer{{Path: "/a", Moved: 1 << 19, Begun: begun}}}
	if text := s.text(&before); !strings.Contains(text, "sending      /a, 3.0 MiB of 4.0 MiB [###############.....] 1.2 MiB/s\n") || !strings.Contains(text, "not reached yet") {
		t.Error(text)
	}
	if text := s.text(nil); !strings.Contains(text, " 1.0 MiB/s\n") {
		t.Error(text)
	}
	if text := s.text(nil); !strings.Contains(text, "  files        0 B in memory;") { // --cache-size 0
		t.Error(text)
	}
	s.Cache = statusCache{Bytes: 1 << 20, Limit: 1 << 30, Dir: "/c"}
	if text := s.text(nil); !strings.Contains(text, "  files        1.0 MiB of 1.0 GiB in /c;") {
		t.Error(text)
	}
	s.Pending = []statusPending{{Path: "/a", Size: 4 << 20}}
	if got := s.left(); got != "sending 1 file: 3.0 MiB of 4.0 MiB [###############.....]" {
		t.Error(got)
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1 << 10: "1.0 KiB", 1536 << 20: "1.5 GiB", 1 << 62: "4096.0 PiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
