package cache

import (
	"bytes"
	"io"
	"testing"
)

// What was evicted before a crash is absent after it, and nothing else is.
func TestEvictedBlocksOfADirtyFileAreAbsentAfterAKill(t *testing.T) {
	for name, backward := range map[string]bool{"with a checksum, then written to": false, "without a checksum": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			f := open(t, s, "/a", 4*testBlock)
			if backward {
				const half = testBlock / 2
				for off := int64(3*testBlock + half); off >= 0; off -= half {
					fill(t, f, off, half)
				}
			} else {
				fill(t, f, 0, 4*testBlock)
			}
			must(t, f.Journal([]byte("n")))
			_, err := f.WriteAt([]byte("yyyy"), 3*testBlock)
			must(t, err)
			s.Clear()
			if start, end := f.Missing(0, testBlock); start >= end {
				t.Fatal("not evicted")
			}
			if !backward {
				_, err := f.WriteAt([]byte("zz"), 10)
				must(t, err)
			}
			crash(s)
			_, all := resumeAll(t, dir)
			f = all["/a"].File
			if start, _ := f.Missing(0, testBlock); start != 0 {
				t.Errorf("absent from %d on", start)
			}
			if got, err := readOne(f, 20, 4); err == nil {
				t.Errorf("%q where nothing is", got)
			}
			if got, err := readOne(f, 3*testBlock, 4); err != nil || string(got) != "yyyy" {
				t.Errorf("written: %q (%v)", got, err)
			}
			if !backward {
				if got, err := readOne(f, 10, 2); err != nil || string(got) != "zz" {
					t.Errorf("written: %q (%v)", got, err)
				}
			}
		})
	}
}

// Parts of a block that are clean have no checksum any more when others were
// written to; what became of them is not known.
func TestCleanPartsOfAWrittenBlockAreFetchedAfterAKill(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/a", 2*testBlock)
	fill(t, f, 0, 2*testBlock)
	must(t, f.Journal([]byte("n")))
	_, err := f.WriteAt([]byte("yyyy"), 100)
	must(t, err)
	crash(s)
	_, all := resumeAll(t, dir)
	f = all["/a"].File
	if start, end := f.Missing(0, 100); start != 0 || end != 100 {
		t.Errorf("absent: %d to %d", start, end)
	}
	fill(t, f, 0, testBlock)
	want := pattern(0, 2*testBlock)
	copy(want[100:], "yyyy")
	if got := readAll(t, f); !bytes.Equal(got, want) {
		t.Error("other bytes")
	}
}

func TestWhatWasCutOffDoesNotComeBackAsZeros(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f, err := s.Create("/a")
	must(t, err)
	must(t, f.Journal([]byte("n")))
	_, err = f.WriteAt(pattern(0, 3*testBlock), 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Truncate(100))
	_, err = f.WriteAt([]byte("new"), testBlock)
	must(t, err)
	crash(s)
	run := bootID
	bootID = func() string { return "another" }
	defer func() { bootID = run }()
	_, all := resumeAll(t, dir)
	f = all["/a"].File
	if got, err := readOne(f, 0, 200); err != io.EOF || !bytes.Equal(got[:100], pattern(0, 100)) {
		t.Errorf("%d bytes (%v)", f.Size(), err)
	}
}
