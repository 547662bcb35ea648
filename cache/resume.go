package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Resumed is a file with changes that an earlier process has left behind.
type Resumed struct {
	File *File // held: it needs a Close, or Park
	Path string
	Note []byte // of its last Journal
}

// A Leftover is a file that waits for Resume.
type Leftover struct {
	Path string
	Size int64 // bytes
}

// Left tells which files Resume will return, as far as their journals tell. It
// changes nothing. Blocks for the local disk.
func (s *Files) Left() (all []Leftover) {
	for _, local := range s.left {
		data, err := s.dir.readFile(journalName(local))
		if err != nil {
			continue // Resume tells of it
		}
		if j, err := readJournal(data, bootID()); err == nil && j != nil && !s.dir.foreign(j.state) {
			all = append(all, Leftover{string(j.Path), j.Size})
		}
	}
	slices.SortFunc(all, func(a, b Leftover) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Resume returns the files that were dirty when an earlier process with the
// same FilesConfig.Name ended, and what is wrong with those that cannot be
// given back: they stay in the cache directory. It is called at most once, and
// before the paths are opened. Blocks for the local disk.
func (s *Files) Resume() ([]Resumed, []error) {
	var found []Resumed
	var failed []error
	for _, local := range s.left {
		r, err := s.resume(local)
		if err != nil {
			failed = append(failed, err)
		}
		if r != nil {
			found = append(found, *r)
		}
	}
	s.left = nil
	return found, failed
}

// resume brings back the file whose local name is local; nil if its journal says
// that there is nothing to bring back.
func (s *Files) resume(local string) (*Resumed, error) {
	data, err := s.dir.readFile(journalName(local))
	if err != nil {
		return nil, fmt.Errorf("reading a journal in %s: %w", s.dir, err)
	}
	j, err := readJournal(data, bootID())
	if err == nil && j == nil && len(data) > 0 && !bytes.ContainsRune(data, '\n') && s.dir.holds(local) {
		err = errDamaged // a crash would have cut its first line short before anything was written
	}
	switch {
	case errors.Is(err, errUnsynced):
		return nil, fmt.Errorf("%s, left by an earlier mount as %s/%s, may be damaged and is not uploaded: %w", j.Path, s.dir, local, err)
	case err != nil && j == nil:
		return nil, fmt.Errorf("a file of unknown name, left by an earlier mount as %s/%s, cannot be uploaded: %w", s.dir, local, err)
	case err != nil:
		return nil, fmt.Errorf("%s, left by an earlier mount as %s/%s, cannot be uploaded: %w", j.Path, s.dir, local, err)
	case j == nil:
		return nil, s.dir.removeFile(journalName(local))
	case s.dir.foreign(j.state):
		return nil, fmt.Errorf("%s, found as %s/%s, is not uploaded: it was changed in a mount of another server or directory", j.Path, s.dir, local)
	}
	if j.torn > 0 {
		if err := s.dir.cutFile(journalName(local), int64(len(data)-j.torn)); err != nil {
			return nil, err
		}
	}
	f := &File{files: s, name: local, path: string(j.Path), note: j.note, stale: j.stale, journaled: true, durable: true, sealed: true, holders: 1, gen: 1}
	info, err := s.dir.root.Lstat(local)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s, left by an earlier mount, cannot be uploaded: its local copy %s/%s is no regular file", j.Path, s.dir, local)
	case err == nil:
		f.created, f.extent = true, info.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(j.Sums)+len(j.Unsure) > 0:
		return nil, fmt.Errorf("%s, left by an earlier mount, cannot be uploaded: its local copy %s/%s is gone", j.Path, s.dir, local)
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	switch old := s.index[f.path]; {
	case old == nil:
	case old.gen == old.clean && old.holders == 0:
		s.unindex(old)
	default:
		return nil, fmt.Errorf("%s was left twice by earlier mounts: %s/%s waits for another one", j.Path, s.dir, local)
	}
	f.restore(j.state)
	s.live[f], s.index[f.path] = struct{}{}, f
	return &Resumed{f, f.path, f.note}, nil
}

// restore makes f what st says. files.mu is held.
func (f *File) restore(st *state) {
	s := f.files
	if st.Version != nil {
		f.version, f.versioned = *st.Version, true
	}
	f.size, f.present, f.dirty, f.doubtful = st.Size, st.Present, st.Dirty, st.Doubt
	f.blocks = make(map[int64]*block)
	if st.Block != s.blockSize {
		st.reblock(s.blockSize)
	}
	for no, sum := range st.Sums {
		f.blocks[no] = &block{file: f, no: no, sum: sum, summed: true, unverified: true}
	}
	for no := range st.Unsure {
		f.blocks[no] = &block{file: f, no: no}
		// Nothing tells what became of the clean parts since. The server has them.
		start, end := s.bounds(no)
		f.present.remove(start, end)
		for _, r := range f.dirty.within(start, end) {
			f.present.add(r.start, r.end)
		}
	}
	for no, b := range f.blocks {
		s.weigh(b, f.size)
		s.reassess(f, no)
	}
}
