package main

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"ftpfs/internal/ftptest"
)

// watched is what a mount tells at a time.
func watched(now time.Time, moved int64) status {
	return status{
		MountPoint: "/mnt", Source: "ftp://h/", Age: float64(now.Unix()),
		Server:      statusServer{Reached: true, Greets: "Hello\x1b[2J", Mode: "epsv", ListsBy: "STAT"},
		Connections: statusConnections{Open: 3, Busy: 2, Limit: 6},
		Traffic:     statusTraffic{In: moved},
		Cache:       statusCache{Bytes: 1 << 20, Limit: 4 << 20},
		Transfers:   []statusTransfer{{Path: "/a/long/way/to/a/film.mkv", Moved: moved, Total: 8 << 20, Begun: now.Add(-time.Minute).Truncate(time.Hour)}},
		Errors:      []statusError{{Time: now, Text: "451 \x1b]0;no\a", Times: 2}},
	}
}

func TestWatchModel(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
	var m tea.Model = watch{}
	update := func(msg tea.Msg) (quits bool) {
		var cmd tea.Cmd
		if m, cmd = m.Update(msg); cmd == nil {
			return false
		}
		if _, looks := msg.(looked); looks && !m.(watch).ended {
			return false // it looks again in a second
		}
		_, quits = cmd().(tea.QuitMsg)
		return quits
	}
	screen := func() string { return ansi.Strip(m.View().Content) }
	if !strings.Contains(screen(), "Asking") || update(tea.WindowSizeMsg{Width: 80, Height: 16}) {
		t.Error(screen())
	}
	update(looked{all: []status{watched(now, 1<<20)}})
	s := watched(now.Add(2*time.Second), 3<<20)
	for range mostPending + 2 {
		s.Pending = append(s.Pending, statusPending{Path: "/p", Size: 1 << 20, Error: "452 full"})
	}
	update(looked{all: []status{s}, complaints: "ftpfs: /other does not answer\n"})
	for _, part := range []string{
		"ftp://h/ on /mnt\n", `Hello\x1b[2J`, "lists by STAT", "[##-...] 2 in use, 3 open, at most 6\n", "1.0 MiB/s received, 0 B/s sent\n",
		"[#####...............] 1.0 MiB of 4.0 MiB", "] 37 % of 8.0 MiB, 1.0 MiB/s, 5s left\n", "7 files, 7.0 MiB\n", "452 full\n", "~/a/film.mkv [", "more lines",
	} {
		if !strings.Contains(screen(), part) {
			t.Errorf("the view lacks %q:\n%s", part, screen())
		}
	}
	lines := strings.Split(m.View().Content, "\n")
	for _, line := range lines {
		if ansi.StringWidth(line) > 80 {
			t.Errorf("too wide: %q", line)
		}
	}
	if len(lines) != 16 || !strings.Contains(lines[15], "q quits") || strings.Contains(m.View().Content, "\x1b[2J") || strings.Contains(m.View().Content, "\a") {
		t.Errorf("%d lines:\n%q", len(lines), m.View().Content)
	}
	update(tea.WindowSizeMsg{Width: 120, Height: 60})
	if !strings.Contains(screen(), "and 2 more\n") || !strings.Contains(screen(), "(2 times)\n") || !strings.Contains(screen(), "/other does not answer\n") {
		t.Error(screen())
	}
	update(tea.WindowSizeMsg{Width: 8, Height: 3})
	if got := strings.Split(screen(), "\n"); len(got) != 3 {
		t.Errorf("%q", got)
	}
	if update(tea.KeyPressMsg{Code: 'x', Text: "x"}) || !update(tea.KeyPressMsg{Code: 'q', Text: "q"}) {
		t.Error("other keys than q end it")
	}
	if !update(looked{}) || !m.(watch).ended {
		t.Error("nothing is mounted, and it goes on")
	}
	if err := errors.New("gone"); !update(looked{err: err}) || m.(watch).err != err {
		t.Error("an error does not end it")
	}
}

// Without a terminal the status is printed again and again, until there is none.
func TestWatchAsText(t *testing.T) {
	var out strings.Builder
	n := 0
	err := watchStatus(&out, io.Discard, func(io.Writer) ([]status, error) {
		if n++; n == 2 {
			return nil, nil
		}
		return []status{watched(time.Now(), 1<<20)}, nil
	}, false)
	if text := out.String(); err != nil || !strings.Contains(text, "ftp://h/ on /mnt\n") || !strings.HasSuffix(text, "\n\nNothing is mounted by ftpfs.\n") || strings.Contains(text, "\x1b") {
		t.Errorf("%v\n%q", err, text)
	}
}

// On a terminal the status is a view that q ends, and umount shows what is still to be sent.
func TestOnATerminal(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := server.Fs().MkdirAll("/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	dir := testMount(t, server, "--write-back", "--timeout", "1m")
	held := server.StallData("STOR", 1<<20)
	shell(t, dir, "head -c 4194304 /dev/zero > big")
	<-held.Reached()

	watching := onTerminalOf(t, "status", "--watch", dir)
	watching.shows("\x1b[?1049h", "sending", "/big", "of 4.0 MiB", "MiB/s", "q quits")
	watching.press("q")
	if screen, err := watching.wait(); err != nil || !strings.Contains(screen, "\x1b[?1049l") {
		t.Errorf("%v\n%q", err, screen)
	}

	leaving := onTerminalOf(t, "umount", dir)
	leaving.shows("sending 1 file: ", " of 4.0 MiB [")
	held.Release()
	if screen, err := leaving.wait(); err != nil || !strings.HasSuffix(screen, "\r\x1b[K") {
		t.Errorf("%v\n%q", err, screen)
	}
	if info, err := server.Fs().Stat(filepath.Join("/sub", "big")); err != nil || info.Size() != 4<<20 {
		t.Error(info, err)
	}
}
