package cache

import (
	"bytes"
	"testing"
	"time"
)

func TestLengthen(t *testing.T) {
	s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), BlockSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	short, long := Version{Size: 5000, ModTime: time.Unix(1, 0)}, Version{Size: 9000, ModTime: time.Unix(2, 0)}
	f, err := s.Open("/log", short)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old := bytes.Repeat([]byte("x"), 5000)
	if err := f.Fill(old, 0); err != nil {
		t.Fatal(err)
	}
	if f.Lengthen(Version{Size: 4000}, 0, 0) || !f.Lengthen(long, 4500, 5000) {
		t.Error("it becomes shorter, or not longer")
	}
	if start, end := f.Missing(0, 9000); start != 0 || end != 4500 || f.Size() != 9000 {
		t.Errorf("[%d, %d) of %d is absent", start, end, f.Size())
	}
	if start, end := f.Missing(4500, 4500); start != 5000 || end != 9000 {
		t.Errorf("[%d, %d) is absent", start, end)
	}
	if start, end := f.Last(100); start != 4900 || end != 5000 {
		t.Errorf("[%d, %d) is the last that is here", start, end)
	}
	if _, dirty := f.Dirty(); dirty {
		t.Error("what the server has is dirty")
	}
	if g, err := s.Open("/log", long); err != nil || g != f {
		t.Errorf("it is not found: %v", err)
	} else {
		g.Close()
	}
	fresh := bytes.Repeat([]byte("y"), 9000)
	copy(fresh[4500:], old[4500:])
	if err := f.Fill(fresh, 0); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 9000)
	if _, err := f.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, fresh) {
		t.Errorf("wrong bytes (%v)", err)
	}
	if _, err := f.WriteAt([]byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	if f.Lengthen(Version{Size: 10000}, 0, 0) {
		t.Error("own changes went on with the server's")
	}
}
