package cache

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func subdirectories(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, privatePrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestSubdirectoriesOfDeadProcessesAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "some", "cache")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	theirs := subdirectories(t, dir)
	if len(theirs) != 1 {
		t.Fatalf("%v", theirs)
	}
	foreign := filepath.Join(dir, "precious")
	halfRemoved := filepath.Join(dir, privatePrefix+strings.Repeat("A", 26))
	alike := filepath.Join(dir, privatePrefix+"of my own")
	likeliest := filepath.Join(dir, privatePrefix+strings.Repeat("B", 26))
	for _, d := range []string{foreign, halfRemoved, alike, likeliest} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Whatever a directory is called, what we have not made in it stays.
	documents := []string{filepath.Join(alike, "doc"), filepath.Join(likeliest, "doc")}
	for _, name := range append(documents, filepath.Join(likeliest, lockName)) {
		if err := os.WriteFile(name, []byte("dear"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	a, err := OpenFiles(FilesConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(theirs[0]); err != nil {
		t.Errorf("beside a living process: %v", err)
	}
	if _, err := os.Stat(halfRemoved); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a subdirectory without a lock: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	b, err := OpenFiles(FilesConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(theirs[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the process was killed: %v", err)
	}
	for _, name := range documents {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
		os.RemoveAll(filepath.Dir(name))
	}
	if n := len(subdirectories(t, dir)); n != 2 {
		t.Errorf("%d subdirectories of two users", n)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(foreign); err != nil || len(subdirectories(t, dir)) != 0 {
		t.Errorf("after all: %v, %v", err, subdirectories(t, dir))
	}
}

func TestCacheDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "parent", "cache")
	s, err := OpenFiles(FilesConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, _ := s.Create("/secret name")
	f.WriteAt([]byte("x"), 0)
	err = filepath.WalkDir(filepath.Dir(dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if strings.Contains(path, "secret") {
			t.Errorf("%s tells a remote name", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestForeignCacheDirectoryIsRefused(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o770); err != nil {
		t.Fatal(err)
	}
	others := "/" // root's
	if os.Geteuid() == 0 {
		others = t.TempDir()
		if err := os.Chown(others, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	linked := filepath.Join(t.TempDir(), "link") // to our own, by somebody else
	refused := []string{open, others, linked}
	if err := os.Symlink(t.TempDir(), linked); err != nil {
		t.Fatal(err)
	}
	own, err := OpenFiles(FilesConfig{Dir: linked})
	if err != nil {
		t.Fatal(err)
	}
	own.Close()
	if os.Geteuid() == 0 {
		if err := os.Lchown(linked, 12345, -1); err != nil {
			t.Fatal(err)
		}
	} else {
		refused = refused[:2] // nobody's links can be made
	}
	before := descriptors(t)
	for _, dir := range refused {
		if _, err := OpenFiles(FilesConfig{Dir: dir}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if left := since(t, before); len(left) > 0 {
		t.Errorf("open: %v", left)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFiles(FilesConfig{Dir: file}); err == nil {
		t.Error("a file was taken for a cache directory")
	}
}
