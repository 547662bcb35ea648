package cache

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// killAfter makes s fail all writes to local files after the next one to f, as if
// the process was killed then.
func killAfter(s *Files, f *File) {
	killed := false
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		if killed {
			return 0, syscall.EIO
		}
		killed = fd == f.fd
		return fd.WriteAt(p, off)
	}
}

// A process that is killed between a write and its line in the journal leaves no
// damage.
func TestKillBetweenAWriteAndItsLine(t *testing.T) {
	for name, off := range map[string]int64{"within": testBlock + 10, "over a border": testBlock - 2, "behind the end": 7 * testBlock} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			f, err := s.Create("/a")
			must(t, err)
			want := pattern(0, 2*testBlock+100)
			_, err = f.WriteAt(want, 0)
			must(t, err)
			for range 2 { // the second time by a later process
				must(t, f.Sync())
				killAfter(s, f)
				if _, err := f.WriteAt([]byte("half"), off); err == nil && off > int64(len(want)) {
					t.Error("the journal was written")
				}
				crash(s)
				var all map[string]Resumed
				s, all = resumeAll(t, dir)
				f = all["/a"].File
				got := readAll(t, f)
				if off < int64(len(want)) {
					copy(want[off:], "half")
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes, others than were written", len(got))
				}
			}
			must(t, f.Park())
			must(t, s.Close())
		})
	}
}

// A file that cannot be cut in its journal is not cut on the disk: it would come
// back with zeros.
func TestCutOnAFullDisk(t *testing.T) {
	for name, next := range map[string]func(f *File) error{
		"no more": func(*File) error { return nil },
		"a write": func(f *File) error { _, err := f.WriteAt([]byte("new"), 0); return err },
		"growth":  func(f *File) error { return f.Truncate(3 * testBlock) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			f, err := s.Create("/a")
			must(t, err)
			want := pattern(0, 2*testBlock)
			_, err = f.WriteAt(want, 0)
			must(t, err)
			s.pwrite = func(*os.File, []byte, int64) (int, error) { return 0, syscall.ENOSPC }
			if err := f.Truncate(10); err == nil {
				t.Fatal("the journal was written")
			}
			if err := next(f); err == nil != (name == "no more") {
				t.Errorf("%v", err)
			}
			crash(s)
			s, all := resumeAll(t, dir)
			if got := readAll(t, all["/a"].File); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, others than were written", len(got))
			}
			must(t, all["/a"].File.Park())
			must(t, s.Close())
		})
	}
}

// What is here of a version that the server is about to lose survives a kill, with
// what is written meanwhile.
func TestClaimedBytesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/a", 2*testBlock)
	fill(t, f, 0, 2*testBlock)
	want := pattern(0, 2*testBlock)
	for i, off := range []int64{10, testBlock + 20} {
		_, err := f.WriteAt([]byte("mine"), off)
		must(t, err)
		copy(want[off:], "mine")
		if i == 0 {
			f.Claim()
			must(t, f.Sync())
		}
	}
	crash(s)
	s, all := resumeAll(t, dir)
	f = all["/a"].File
	if start, end := f.Missing(0, f.Size()); start < end {
		t.Fatalf("absent are %d to %d", start, end)
	}
	if got := readAll(t, f); !bytes.Equal(got, want) {
		t.Error("other bytes than were here")
	}
	must(t, f.Park())
	must(t, s.Close())
}
