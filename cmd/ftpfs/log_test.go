package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

func TestLogFileOfTheDaemon(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // the daemon works elsewhere
	if err := os.WriteFile("log", []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := afero.NewMemMapFs()
	if err := files.Mkdir("/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	mount := testMount(t, ftptest.Start(t, ftptest.Options{Fs: files}), "--log-file", "log")
	pid := daemonOf(t, mount)
	var p program
	if code, _, stderr := run(&p, "umount", mount); code != 0 {
		t.Fatal(stderr)
	}
	waitProcess(t, pid)
	log, err := os.ReadFile("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"before\n", "msg=mounted", "on=" + mount, "msg=unmounted"} {
		if !strings.Contains(string(log), part) {
			t.Errorf("%q is not in the log:\n%s", part, log)
		}
	}
	if strings.Contains(string(log), "level=DEBUG") || strings.Contains(string(log), "secret") {
		t.Errorf("too much is logged:\n%s", log)
	}
}

func TestLogFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	log, closeLog, err := openLog(&flags{logFile: name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("a\x1b[2Jb\r", "error", "\x00")
	closeLog()
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(name); err != nil || !strings.HasSuffix(string(text), `msg="a\x1b[2Jb\r" error="\x00"`+"\n") {
		t.Errorf("%q, %v", text, err)
	}
	dir := t.TempDir()
	for _, flags := range [][]string{{"-f"}, nil} {
		var p program
		args := append(flags, "--log-file", dir, "--cache-dir", t.TempDir(), "ftp://ann:secret@127.0.0.1:1/", t.TempDir())
		code, _, stderr := run(&p, args...)
		if want := "ftpfs: The log file cannot be written: open " + dir + ": is a directory. Choose another one by --log-file.\n"; code != exitUsage || stderr != want {
			t.Errorf("%v: %d %s", flags, code, stderr)
		}
	}
}
