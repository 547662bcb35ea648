package cache

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openTree opens a store that leaves behind what is dirty. It is the test's to
// close, if it is not to end as if the process was killed.
func openTree(t testing.TB, dir string) *Files {
	t.Helper()
	s, err := OpenFiles(FilesConfig{Dir: dir, Name: "server/tree", BlockSize: testBlock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// crash makes s end as a process that is killed: nothing more is written.
func crash(s *Files) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.dir.unlock()
}

// resumeAll opens the store of a process that was killed.
func resumeAll(t testing.TB, dir string) (*Files, map[string]Resumed) {
	t.Helper()
	s := openTree(t, dir)
	list, failed := s.Resume()
	for _, err := range failed {
		t.Error(err)
	}
	all := make(map[string]Resumed)
	for _, r := range list {
		all[r.Path] = r
	}
	return s, all
}

// journals lists what is left in the directories of the tree below dir.
func journals(t testing.TB, dir string) (names []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, treePrefix+"*", "[fj]*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasWrittenSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	fresh, err := s.Create("/d/new")
	must(t, err)
	must(t, fresh.Journal([]byte("about new")))
	want := pattern(0, 3*testBlock+100)
	for off := 0; off < len(want); off += 5000 {
		_, err := fresh.WriteAt(want[off:min(off+5000, len(want))], int64(off))
		must(t, err)
	}
	old := open(t, s, "/old", 4*testBlock)
	must(t, old.Journal([]byte("about old")))
	fill(t, old, testBlock, testBlock)
	_, err = old.WriteAt([]byte("changed"), 10)
	must(t, err)
	_, err = old.WriteAt([]byte("behind the end"), 5*testBlock)
	must(t, err)
	empty, err := s.Create("/empty")
	must(t, err)
	must(t, empty.Journal(nil))
	clean := open(t, s, "/clean", 100)
	must(t, clean.Journal([]byte("about clean")))
	fill(t, clean, 0, 100)
	s.RenameTree("/d", "/e")
	removed, err := s.Create("/removed")
	must(t, err)
	_, err = removed.WriteAt([]byte("x"), 0)
	must(t, err)
	s.Forget("/removed")
	_, err = removed.WriteAt([]byte("y"), 1)
	must(t, err)
	published, err := s.Create("/published")
	must(t, err)
	_, err = published.WriteAt([]byte("x"), 0)
	must(t, err)
	if gen, _ := published.Dirty(); !published.Clean(gen, version(1)) {
		t.Fatal("not clean")
	}
	crash(s)

	s, all := resumeAll(t, dir)
	if len(all) != 3 {
		t.Fatalf("%v", all)
	}
	r := all["/e/new"]
	if got := readAll(t, r.File); !bytes.Equal(got, want) || string(r.Note) != "about new" {
		t.Errorf("%d bytes, %s", len(got), r.Note)
	}
	r = all["/old"]
	f := r.File
	if string(r.Note) != "about old" || f.Size() != 5*testBlock+14 || !f.version.equal(version(4*testBlock)) {
		t.Errorf("%s, %d bytes of %v", r.Note, f.Size(), f.version)
	}
	if _, dirty := f.Dirty(); !dirty {
		t.Error("clean")
	}
	got := make([]byte, 14)
	if _, err := f.ReadAt(t.Context(), got, 5*testBlock); err != nil || string(got) != "behind the end" {
		t.Errorf("%q, %v", got, err)
	}
	if start, end := f.Missing(0, f.Size()); start != 0 || end != 10 {
		t.Errorf("absent first: %d to %d", start, end)
	}
	fill(t, f, 0, testBlock)
	fill(t, f, testBlock, 3*testBlock)
	full := pattern(0, 4*testBlock)
	copy(full[10:], "changed")
	full = append(full, make([]byte, testBlock)...)
	full = append(full, "behind the end"...)
	if got := readAll(t, f); !bytes.Equal(got, full) {
		t.Error("other bytes than were written, or the server has")
	}
	gen, _ := f.Dirty()
	if !f.Clean(gen, version(f.Size())) {
		t.Error("not clean")
	}
	if r = all["/empty"]; r.File.Size() != 0 {
		t.Errorf("%d bytes of an empty file", r.File.Size())
	}
	r.File.Close() // given up
	must(t, all["/e/new"].File.Park())
	must(t, s.Close())

	s, all = resumeAll(t, dir)
	if len(all) != 1 || !bytes.Equal(readAll(t, all["/e/new"].File), want) {
		t.Errorf("%v", all)
	}
	gen, _ = all["/e/new"].File.Dirty()
	all["/e/new"].File.Clean(gen, version(int64(len(want))))
	must(t, s.Close())
	if left, _ := filepath.Glob(filepath.Join(dir, treePrefix+"*", "j*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What is durable is what Sync was called for: a machine that stops takes the rest.
func TestJournalAfterTheMachineStopped(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f, err := s.Create("/synced")
	must(t, err)
	want := pattern(0, 2*testBlock)
	_, err = f.WriteAt(want, 0)
	must(t, err)
	must(t, f.Journal([]byte("note")))
	must(t, f.Sync())
	_, err = f.WriteAt([]byte("never on the disk"), 2*testBlock)
	must(t, err)
	g, err := s.Create("/written")
	must(t, err)
	_, err = g.WriteAt(want, 0)
	must(t, err)
	crash(s)
	for _, name := range journals(t, dir) {
		data, err := os.ReadFile(name)
		must(t, err)
		if base := filepath.Base(name); base[0] == 'j' {
			data = bytes.ReplaceAll(data, []byte(bootID()), []byte("another-run"))
			data = resign(data)
		} else if int64(len(data)) > 2*testBlock {
			clear(data[2*testBlock:])
		}
		must(t, os.WriteFile(name, data, 0o600))
	}
	s = openTree(t, dir)
	list, failed := s.Resume()
	if len(list) != 1 || len(failed) != 1 || !strings.Contains(failed[0].Error(), "may be damaged and is not uploaded: it was written shortly before the machine stopped") {
		t.Fatalf("%v, %v", list, failed)
	}
	if text := failed[0].Error(); !strings.Contains(text, "/written, left") || !strings.Contains(text, s.dir.String()+"/"+g.name) {
		t.Errorf("%s does not tell which file it is: %s", text, s.dir.String()+"/"+g.name)
	}
	if data, err := os.ReadFile(filepath.Join(s.dir.String(), g.name)); err != nil || !bytes.Equal(data, want) {
		t.Errorf("what was not synced is not there for its user to look at: %v", err)
	}
	if got := readAll(t, list[0].File); !bytes.Equal(got, want) || string(list[0].Note) != "note" {
		t.Errorf("%d bytes, %s", len(got), list[0].Note)
	}
	_, err = list[0].File.WriteAt([]byte("more"), 0)
	must(t, err)
	crash(s)
	s = openTree(t, dir)
	list, failed = s.Resume()
	if len(list) != 1 || len(failed) != 1 {
		t.Fatalf("after another crash: %v, %v", list, failed)
	}
	copy(want, "more")
	if got := readAll(t, list[0].File); !bytes.Equal(got, want) {
		t.Errorf("%d bytes after another crash", len(got))
	}
	must(t, s.Close())
}

// resign gives damaged lines the right checksums.
func resign(data []byte) (signed []byte) {
	for _, line := range bytes.Split(bytes.TrimSuffix(data, []byte{'\n'}), []byte{'\n'}) {
		signed = appendLine(signed, rawText(line[9:]))
	}
	return signed
}

type rawText []byte

func (r rawText) MarshalJSON() ([]byte, error) { return r, nil }

func TestDamagedJournals(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(journal, data []byte) (newJournal, newData []byte)
		want   string // of the file; "" = it is not given back
		says   string
	}{
		"torn":                  {func(j, d []byte) ([]byte, []byte) { return append(j, "0123abcd {\"chan"...), d }, "one two", ""},
		"torn in the last line": {func(j, d []byte) ([]byte, []byte) { return j[:len(j)-3], d }, "one", ""},
		"zeros at the end":      {func(j, d []byte) ([]byte, []byte) { return append(j, make([]byte, 100)...), d }, "one two", ""},
		"a bit in the middle": {func(j, d []byte) ([]byte, []byte) {
			i := bytes.IndexByte(j, '\n') + 15
			j[i] ^= 4
			return j, d
		}, "", "/f, left by an earlier mount as"},
		"a bit in the first line": {func(j, d []byte) ([]byte, []byte) { j[20] ^= 4; return j, d }, "", "of unknown name"},
		"no data":                 {func(j, d []byte) ([]byte, []byte) { return j, nil }, "", "is gone"},
		"nothing at all":          {func(j, d []byte) ([]byte, []byte) { return []byte{}, d }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTree(t, dir)
			f, err := s.Create("/f")
			must(t, err)
			for _, word := range []string{"one", " two"} {
				_, err := f.WriteAt([]byte(word), f.Size())
				must(t, err)
			}
			crash(s)
			var local string
			for _, name := range journals(t, dir) {
				if filepath.Base(name)[0] == 'f' {
					local = name
				}
			}
			journal := filepath.Join(filepath.Dir(local), journalName(filepath.Base(local)))
			j, err := os.ReadFile(journal)
			must(t, err)
			d, err := os.ReadFile(local)
			must(t, err)
			if j, d = tt.damage(j, d); d == nil {
				must(t, os.Remove(local))
			}
			must(t, os.WriteFile(journal, j, 0o600))

			for range 2 { // the second one finds it as the first one has left it
				s = openTree(t, dir)
				list, failed := s.Resume()
				if got := len(list) == 1; got != (tt.want != "") {
					t.Fatalf("given back: %v; %v", got, failed)
				}
				if len(failed) > 1 || len(failed) == 1 != (tt.says != "") || len(failed) == 1 && !strings.Contains(failed[0].Error(), tt.says) {
					t.Errorf("%v", failed)
				}
				for _, r := range list {
					if got := readAll(t, r.File); string(got) != tt.want {
						t.Errorf("%q", got)
					}
					must(t, r.File.Park())
				}
				must(t, s.Close())
			}
			if tt.says != "" && tt.says != "is gone" {
				if _, err := os.Stat(local); err != nil {
					t.Errorf("what cannot be uploaded is thrown away: %v", err)
				}
			}
		})
	}
}

func TestDamagedChangesAreNotUploaded(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f := open(t, s, "/f", 3*testBlock)
	fill(t, f, 0, 3*testBlock)
	_, err := f.WriteAt([]byte("mine"), testBlock)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Park())
	must(t, s.Close())
	for _, name := range journals(t, dir) {
		if filepath.Base(name)[0] == 'f' {
			data, err := os.ReadFile(name)
			must(t, err)
			data[5]++
			data[testBlock+100]++
			must(t, os.WriteFile(name, data, 0o600))
		}
	}
	s, all := resumeAll(t, dir)
	f = all["/f"].File
	p := make([]byte, 10)
	if _, err := f.ReadAt(t.Context(), p, testBlock); !errors.Is(err, syscall.EIO) {
		t.Errorf("a damaged change is read: %v", err)
	}
	if _, err := f.ReadAt(t.Context(), p, 2*testBlock); err != nil || !bytes.Equal(p, pattern(2*testBlock, 10)) {
		t.Errorf("an intact block: %v, %v", p, err)
	}
	f.KeepRange(0, 10)()
	if start, end := f.Missing(0, 3*testBlock); start != 0 || end != testBlock || s.Stats().Damaged != 1 {
		t.Errorf("absent are %d to %d, damaged %d", start, end, s.Stats().Damaged)
	}
	must(t, f.Park())
	must(t, s.Close())
}

func TestTwoProcessesOfOneTree(t *testing.T) {
	dir := t.TempDir()
	a, b := openTree(t, dir), openTree(t, dir)
	for i, s := range []*Files{a, b} {
		for _, path := range []string{"/both", "/" + string(rune('a'+i))} {
			f, err := s.Create(path)
			must(t, err)
			_, err = f.WriteAt([]byte{byte('a' + i)}, 0)
			must(t, err)
		}
	}
	crash(b)
	c := openTree(t, dir) // beside a, which lives
	list, failed := c.Resume()
	if len(list) != 2 || len(failed) != 0 {
		t.Fatalf("%v, %v", list, failed)
	}
	crash(c)
	crash(a)
	// What a has left is taken first, then what is not the same file of c's.
	s, all := resumeAll(t, dir)
	if len(all) != 3 || string(readAll(t, all["/both"].File)) != "a" || string(readAll(t, all["/b"].File)) != "b" {
		t.Fatalf("%v", all)
	}
	for _, r := range all {
		gen, _ := r.File.Dirty()
		r.File.Clean(gen, version(1))
	}
	must(t, s.Close())
	s, all = resumeAll(t, dir)
	if len(all) != 1 || string(readAll(t, all["/both"].File)) != "b" {
		t.Fatalf("%v", all)
	}
	all["/both"].File.Close()
	must(t, s.Close())
	if left, _ := filepath.Glob(filepath.Join(dir, treePrefix+"*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestJournalOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := openTree(t, dir)
	f, err := s.Create("/f")
	must(t, err)
	_, err = f.WriteAt([]byte("before"), 0)
	must(t, err)
	pwrite, left := s.pwrite, 20
	s.pwrite = func(fd *os.File, p []byte, off int64) (int, error) {
		if n := min(left, len(p)); n < len(p) {
			left = 0
			n, _ := pwrite(fd, p[:n], off)
			return n, syscall.ENOSPC
		}
		left -= len(p)
		return pwrite(fd, p, off)
	}
	if n, err := f.WriteAt([]byte(" and after"), 6); !errors.Is(err, syscall.ENOSPC) || n != 0 {
		t.Fatalf("%d, %v", n, err)
	}
	s.pwrite = pwrite
	crash(s)
	s, all := resumeAll(t, dir)
	f = all["/f"].File
	if got := readAll(t, f); string(got) != "before" {
		t.Errorf("%q", got)
	}
	_, err = f.WriteAt([]byte(" and now"), 6)
	must(t, err)
	crash(s)
	s, all = resumeAll(t, dir)
	if got := readAll(t, all["/f"].File); string(got) != "before and now" {
		t.Errorf("%q", got)
	}
	must(t, s.Close())
}

func FuzzJournal(f *testing.F) {
	st := newState()
	st.Path, st.Size, st.Block = []byte("/f"), 100, 16
	st.Version = &Version{50, time.Unix(1, 2)}
	st.Present, st.Dirty = ranges{{0, 20}, {40, 100}}, ranges{{50, 60}}
	st.Sums[0], st.Unsure[3] = 7, true
	whole := appendLine(nil, journalLine{Boot: "now", State: st, Note: []byte("note")})
	whole = appendLine(whole, journalLine{Change: &change{Off: 120, N: 30, Size: 150}})
	whole = appendLine(whole, journalLine{Change: &change{Size: 10}})
	whole = appendLine(whole, journalLine{Path: []byte("/g")})
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(append(bytes.Clone(whole), make([]byte, 30)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, signed := range [][]byte{data, signLines(data)} {
			for _, boot := range []string{"now", "later"} {
				j, err := readJournal(signed, boot)
				if j == nil {
					continue
				}
				checkNormal(t, j.Present)
				checkNormal(t, j.Dirty)
				if err == nil && !j.valid() {
					t.Errorf("not valid: %+v", j.state)
				}
			}
		}
	})
}

// signLines makes lines of any text pass the checksum, for the fuzzer.
func signLines(data []byte) (signed []byte) {
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if len(line) > 9 {
			line = line[9:]
		}
		signed = append(signed, signLine(line)...)
	}
	return signed
}

func signLine(text []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// blocksOf is what a file takes of the disk.
func blocksOf(t testing.TB, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}
