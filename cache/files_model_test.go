package cache

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A fileModel is a File as a plain slice: what it must read as, what the
// server has, and where which of the two counts.
type fileModel struct {
	f      *File
	want   []byte // as if all were present
	server []byte // the version that Fill takes from
	have   []bool // present
	dirty  []bool
	gen    uint64 // as last told by Track
	sent   []byte // want at that time
	since  []bool // what has changed since
	fresh  bool   // nothing has
}

type filesModel struct {
	s         *Files
	files     []*fileModel
	evictions uint64
	versions  int64
	fill      byte
}

// TestFilesAgainstModel runs fills, writes, cuts, reads and uploads on two
// files in a cache too small for either, on a disk that can punch holes and
// on one that cannot.
func TestFilesAgainstModel(t *testing.T) {
	dir := t.TempDir()
	for name, punch := range map[string]func(*os.File, int64, int64) error{
		"punch":   punchHole,
		"nopunch": func(*os.File, int64, int64) error { return syscall.EOPNOTSUPP },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s, err := OpenFiles(FilesConfig{
					Dir:       dir,
					MaxBytes:  rapid.SampledFrom([]int64{-1, 16, 48, 100_000}).Draw(t, "max"),
					BlockSize: rapid.SampledFrom([]int64{1, 16, 64}).Draw(t, "block"),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				s.punch = punch
				(&filesModel{s: s}).run(t)
			})
		})
	}
}

func (m *filesModel) run(t *rapid.T) {
	offset := rapid.IntRange(0, 150)
	length := rapid.IntRange(0, 60)
	for range 2 {
		m.files = append(m.files, m.open(t, offset.Draw(t, "size")))
	}
	file := func(t *rapid.T) *fileModel { return m.files[rapid.IntRange(0, 1).Draw(t, "file")] }
	t.Repeat(map[string]func(*rapid.T){
		"fill": func(t *rapid.T) {
			m.doFill(t, file(t), offset.Draw(t, "off"), length.Draw(t, "n"))
		},
		"write": func(t *rapid.T) {
			f, off, p := file(t), offset.Draw(t, "off"), m.bytes(length.Draw(t, "n"))
			if n, err := f.f.WriteAt(p, int64(off)); n != len(p) || err != nil {
				t.Fatalf("write: %d, %v", n, err)
			}
			if len(p) > 0 {
				f.grow(off + len(p))
				copy(f.want[off:], p)
				f.mark(off, off+len(p))
			}
		},
		"truncate": func(t *rapid.T) {
			f, size := file(t), offset.Draw(t, "size")
			if err := f.f.Truncate(int64(size)); err != nil {
				t.Fatal(err)
			}
			f.grow(size)
			f.want, f.have, f.dirty, f.since = f.want[:size], f.have[:size], f.dirty[:size], f.since[:size]
			f.fresh = false
		},
		"read": func(t *rapid.T) {
			m.doRead(t, file(t), offset.Draw(t, "off"), length.Draw(t, "n")+1)
		},
		"begin upload": func(t *rapid.T) { file(t).track() },
		"end upload":   func(t *rapid.T) { m.doClean(t, file(t)) },
		"reopen": func(t *rapid.T) {
			i := rapid.IntRange(0, 1).Draw(t, "file")
			m.reopen(t, i, offset.Draw(t, "size"))
		},
		"": func(t *rapid.T) {
			m.sync(t)
			checkBooks(t, m.s)
		},
	})
}

func (m *filesModel) bytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		m.fill++
		p[i] = m.fill | 1 // never like a hole
	}
	return p
}

// open opens contents of a version and path never used before.
func (m *filesModel) open(t *rapid.T, size int) *fileModel {
	m.versions++
	f, err := m.s.Open(string(rune('a'+m.versions%3)), Version{int64(size), time.Unix(m.versions, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := m.bytes(size)
	fm := &fileModel{f: f, want: bytes.Clone(p), server: p, have: make([]bool, size), dirty: make([]bool, size)}
	fm.track()
	return fm
}

// track begins an upload.
func (f *fileModel) track() {
	f.gen, _ = f.f.Track()
	f.sent, f.since, f.fresh = bytes.Clone(f.want), make([]bool, len(f.want)), true
}

// reopen closes a file and opens it again, clean in the version it has, dirty
// as another.
func (m *filesModel) reopen(t *rapid.T, i, size int) {
	f := m.files[i]
	m.sync(t)
	_, dirty := f.f.Dirty()
	path, v, indexed, cached := f.f.path, f.f.version, m.s.index[f.f.path] == f.f, len(f.f.blocks) > 0
	if err := f.f.Close(); err != nil {
		t.Fatal(err)
	}
	if f.f.fd != nil {
		t.Fatal("a file without holders keeps its descriptor")
	}
	if dirty || !indexed {
		m.files[i] = m.open(t, size)
		return
	}
	again, err := m.s.Open(path, v)
	if err != nil {
		t.Fatal(err)
	}
	if kept := again == f.f; kept != cached {
		t.Fatalf("a clean file with data was kept: %v, want %v", kept, cached)
	}
	if !cached { // at most zeros that took no room
		clear(f.have)
	}
	f.f = again
	f.track()
}

func (m *filesModel) doFill(t *rapid.T, f *fileModel, off, n int) {
	end := min(off+n, len(f.server))
	if off >= end {
		return
	}
	if err := f.f.Fill(f.server[off:end], int64(off)); err != nil {
		t.Fatal(err)
	}
	for i := off; i < min(end, len(f.have)); i++ {
		f.have[i] = true
	}
}

// doRead reads what is there without waiting, and the rest while it is being
// filled: that must come to an end, however small the cache.
func (m *filesModel) doRead(t *rapid.T, f *fileModel, off, n int) {
	end := max(off, min(off+n, len(f.want)))
	present := true
	for i := off; i < end; i++ {
		present = present && f.have[i]
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := make([]byte, n)
	got, err := f.f.ReadAt(ctx, p, int64(off))
	if got > 0 && !bytes.Equal(p[:got], f.want[off:off+got]) {
		t.Fatalf("read at %d: %v, want %v", off, p[:got], f.want[off:off+got])
	}
	switch {
	case present && end-off < n && err == io.EOF && got == max(0, end-off):
		return
	case present && end-off == n && err == nil && got == n:
		return
	case present || err != context.Canceled:
		t.Fatalf("read of %d at %d of %d, present %v: %d, %v", n, off, len(f.want), present, got, err)
	}

	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := f.f.ReadAt(context.Background(), p, int64(off))
		done <- result{n, err}
	}()
	for {
		select {
		case r := <-done:
			if want := p[:end-off]; r.n != len(want) || r.err != nil && r.err != io.EOF || !bytes.Equal(want, f.want[off:end]) {
				t.Fatalf("read at %d while filled: %d, %v: %v, want %v", off, r.n, r.err, want, f.want[off:end])
			}
			return
		default:
			for pos := off; pos < end; { // all gaps: the first may have been read and evicted already
				start, stop := f.f.Missing(int64(pos), int64(end-pos))
				m.doFill(t, f, int(start), int(stop-start))
				pos = int(stop) + 1
			}
		}
	}
}

func (m *filesModel) doClean(t *rapid.T, f *fileModel) {
	m.versions++
	ok := f.f.Clean(f.gen, Version{int64(len(f.sent)), time.Unix(m.versions, 0)})
	gen, dirty := f.f.Dirty()
	if ok != (gen == f.gen) || ok && dirty || f.fresh && !ok {
		t.Fatalf("clean of %d at %d: %v, dirty %v", f.gen, gen, ok, dirty)
	}
	f.server, f.dirty = bytes.Clone(f.sent), slices.Clone(f.since)
}

// grow makes f at least so long, with dirty zeros.
func (f *fileModel) grow(size int) {
	f.fresh = f.fresh && size <= len(f.want)
	for old := len(f.want); old < size; old++ {
		f.want = append(f.want, 0)
		f.have = append(f.have, true)
		f.dirty = append(f.dirty, true)
		f.since = append(f.since, true)
	}
}

func (f *fileModel) mark(start, end int) {
	for i := start; i < end; i++ {
		f.have[i], f.dirty[i], f.since[i] = true, true, true
	}
	f.fresh = false
}

// sync compares what is present with the model, which learns from it what was
// evicted meanwhile, if anything was.
func (m *filesModel) sync(t *rapid.T) {
	evictions := m.s.Stats().Evictions
	for _, f := range m.files {
		if f.f.Size() != int64(len(f.want)) {
			t.Fatalf("size %d, want %d", f.f.Size(), len(f.want))
		}
		for i := range f.have {
			start, end := f.f.Missing(int64(i), 1)
			have := start == end
			switch {
			case have == f.have[i]:
			case have:
				t.Fatalf("%d is there out of nothing", i)
			case f.dirty[i]:
				t.Fatalf("%d was evicted, though dirty", i)
			case evictions == m.evictions:
				t.Fatalf("%d is gone without an eviction", i)
			}
			f.have[i] = have
		}
	}
	m.evictions = evictions
}

type fataler interface{ Fatalf(string, ...any) }

// checkBooks fails unless the figures and the LRU of an idle s agree with its
// files, and the bound is kept.
func checkBooks(t fataler, s *Files) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var used int64
	evictable, descriptors := 0, 0
	for f := range s.live {
		checkNormal(t, f.present)
		checkNormal(t, f.dirty)
		for _, d := range f.dirty {
			if !f.present.contains(d.start, d.end) {
				t.Fatalf("dirty but absent: %v of %v", d, f.present)
			}
		}
		if n := len(f.present); n > 0 && f.present[n-1].end > f.size {
			t.Fatalf("present behind the end %d: %v", f.size, f.present)
		}
		if f.users != 0 {
			t.Fatalf("%d users of an idle file", f.users)
		}
		if f.fd != nil {
			descriptors++
		}
		for no, b := range f.blocks {
			start, end := s.bounds(no)
			if b.no != no || b.pins != 0 || b.weight == 0 || !f.present.overlaps(start, end) {
				t.Fatalf("block %+v has no reason to be", b)
			}
			if b.apart != f.dirty.overlaps(start, end) && !f.inMemory {
				t.Fatalf("block %+v counts, or does not", b)
			}
			if !b.apart {
				used += b.weight
			}
			clean := !f.dirty.overlaps(start, end)
			if s.lru.Contains(b) != clean {
				t.Fatalf("block %d: clean %v, in the LRU %v", no, clean, !clean)
			}
			if clean {
				evictable++
			}
		}
	}
	if used != s.used || evictable != s.lru.Len() || descriptors != s.descriptors {
		t.Fatalf("books: %d bytes, %d evictable, %d descriptors; files: %d, %d, %d",
			s.used, s.lru.Len(), s.descriptors, used, evictable, descriptors)
	}
	if s.used > s.maxBytes && evictable > 0 {
		t.Fatalf("%d bytes used of %d, with %d blocks to evict", s.used, s.maxBytes, evictable)
	}
}
