package cache

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What somebody has moved into the directory of another tree is neither served nor uploaded
// there, and stays for its user.
func TestDirectoryOfAnotherTree(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	clean := open(t, s, "/clean", testBlock)
	fill(t, clean, 0, testBlock)
	must(t, clean.Close())
	dirty, err := s.Create("/dirty")
	must(t, err)
	_, err = dirty.WriteAt(pattern(0, 100), 0)
	must(t, err)
	must(t, dirty.Park())
	must(t, s.Close())
	must(t, os.Rename(filepath.Join(dir, treeDir("server/tree")+"0"), filepath.Join(dir, treeDir("server/other")+"0")))

	other, err := OpenFiles(FilesConfig{Dir: dir, Name: "server/other", BlockSize: testBlock})
	must(t, err)
	defer other.Close()
	if cached(t, other, "/clean", testBlock) {
		t.Error("a file of another tree is served")
	}
	if left := other.Left(); len(left) > 0 {
		t.Errorf("%v waits", left)
	}
	if list, failed := other.Resume(); len(list) > 0 || len(failed) != 1 || !strings.Contains(failed[0].Error(), "/dirty, found as ") {
		t.Errorf("%v, %v", list, failed)
	}
	must(t, other.Close())
	if left := journals(t, dir); len(left) != 2 {
		t.Errorf("there are %q", left)
	}
}

// Nobody writes into a pipe that is where a file should be: it is not waited for.
func TestPipesInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	for _, path := range []string{"/a", "/b"} {
		f, err := s.Create(path)
		must(t, err)
		_, err = f.WriteAt(pattern(0, 100), 0)
		must(t, err)
		must(t, f.Park())
	}
	must(t, s.Close())
	left := journals(t, dir) // f1 f2 j1 j2
	if len(left) != 4 {
		t.Fatalf("there are %q", left)
	}
	for _, name := range []string{left[0], left[3]} {
		must(t, os.Remove(name))
		must(t, syscall.Mkfifo(name, 0o600))
	}
	s = openTree(t, dir)
	list, failed := s.Resume()
	if len(list) > 0 || len(failed) != 2 || !strings.Contains(failed[0].Error(), "no regular file") || !strings.Contains(failed[1].Error(), "no regular file") {
		t.Errorf("%v, %v", list, failed)
	}
	must(t, s.Close())
	if now := journals(t, dir); len(now) != 4 {
		t.Errorf("there are %q", now)
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, treeDir("server/tree")+"0", catalogName), 0o600))
	if _, err := OpenFiles(FilesConfig{Dir: dir, Name: "server/tree", BlockSize: testBlock}); err == nil || !strings.Contains(err.Error(), "read index: is no regular file") {
		t.Error(err)
	}
}

// Of a journal that was cut short to nothing nobody knows what it told: what is in its file stays.
func TestJournalCutToNothing(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f, err := s.Create("/f")
	must(t, err)
	_, err = f.WriteAt(pattern(0, 10_000), 0)
	must(t, err)
	must(t, f.Park())
	must(t, s.Close())
	left := journals(t, dir)
	must(t, os.Truncate(left[1], 20))
	s = openTree(t, dir)
	if list, failed := s.Resume(); len(list) > 0 || len(failed) != 1 || !strings.Contains(failed[0].Error(), left[0]) {
		t.Errorf("%v, %v", list, failed)
	}
	must(t, s.Close())
	if now := journals(t, dir); len(now) != 2 {
		t.Errorf("there are %q", now)
	}
}
