package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Mount a small FTP server of its own and show around",
		Long: `Starts an FTP server with sample files on this machine, mounts it on a fresh
directory and shows a short tour. On a terminal the mount stays until Ctrl-C. Nothing
is left behind.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "ftpfs demo takes no arguments.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			stay := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
			return demo(cmd.OutOrStdout(), stay)
		},
	}
}

var samples = map[string]string{
	"/readme.txt":          "These bytes come from an FTP server.\n",
	"/photos/harbour.jpg":  strings.Repeat("\xff\xd8 not really a picture ", 2000),
	"/notes/to do.txt":     "1. mount\n2. work\n3. unmount\n",
	"/notes/naïve café.md": "# Names are bytes, and blanks are fine\n",
}

// demo runs the tour, and with stay leaves the mount there until a signal comes.
func demo(out io.Writer, stay bool) (err error) {
	h := thisHost()
	if err := h.checkFuse(false); err != nil {
		return err
	}
	signals := endSignals()
	defer signal.Stop(signals)

	files := afero.NewMemMapFs()
	for name, text := range samples {
		if err := afero.WriteFile(files, name, []byte(text), 0o644); err != nil {
			return fail(exitServer, "The sample file %s cannot be made: %w.", name, err)
		}
	}
	server, err := ftptest.New(ftptest.Options{Fs: files, User: "demo"})
	if err != nil {
		return fail(exitServer, "The sample server cannot be started: %w.", err)
	}
	defer server.Close()

	work, err := os.MkdirTemp("", "ftpfs-demo-")
	if err != nil {
		return fail(exitMountPoint, "No directory for the demo can be made: %w. Is $TMPDIR writable?", err)
	}
	// Not RemoveAll: if the mount could not be ended, that would delete the server's files.
	mountPoint, cacheDir := filepath.Join(work, "mnt"), filepath.Join(work, "cache")
	defer func() { os.Remove(mountPoint); os.RemoveAll(cacheDir); os.Remove(work) }()
	if err := os.Mkdir(mountPoint, 0o700); err != nil {
		return fail(exitMountPoint, "The mount point of the demo cannot be made: %w.", err)
	}

	t, err := parseURL("ftp://demo@" + server.Addr() + "/")
	if err != nil {
		return err
	}
	j := job{Target: t, User: "demo", Password: "secret", MountPoint: mountPoint,
		Settings: []setting{{"cache-dir", cacheDir}}}
	var said conversationLog
	m, err := openMount(context.Background(), j, slog.New(slog.DiscardHandler), said.add)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "An FTP server with sample files runs on %s.\n$ ftpfs %s %s\n", server.Addr(), t, mountPoint)
	if err = tour(out, mountPoint); err == nil {
		fmt.Fprintf(out, "\nData connections are opened by %s. How the file was asked for on the control connection:\n%s\n",
			strings.ToUpper(m.client.Server().Mode), said.last("> RETR"))
		fmt.Fprint(out, "\nA server of yours is mounted by: ftpfs ftp://user@host/ MOUNTPOINT\n")
		if stay {
			fmt.Fprintf(out, "\nThe mount stays on %s until Ctrl-C.\n", mountPoint)
			return waitFor(m, signals, slog.New(slog.DiscardHandler))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m.Unmount(ctx)
	if ended := ended(m.Wait()); err == nil {
		err = ended
	}
	return err
}

// tour shows what programs see. They are processes of their own, since a process that
// serves a mount may block for ever when it uses it.
func tour(out io.Writer, dir string) error {
	for _, line := range []string{
		"ls -l",
		"cat readme.txt",
		"echo 'written through the mount' > hello.txt",
		"cat hello.txt",
		"ls -l notes",
	} {
		fmt.Fprintf(out, "\n$ %s\n", line)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `cd "$0" && eval "$1"`, dir, line)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		cancel()
		if err != nil {
			return fail(exitUnmount, "The demo failed at %q: %w.", line, err)
		}
	}
	return nil
}

// conversationLog keeps what was said on the control connections.
type conversationLog struct {
	mu    sync.Mutex
	lines []string
}

func (c *conversationLog) add(l ftpclient.TraceLine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, conversation(l))
}

// last returns the latest line that begins with prefix.
func (c *conversationLog) last(prefix string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(c.lines[i], prefix) {
			return c.lines[i]
		}
	}
	return ""
}
