package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// What others have changed is seen at once after a refresh, by command and by signal.
func TestRefresh(t *testing.T) {
	files := afero.NewMemMapFs()
	write := func(text string) {
		t.Helper()
		if err := afero.WriteFile(files, "/sub/dir/file", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	dir := testMount(t, server, "--dir-cache-ttl", "1h")
	pid := daemonOf(t, dir)
	var p program
	refresh := func(path string) func() {
		return func() {
			if code, stdout, stderr := run(&p, "refresh", path); code != 0 || stdout+stderr != "" {
				t.Errorf("refresh %s: %d %s%s", path, code, stdout, stderr)
			}
		}
	}
	for i, look := range []func(){
		refresh(dir), refresh(filepath.Join(dir, "dir")), refresh(filepath.Join(dir, "dir", "file")),
		refresh(filepath.Join(dir, "dir") + "/"), refresh(filepath.Join(dir, "nothing", "here")), func() { syscall.Kill(pid, syscall.SIGHUP) },
	} {
		before := shell(t, dir, "cd dir; pwd; cat file; ls")
		write(strings.Repeat("new", i+2))
		if err := files.Mkdir("/sub/dir/d"+strings.Repeat("d", i), 0o755); err != nil {
			t.Fatal(err)
		}
		if again := shell(t, dir, "cd dir; pwd; cat file; ls"); again != before {
			t.Errorf("%d: the change is seen without a refresh: the test is wrong", i)
		}
		look()
		if i == 4 { // elsewhere
			continue
		}
		deadline := time.Now().Add(10 * time.Second)
		want := strings.Repeat("new", i+2)
		for shell(t, dir, "cat dir/file") != want || !strings.Contains(shell(t, dir, "ls dir"), "d"+strings.Repeat("d", i)+"\n") {
			if time.Now().After(deadline) {
				t.Fatalf("%d: the change is not seen", i)
			}
			time.Sleep(10 * time.Millisecond) // a signal is not answered
		}
	}
	if code, _, stderr := run(&p, "refresh", os.TempDir()); code != exitUsage || !strings.Contains(stderr, "is not in a mount of ftpfs") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestRefreshThatFails(t *testing.T) {
	m := testEntry(t)
	c := listen(m, nil, answers{refresh: func(_ context.Context, path string) error {
		if path == "/bad" {
			return errors.New("the kernel is asleep")
		}
		return nil
	}}, quiet())
	defer c.end(nil)
	p := processOf(m)
	if p == nil {
		t.Fatal("nobody answers")
	}
	defer p.conn.Close()
	_, err := p.ask(request{Refresh: "/bad"})
	expect(t, "bad", err, exitUnmount, "The mount could not be refreshed: the kernel is asleep.")
	if _, err := p.ask(request{Refresh: "/good"}); err != nil {
		t.Error(err)
	}
}
