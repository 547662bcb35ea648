package main

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// twoServers starts real servers at addresses that are foreign to each other.
func twoServers(t *testing.T, from, to string, promiscuous bool) (source, target *ftptest.Server) {
	t.Helper()
	t.Setenv("FTPFS_PASSWORD", "secret")
	t.Setenv("FTPFS_TARGET_PASSWORD", "secret")
	source = ftptest.Real(t, from, ftptest.RealOptions{Addr: netip.MustParseAddr("127.0.0.2"), Promiscuous: promiscuous})
	target = ftptest.Real(t, to, ftptest.RealOptions{Addr: netip.MustParseAddr("127.0.0.3"), Promiscuous: promiscuous})
	return source, target
}

func urlOf(s *ftptest.Server, path string) string { return "ftp://user@" + s.Addr + path }

// makeTree fills the source with a tree of files.
func makeTree(t *testing.T, s *ftptest.Server) {
	t.Helper()
	for name, size := range map[string]int{"tree/empty": 0, "tree/a b": 5, "tree/sub/large": 3 << 20, "tree/sub/deep/x": 1000, "file": 300_000} {
		name = filepath.Join(s.Root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte(name), size/len(name)+1)[:size], 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.Root, "tree/none"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Own(); err != nil {
		t.Fatal(err)
	}
}

// same tells whether two directories have the same content, and that no temporary file is
// left.
func same(t *testing.T, a, b string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "diff", "-r", a, b).CombinedOutput(); err != nil {
		t.Errorf("diff: %v\n%s", err, out)
	}
}

func TestCopyBetweenServers(t *testing.T) {
	for _, pair := range [][2]string{{"vsftpd", "proftpd"}, {"pure-ftpd", "vsftpd"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			source, target := twoServers(t, pair[0], pair[1], true)
			makeTree(t, source)
			var p program
			try := func(want int, args ...string) string {
				t.Helper()
				code, stdout, stderr := run(&p, append([]string{"copy"}, args...)...)
				if code != want || stdout != "" || want == 0 && stderr != "" {
					t.Errorf("%v: %d %s%s", args, code, stdout, stderr)
				}
				return stderr
			}
			try(0, urlOf(source, "/file"), urlOf(target, "/"))
			try(0, urlOf(source, "/file"), urlOf(target, "/")) // replaces
			try(0, urlOf(source, "/file"), urlOf(target, "/renamed"))
			try(0, "-r", urlOf(source, "/tree"), urlOf(target, "/"))
			for _, name := range []string{"file", "renamed", "tree/a b", "tree/sub/large"} {
				info, err := os.Stat(filepath.Join(target.Root, name))
				if err != nil || info.ModTime().Unix() != 1e9 || pair[0] != "vsftpd" && info.Mode().Perm() != 0o640 {
					t.Errorf("%s: %v, %v", name, info, err)
				}
			}
			same(t, filepath.Join(source.Root, "file"), filepath.Join(target.Root, "file"))
			same(t, filepath.Join(source.Root, "file"), filepath.Join(target.Root, "renamed"))
			same(t, filepath.Join(source.Root, "tree"), filepath.Join(target.Root, "tree"))
			try(0, "-r", urlOf(source, "/tree"), urlOf(target, "/")) // into it again
			same(t, filepath.Join(source.Root, "tree"), filepath.Join(target.Root, "tree"))
			try(0, "-r", urlOf(source, "/tree/"), urlOf(target, "/other"))
			same(t, filepath.Join(source.Root, "tree"), filepath.Join(target.Root, "other"))
			try(0, "-r", "--relay", urlOf(source, "/tree/"), urlOf(target, "/relayed"))
			same(t, filepath.Join(source.Root, "tree"), filepath.Join(target.Root, "relayed"))

			if msg := try(exitUsage, urlOf(source, "/tree"), urlOf(target, "/")); !strings.Contains(msg, "is a directory: use -r") {
				t.Error(msg)
			}
			if msg := try(exitRemoteDir, urlOf(source, "/missing"), urlOf(target, "/")); !strings.Contains(msg, "/missing on "+source.Addr) {
				t.Error(msg)
			}
			if msg := try(exitUnmount, urlOf(source, "/file"), urlOf(target, "/nodir/x")); !strings.Contains(msg, "The copy failed: STOR /nodir/") {
				t.Error(msg)
			}
			if left, _ := filepath.Glob(target.Root + "/*/.ftpfs*"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// Refused by default: the message proposes --relay, which works.
func TestCopyRefused(t *testing.T) {
	source, target := twoServers(t, "vsftpd", "proftpd", false)
	makeTree(t, source)
	var p program
	code, _, stderr := run(&p, "copy", "-r", urlOf(source, "/tree"), urlOf(target, "/"))
	if code != exitServer || !strings.Contains(stderr, source.Addr+" and "+target.Addr+" do not send data to each other: ") ||
		!strings.Contains(stderr, "Use --relay") || strings.Contains(stderr, "secret") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%d %s", code, stderr)
	}
	if code, _, stderr := run(&p, "copy", "-r", "--relay", urlOf(source, "/tree"), urlOf(target, "/")); code != 0 || stderr != "" {
		t.Errorf("%d %s", code, stderr)
	}
	same(t, filepath.Join(source.Root, "tree"), filepath.Join(target.Root, "tree"))
}

// A file that cannot be read does not keep the others from being copied, nor does a target
// that never replaces.
func TestCopyAsFarAsPossible(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", "secret")
	t.Setenv("FTPFS_TARGET_PASSWORD", "secret")
	files := afero.NewMemMapFs()
	for _, name := range []string{"/d/a", "/d/b", "/d/c"} {
		if err := afero.WriteFile(files, name, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source := ftptest.Start(t, ftptest.Options{Fs: files})
	source.Refuse("RETR", "550 No such luck.", 1)
	target := ftptest.Real(t, "proftpd", ftptest.RealOptions{NoOverwrite: true})
	var p program
	copyAll := func() (int, string) {
		code, _, stderr := run(&p, "copy", "-r", "--relay", "ftp://user@"+source.Addr()+"/d", urlOf(target, "/"))
		return code, stderr
	}
	if code, stderr := copyAll(); code != exitUnmount || !strings.Contains(stderr, "is not copied: RETR /d/") ||
		!strings.HasSuffix(stderr, "ftpfs: 1 file could not be copied.\n") {
		t.Errorf("%d %s", code, stderr)
	}
	if code, stderr := copyAll(); code != 0 || stderr != "" {
		t.Errorf("%d %s", code, stderr)
	}
	left, err := os.ReadDir(filepath.Join(target.Root, "d"))
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}

// A copy of which nothing more arrives is given up.
func TestCopyStalls(t *testing.T) {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/part", []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	client, err := ftpclient.New(ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := copying{to: client, patience: time.Millisecond}
	ctx, cancel := context.WithCancelCause(t.Context())
	shown := &shownBytes{bar: newProgress(io.Discard, 100)}
	c.watch(ctx, cancel, "/part", shown)
	if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), "has not grown beyond 7 bytes") || shown.n != 7 {
		t.Errorf("%v, %d bytes shown", err, shown.n)
	}
}

func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	bar := newBar(&out, 1000, true)
	shown := &shownBytes{bar: bar}
	shown.set(500)
	shown.Write(make([]byte, 250))
	bar.end()
	if text := out.String(); !strings.Contains(text, "50%") {
		t.Errorf("%q", text)
	}
	out.Reset()
	bar = newProgress(&out, 0)
	(&shownBytes{bar: bar}).set(500)
	bar.end()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

// Servers cannot exchange data under TLS. Who wants TLS has to say that the data may be
// read, or relay it.
func TestCopyUnderTLS(t *testing.T) {
	t.Setenv("FTPFS_PASSWORD", "secret")
	t.Setenv("FTPFS_TARGET_PASSWORD", "secret")
	start := func(name, addr string) *ftptest.Server {
		return ftptest.Real(t, name, ftptest.RealOptions{TLS: true, Promiscuous: true, Addr: netip.MustParseAddr(addr)})
	}
	source, target := start("vsftpd", "127.0.0.2"), start("proftpd", "127.0.0.3")
	makeTree(t, source)
	var p program
	from, to := "ftpes"+strings.TrimPrefix(urlOf(source, "/file"), "ftp"), "ftpes"+strings.TrimPrefix(urlOf(target, "/"), "ftp")
	for _, urls := range [][]string{{from, to}, {from, urlOf(target, "/")}, {"--tls=explicit", urlOf(source, "/file"), urlOf(target, "/")}} {
		code, _, stderr := run(&p, append([]string{"copy", "--insecure"}, urls...)...)
		if code != exitUsage || stderr != "ftpfs: Between servers data cannot be encrypted: use --relay, or --tls-data clear if others may read it.\n" {
			t.Errorf("%v: %d %s", urls, code, stderr)
		}
		for _, flag := range []string{"--relay", "--tls-data=clear"} {
			if code, _, stderr := run(&p, append([]string{"copy", "--insecure", flag}, urls...)...); code != 0 || stderr != "" {
				t.Errorf("%s %v: %d %s", flag, urls, code, stderr)
			}
			same(t, filepath.Join(source.Root, "file"), filepath.Join(target.Root, "file"))
			if err := os.Remove(filepath.Join(target.Root, "file")); err != nil {
				t.Error(err)
			}
		}
	}
}
