package cache

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"syscall"
)

// Open returns the contents of path in version v: those in the cache, shared
// by all who open them, also when they were written to since; else new ones,
// all absent. Another version of path leaves the cache; its holders keep it.
// Each Open needs a Close. A negative size is EINVAL.
func (s *Files) Open(path string, v Version) (*File, error) {
	if v.Size < 0 {
		return nil, syscall.EINVAL
	}
	for {
		f, err := s.open(path, v)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		// Somebody removed the local file: so it has left the cache.
	}
}

func (s *Files) open(path string, v Version) (*File, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	f := s.index[path]
	if f != nil && (!f.versioned || !f.version.equal(v) || f.once && f.holders == 0 && f.gen == f.clean) {
		s.unindex(f)
		f = nil
	}
	if f == nil {
		f = s.add(path)
		f.version, f.versioned, f.size = v, true, v.Size
		f.inMemory = s.memory
	}
	f.holders++
	s.mu.Unlock()
	_, err := f.existing()
	s.mu.Lock()
	if err != nil {
		f.holders--
		if s.index[f.path] == f {
			s.unindex(f)
		} else {
			s.settle(f)
		}
		return nil, err
	}
	return f, nil
}

// Create returns new, empty, dirty contents without a version, which are now
// those of path. What path had leaves the cache; its holders keep it.
func (s *Files) Create(path string) (*File, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	if old := s.index[path]; old != nil {
		s.unindex(old)
	}
	f := s.add(path)
	f.holders = 1
	f.gen = 1
	return f, nil
}

// add makes a new File and puts it into the index.
func (s *Files) add(path string) *File {
	s.ids++
	f := &File{files: s, name: localName(s.ids), path: path, blocks: make(map[int64]*block)}
	f.inMemory = s.dir == nil
	s.live[f] = struct{}{}
	s.index[path] = f
	return f
}

// localName is what the local file with an id is called.
func localName(id uint64) string { return "f" + strconv.FormatUint(id, 36) }

// unindex takes f out of the index; without holders it is gone.
func (s *Files) unindex(f *File) {
	delete(s.index, f.path)
	f.dropJournal()
	f.unrecord()
	s.settle(f)
}

// settle decides what becomes of f when nobody uses it: clean data in the
// index stays without a descriptor, anything else goes.
func (s *Files) settle(f *File) {
	if f.holders > 0 || f.users > 0 {
		return
	}
	if _, ok := s.live[f]; !ok {
		return
	}
	indexed := s.index[f.path] == f
	parked := indexed && f.parked && f.journaled && f.gen != f.clean
	g := garbage{fd: f.fd}
	for _, fd := range f.past {
		s.garbage = append(s.garbage, garbage{fd: fd})
	}
	f.past = nil
	switch {
	case !indexed || f.gen != f.clean || len(f.blocks) == 0, s.memory && !f.inMemory:
		if !parked {
			f.dropJournal()
		}
		if indexed {
			delete(s.index, f.path)
		}
		for _, b := range f.blocks {
			s.drop(b)
		}
		delete(s.live, f)
		if f.created && !parked && !f.inMemory {
			g.name = f.name
		}
	case f.inMemory:
		return // it would be gone
	}
	if f.journal != nil {
		s.garbage = append(s.garbage, garbage{fd: f.journal})
		f.journal = nil
	}
	if f.fd != nil {
		f.fd = nil
		s.descriptors--
	}
	if g != (garbage{}) {
		s.garbage = append(s.garbage, g)
	}
}

// unrecord takes f out of the catalog, where its path is not true any more.
// files.mu is held.
func (f *File) unrecord() {
	if f.recorded {
		f.recorded, f.news = false, true
		f.files.garbage = append(f.files.garbage, garbage{forget: f.name})
	}
}

// dropJournal removes the journal of f. files.mu is held.
func (f *File) dropJournal() {
	if f.journaled {
		f.journaled = false
		f.files.garbage = append(f.files.garbage, garbage{name: journalName(f.name)})
	}
}

// Forget takes path out of the cache. Holders keep their File.
func (s *Files) Forget(path string) {
	if s.begin() != nil {
		return
	}
	defer s.end()
	if f := s.index[path]; f != nil {
		s.unindex(f)
	}
}

// Rename tells that the remote file from is now called to, in place of what
// was there.
func (s *Files) Rename(from, to string) {
	if from == to || s.begin() != nil {
		return
	}
	defer s.end()
	if old := s.index[to]; old != nil {
		s.unindex(old)
	}
	if f := s.index[from]; f != nil {
		delete(s.index, from)
		f.unrecord()
		f.path = to
		s.index[to] = f
		s.tellJournals([]*File{f})
	}
}

// tellJournals writes down the new paths of those files that have a journal.
// mu is held, but for the writing.
func (s *Files) tellJournals(files []*File) {
	files = slices.DeleteFunc(files, func(f *File) bool { return !f.journaled })
	for _, f := range files {
		f.users++
	}
	s.unlock() // first those go that were at these paths
	for _, f := range files {
		f.moved()
	}
	s.mu.Lock()
	for _, f := range files {
		f.users--
		s.settle(f)
	}
}

// RenameTree does the same for all files below the directory from, and for
// from itself. A directory cannot move below itself: that is ignored.
func (s *Files) RenameTree(from, to string) {
	if from == to || below(to, from) || s.begin() != nil {
		return
	}
	defer s.end()
	var moved []*File
	for path, f := range s.index {
		switch {
		case path == from || below(path, from):
			moved = append(moved, f)
		case path == to || below(path, to):
			s.unindex(f)
		}
	}
	for _, f := range moved { // all out before any is in: old and new paths may be the same ones
		delete(s.index, f.path)
		f.unrecord()
		f.path = to + f.path[len(from):]
	}
	for _, f := range moved {
		s.index[f.path] = f
	}
	s.tellJournals(moved)
}
