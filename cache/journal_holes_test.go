package cache

import (
	"bytes"
	"context"
	"testing"
)

// readOne reads n bytes at off, if they are here.
func readOne(f *File, off int64, n int) ([]byte, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := make([]byte, n)
	_, err := f.ReadAt(ctx, got, off)
	return got, err
}

func TestWritesIntoAHoleSurviveAKill(t *testing.T) {
	for _, name := range []string{"at once", "after a sync", "synced", "cut and grown again under a reader", "again after it was clean"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			f, err := s.Create("/a")
			must(t, err)
			must(t, f.Journal([]byte("n")))
			const off = 5 * testBlock
			want := bytes.Repeat([]byte("x"), 100)
			must(t, f.Truncate(16*testBlock))
			switch name {
			case "after a sync", "synced":
				must(t, f.Sync())
			case "cut and grown again under a reader":
				_, err = f.WriteAt(want, off+200)
				must(t, err)
				defer f.KeepRange(off, testBlock)()
				must(t, f.Truncate(0))
				must(t, f.Truncate(16*testBlock))
			case "again after it was clean":
				gen, _ := f.Dirty()
				f.Clean(gen, version(16*testBlock))
				_, err = f.WriteAt([]byte("y"), 0)
				must(t, err)
			}
			_, err = f.WriteAt(want, off)
			must(t, err)
			if f.synced {
				t.Error("durable without a Sync")
			}
			if name == "synced" {
				must(t, f.Sync())
				run := bootID
				bootID = func() string { return "another" }
				defer func() { bootID = run }()
			}
			crash(s)
			_, all := resumeAll(t, dir)
			r, ok := all["/a"]
			if !ok {
				t.Fatal("not resumed")
			}
			if got, err := readOne(r.File, off, 100); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%.10q (%v)", got, err)
			}
			if name == "again after it was clean" {
				return // the server has the rest
			}
			if got, err := readOne(r.File, off+200, 100); err != nil || !bytes.Equal(got, make([]byte, 100)) {
				t.Errorf("%.10q (%v) where nothing is", got, err)
			}
		})
	}
}
