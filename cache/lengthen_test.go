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
	if f.Lengthen(Version{Size: 4000}) || !f.Lengthen(long) {
		t.Error("it becomes shorter, or not longer")
	}
	if start, end := f.Missing(0, 9000); start != 5000 || end != 9000 || f.Size() != 9000 {
		t.Errorf("[%d, %d) of %d is absent", start, end, f.Size())
	}
	if _, dirty := f.Dirty(); dirty {
		t.Error("what the server has is dirty")
	}
	if g, err := s.Open("/log", long); err != nil || g != f {
		t.Errorf("it is not found: %v", err)
	} else {
		g.Close()
	}
	got := make([]byte, 5000)
	if _, err := f.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, old) {
		t.Errorf("wrong bytes (%v)", err)
	}
	if _, err := f.WriteAt([]byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	if f.Lengthen(Version{Size: 10000}) {
		t.Error("own changes went on with the server's")
	}
}
