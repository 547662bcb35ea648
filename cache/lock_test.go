package cache

import (
	"syscall"
	"testing"
)

// What is closed is closed for the next one, also while another thread of this process begins a
// program: until that runs it has a copy of all descriptors.
func TestLeftoversWhileAProgramBegins(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/a", 0)
	must(t, f.Journal([]byte("n")))
	_, err := f.WriteAt([]byte("data"), 0)
	must(t, err)
	must(t, f.Park())
	fd, err := syscall.Dup(int(s.dir.lock.Fd()))
	must(t, err)
	defer syscall.Close(fd)
	s.Close()
	if _, all := resumeAll(t, dir); all["/a"].File == nil {
		t.Error("not found")
	}
}
