package cache

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// What is damaged while it is kept is found and dropped, and changes are refused.
func TestVerify(t *testing.T) {
	const size = 3*testBlock + 100
	dir := t.TempDir()
	s := openTree(t, dir)
	for _, path := range []string{"/a", "/b"} {
		f := open(t, s, path, size)
		fill(t, f, 0, size)
		must(t, f.Close())
	}
	changed, err := s.Create("/changed")
	must(t, err)
	defer changed.Close()
	_, err = changed.WriteAt(pattern(0, size), 0)
	must(t, err)
	ctx := t.Context()
	if v, err := s.Verify(ctx); err != nil || v.Sound != 3*size || v.Unchecked != 0 || v.Dropped != 0 || v.Damaged != nil || v.Lost != nil {
		t.Fatalf("%+v, %v", v, err)
	}

	flip := func(local string, at int64) {
		names, err := filepath.Glob(filepath.Join(dir, treePrefix+"*", local))
		if err != nil || len(names) != 1 {
			t.Fatalf("%v, %v", names, err)
		}
		file, err := os.OpenFile(names[0], os.O_RDWR, 0)
		must(t, err)
		defer file.Close()
		b := make([]byte, 1)
		_, err = file.ReadAt(b, at)
		must(t, err)
		b[0] ^= 4
		_, err = file.WriteAt(b, at)
		must(t, err)
	}
	flip("f1", testBlock+7)
	flip("f3", 7)
	v, err := s.Verify(ctx)
	if err != nil || v.Sound != 3*size-2*testBlock || v.Dropped != testBlock || !slices.Equal(v.Damaged, []string{"/a"}) || !slices.Equal(v.Lost, []string{"/changed"}) {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := changed.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("a damaged change is read: %v", err)
	}
	a := open(t, s, "/a", size)
	defer a.Close()
	if start, end := a.Missing(0, size); start != testBlock || end != 2*testBlock {
		t.Errorf("absent are %d to %d", start, end)
	}
	fill(t, a, testBlock, testBlock)
	if got := readAll(t, a); !bytes.Equal(got, pattern(0, size)) {
		t.Error("other bytes than the server's")
	}
	if v, err := s.Verify(ctx); err != nil || v.Dropped != 0 || len(v.Lost) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Verify(stopped); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkBooks(t, s)
}
