package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ftpfs/ftpfs"
	"ftpfs/internal/fusetest"
)

// The test binary is the daemon, too: it is what /proc/self/exe names.
func TestMain(m *testing.M) {
	if os.Getenv(configEnv) == "" && os.Getenv(programMark) == "" {
		os.Setenv(configEnv, os.DevNull) // not that of whoever runs the tests
		os.Setenv("DBUS_SESSION_BUS_ADDRESS", "none:")
	}
	if isDaemon() {
		p := program{mount: daemonMount}
		os.Exit(p.daemonMain())
	}
	if os.Getenv(programMark) != "" {
		p := program{mount: mountServer}
		os.Exit(p.main())
	}
	if task := os.Getenv(soakWorkerEnv); task != "" {
		if err := soakWork(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(crashChecksEnv) == "" {
		fusetest.FixSeed()
	}
	goleak.VerifyTestMain(m)
}

// fakeMount is a mount that ends when it is told to.
type fakeMount struct {
	end      chan struct{} // closed: Wait returns
	err      error         // what Wait returns
	unmount  func(context.Context) error
	unmounts chan struct{} // a value for each Unmount
}

func newFakeMount() *fakeMount {
	m := &fakeMount{end: make(chan struct{}), unmounts: make(chan struct{}, 2)}
	m.unmount = func(context.Context) error { close(m.end); return nil }
	return m
}

func (m *fakeMount) Gone() <-chan struct{} { return m.end }
func (m *fakeMount) Wait() error           { <-m.end; return m.err }
func (m *fakeMount) Unmount(ctx context.Context) error {
	m.unmounts <- struct{}{}
	return m.unmount(ctx)
}

func (m *fakeMount) Refresh(context.Context, string) error { return nil }
func (m *fakeMount) ClearCache(context.Context) error      { return nil }
func (m *fakeMount) VerifyCache(context.Context) (ftpfs.Verified, error) {
	return ftpfs.Verified{}, nil
}
func (m *fakeMount) Status() ftpfs.Status { return ftpfs.Status{} }

func run(p *program, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = p.run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodesOfCommandLines(t *testing.T) {
	var p program
	tests := []struct {
		args   string
		code   int
		stderr string
	}{
		{"", exitUsage, "ftpfs: ftpfs needs a URL and a mount point, as in: ftpfs ftp://user@host/dir /mnt. See ftpfs --help.\n"},
		{"ftp://host/", exitUsage, "ftpfs: ftpfs needs a URL and a mount point, as in: ftpfs ftp://user@host/dir /mnt. See ftpfs --help.\n"},
		{"/mnt ftp://host/", exitUsage, "ftpfs: The URL comes first, then the mount point, as in: ftpfs ftp://user@host/dir /mnt.\n"},
		{"sftp://host/ /mnt", exitUsage, "ftpfs: The URL has to begin with ftp://, ftpes:// or ftps://, as in ftp://user@host/dir.\n"},
		{"--tls=off ftps://host/ /mnt", exitUsage, "ftpfs: The URL and --tls contradict each other: ftps:// means --tls implicit.\n"},
		{"--moed=port ftp://host/ /mnt", exitUsage, "ftpfs: There is no flag \"moed\". Did you mean \"mode\"? See ftpfs --help.\n"},
		{"-x ftp://host/ /mnt", exitUsage, "ftpfs: There is no flag \"x\". See ftpfs --help.\n"},
		{"--mode=quick ftp://host/ /mnt", exitUsage, "ftpfs: The flag --mode=quick is wrong: mode \"quick\" is none of auto, passive, active, epsv, pasv, eprt, port. See ftpfs --help.\n"},
		{"--cache-dir= ftp://host/ /mnt", exitUsage, "ftpfs: There is no cache directory: name one by --cache-dir, as in --cache-dir=/var/tmp/ftpfs.\n"},
		{"-o cache-dir= ftp://host/ /mnt", exitUsage, "ftpfs: There is no cache directory: name one by --cache-dir, as in --cache-dir=/var/tmp/ftpfs.\n"},
		{"ftp://host/ /nonexistent/mnt", exitMountPoint, "ftpfs: The mount point /nonexistent/mnt does not exist: create it by mkdir /nonexistent/mnt.\n"},
		{"ftp://host/ /etc/passwd", exitMountPoint, "ftpfs: The mount point /etc/passwd is not a directory: name one.\n"},
		{"umount", exitUsage, "ftpfs: ftpfs umount needs one mount point, as in: ftpfs umount /mnt.\n"},
		{"umount /nonexistent", exitUnmount, "ftpfs: Nothing is mounted by ftpfs on /nonexistent: ftpfs list tells what is mounted.\n"},
		{"unmount /nonexistent", exitUnmount, "ftpfs: Nothing is mounted by ftpfs on /nonexistent: ftpfs list tells what is mounted.\n"},
		{"demo now", exitUsage, "ftpfs: ftpfs demo takes no arguments.\n"},
	}
	for _, tt := range tests {
		code, stdout, stderr := run(&p, strings.Fields(tt.args)...)
		if code != tt.code || stderr != tt.stderr || stdout != "" {
			t.Errorf("%s\ngot  %d %s%s\nwant %d %s", tt.args, code, stdout, stderr, tt.code, tt.stderr)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	var p program
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--version"}, {"-V"}, {"umount", "-h"}, {"completion", "bash"}} {
		code, stdout, stderr := run(&p, args...)
		if code != 0 || stdout == "" || stderr != "" {
			t.Errorf("%v: %d, %q, %q", args, code, stdout, stderr)
		}
	}
	_, help, _ := run(&p, "--help")
	for _, section := range flagSections {
		if strings.Count(help, "\n\n"+section.title+":\n") != 1 {
			t.Errorf("the manual has not one section %q", section.title)
		}
	}
	_, doctor, _ := run(&p, "doctor", "--help")
	for _, part := range []string{"\nFlags:\n      --json  ", "\n\nEncryption:\n", "\n\nLogin:\n"} {
		if !strings.Contains(doctor, part) {
			t.Errorf("the manual of doctor lacks %q", part)
		}
	}
	for _, part := range []string{"Limitations:", "Exit codes:", "ftpfs umount", "--active-ports", "FTPFS_PASSWORD"} {
		if !strings.Contains(help, part) {
			t.Errorf("the manual lacks %q", part)
		}
	}
}

func TestForeground(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("FTPFS_PASSWORD", "hunter2")
	m := newFakeMount()
	close(m.end)
	var got job
	p := program{mount: func(_ context.Context, j job, _ *slog.Logger) (mounted, error) {
		got = j
		return m, nil
	}}
	dir := t.TempDir()
	code, stdout, stderr := run(&p, "-f", "-o", "mode=port", "--user", "ann", "ftp://host/a", dir)
	if code != 0 || stdout != "" || !strings.Contains(stderr, "mounted") || strings.Contains(stderr, "hunter2") {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
	if got.User != "ann" || got.Password != "hunter2" || got.MountPoint != dir || got.Target.String() != "ftp://ann@host/a" {
		t.Errorf("%+v", got)
	}
	f, err := flagsOf(got.Settings)
	if err != nil || f.mode.String() != "port" || !strings.HasPrefix(f.cacheDir, "/") {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestCacheInsideMountPoint(t *testing.T) {
	var p program
	dir := t.TempDir()
	code, _, stderr := run(&p, "--cache-dir", dir+"/cache", "ftp://host/", dir)
	if want := "ftpfs: The cache directory " + dir + "/cache is inside the mount point: choose another one by --cache-dir.\n"; code != exitUsage || stderr != want {
		t.Errorf("%d %s", code, stderr)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestSignalUnmounts(t *testing.T) {
	m := newFakeMount()
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	if err := waitFor(m, signals, quiet()); err != nil || len(m.unmounts) != 1 {
		t.Errorf("%v, unmounted %d times", err, len(m.unmounts))
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	m := newFakeMount()
	signals := make(chan os.Signal, 1)
	m.unmount = func(ctx context.Context) error {
		// While the upload goes on. A signal that comes at once is the first one again.
		for ctx.Err() == nil {
			select {
			case signals <- syscall.SIGINT:
			case <-ctx.Done():
			}
		}
		close(m.end)
		return errors.New("STOR /a: 426 Cut.")
	}
	start := time.Now()
	signals <- syscall.SIGINT
	err := waitFor(m, signals, quiet())
	if exitCode(err) != exitUnmount || err.Error() != "The mount ended with an error: STOR /a: 426 Cut." {
		t.Error(err)
	}
	if time.Since(start) < doubled {
		t.Error("a doubled signal has ended the upload")
	}
}

func TestMountEndsByItself(t *testing.T) {
	m := newFakeMount()
	m.err = io.ErrUnexpectedEOF
	close(m.end)
	err := waitFor(m, nil, quiet())
	if exitCode(err) != exitUnmount || !errors.Is(err, io.ErrUnexpectedEOF) || len(m.unmounts) != 0 {
		t.Error(err)
	}
}

func TestSignalWhileMounting(t *testing.T) {
	p := program{mount: func(ctx context.Context, _ job, _ *slog.Logger) (mounted, error) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	err := p.serve(job{}, quiet(), func() error { t.Error("ready"); return nil })
	if err != errInterrupted {
		t.Error(err)
	}
}

func TestNobodyWaitsForTheMount(t *testing.T) {
	m := newFakeMount()
	p := program{mount: func(context.Context, job, *slog.Logger) (mounted, error) { return m, nil }}
	gone := errors.New("broken pipe")
	if err := p.serve(job{}, quiet(), func() error { return gone }); err != gone || len(m.unmounts) != 1 {
		t.Errorf("%v, unmounted %d times", err, len(m.unmounts))
	}
}
