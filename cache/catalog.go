package cache

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// The catalog of a tree's directory is a file of lines that tells which clean
// contents are in it. A line is appended when the last holder of a file closes
// it, unless its version has no time or is in doubt, and when a file is not what
// its line says any more; at the end all is
// written anew. What has no line is rubbish. A line may be older than its local
// file: the checksums tell what of it is still true. So nothing here has to be
// durable, and a damaged line costs no more than fetching a file again.
type catalogLine struct {
	Local string `json:"local"`
	State *state `json:"state,omitempty"` // nil: forget it
}

const (
	catalogName = "index"
	catalogNew  = "index.new"
	catalogMost = 8 << 20 // bytes from which on it is written anew when it has grown much
)

// A catalog appends to the file. Its lock is taken under none but a File's io,
// and held across the local disk.
type catalog struct {
	mu   sync.Mutex
	file *os.File // nil before its first line
	end  int64
	base int64 // its size when it was last written anew
}

// note appends a line, whole or not at all.
func (c *catalog) note(dir *private, l catalogLine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		f, err := dir.root.OpenFile(catalogName, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if c.end, err = f.Seek(0, 2); err != nil {
			f.Close()
			return err
		}
		c.file = f
	}
	text := appendLine(nil, l)
	if _, err := c.file.WriteAt(text, c.end); err != nil {
		c.file.Truncate(c.end)
		return err
	}
	c.end += int64(len(text))
	return nil
}

// grown tells whether it pays to write the catalog anew.
func (c *catalog) grown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end > catalogMost && c.end > 4*c.base
}

// renew replaces the catalog by one with these lines.
func (c *catalog) renew(dir *private, lines []catalogLine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	if len(lines) == 0 {
		c.base = 0
		return dir.removeFile(catalogName)
	}
	f, err := dir.root.OpenFile(catalogNew, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	var text []byte
	for _, l := range lines {
		text = appendLine(text, l)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, dir.removeFile(catalogNew))
	}
	c.base = int64(len(text))
	return dir.root.Rename(catalogNew, catalogName)
}

// readCatalog returns what a catalog says, the least recently used first.
func readCatalog(data []byte) []catalogLine {
	at := make(map[string]int)
	var lines []catalogLine
	parseLines(data, func(text []byte) bool {
		var l catalogLine
		if json.Unmarshal(text, &l) != nil || !ownName.MatchString(l.Local) || l.State != nil && (!l.State.valid() || len(l.State.Unsure)+len(l.State.Dirty) > 0 || l.State.Version == nil || l.State.Version.ModTime.IsZero() || l.State.Version.Size != l.State.Size) {
			return false
		}
		if i, again := at[l.Local]; again {
			lines[i].State = nil
		}
		at[l.Local] = len(lines)
		lines = append(lines, l)
		return true
	})
	return slices.DeleteFunc(lines, func(l catalogLine) bool { return l.State == nil })
}

// restoreCatalog brings back the clean contents that an earlier process has
// left, and removes the rest. Nothing is read of them before it is used.
func (s *Files) restoreCatalog() error {
	data, err := s.dir.readFile(catalogName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keep := make(map[string]bool)
	for _, local := range s.left {
		keep[local] = true // its journal tells of it
	}
	for _, l := range readCatalog(data) {
		info, err := s.dir.root.Lstat(l.Local)
		if err != nil || !info.Mode().IsRegular() || keep[l.Local] || l.State.Block != s.blockSize || s.dir.foreign(l.State) {
			continue
		}
		keep[l.Local] = true
		s.mu.Lock()
		f := &File{files: s, name: l.Local, path: string(l.State.Path), created: true, extent: info.Size(), recorded: true}
		if old := s.index[f.path]; old != nil {
			s.unindex(old)
		}
		f.restore(l.State)
		s.live[f], s.index[f.path] = struct{}{}, f
		s.settle(f)
		s.unlock()
	}
	if err := s.dir.clear(keep); err != nil {
		return err
	}
	s.trim()
	return s.catalog.renew(s.dir, s.catalogLines())
}

// catalogLines describes the clean contents that can be described without
// looking at the disk, the least recently used first.
func (s *Files) catalogLines() []catalogLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := make(map[*File]int)
	for i, b := range s.lru.Keys() {
		used[b.file] = i + 1
	}
	files := make([]*File, 0, len(s.index))
	for _, f := range s.index {
		if f.lasts() && !f.inMemory && len(f.blocks) > 0 && used[f] > 0 {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b *File) int { return used[a] - used[b] })
	var lines []catalogLine
	for _, f := range files {
		if st := f.state(); len(st.Unsure) == 0 {
			lines = append(lines, catalogLine{f.name, st})
			f.recorded = true
		}
	}
	return lines
}

// record notes the clean contents of f in the catalog. What fails is fetched
// again one day.
func (f *File) record() {
	s := f.files
	f.io.Lock()
	defer f.io.Unlock()
	if s.memory || f.sum() != nil {
		return
	}
	s.mu.Lock()
	st := f.state()
	f.news, f.recorded = false, true
	is := s.index[f.path] == f && f.lasts() && len(st.Unsure) == 0
	s.mu.Unlock()
	if is && len(st.Sums) > 0 {
		s.catalog.note(s.dir, catalogLine{f.name, st})
	}
	if s.catalog.grown() {
		s.catalog.renew(s.dir, s.catalogLines())
	}
}

// keepCatalog writes down what is clean and removes the rest, when nobody uses s
// any more.
func (s *Files) keepCatalog() error {
	for f := range s.live {
		if f.news && f.gen == f.clean && s.index[f.path] == f {
			f.sum() // else it is not in the catalog
		}
	}
	lines := s.catalogLines()
	err := s.catalog.renew(s.dir, lines)
	left, _, leftErr := s.dir.leftovers()
	if err = errors.Join(err, leftErr); err != nil {
		return err
	}
	keep := make(map[string]bool)
	for _, l := range lines {
		keep[l.Local] = true
	}
	for _, local := range left {
		keep[local] = true
	}
	return s.dir.clear(keep)
}
