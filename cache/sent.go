package cache

import "slices"

// What an upload of a part needs: which part, and what the server has after it.

// FirstDirty returns the offset of the first byte that the server lacks; the
// size of f if there is none.
func (f *File) FirstDirty() int64 {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if len(f.dirty) == 0 {
		return f.size
	}
	return f.dirty[0].start
}

// NextDirty returns the first range at or after off that the server lacks, empty
// if there is none.
func (f *File) NextDirty(off int64) (start, end int64) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	i := f.dirty.from(off)
	if i == len(f.dirty) {
		return off, off
	}
	return max(f.dirty[i].start, off), f.dirty[i].end
}

// Claim tells that the server is about to lose its version: all of f that is here
// is dirty, as if it had been written.
func (f *File) Claim() {
	if f.beginIO() != nil {
		return
	}
	defer f.endIO()
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if f.gen == f.clean {
		return // nothing is to be uploaded
	}
	f.dirty = slices.Clone(f.present)
	f.stale = true
	f.reassess()
}

// Sent tells that the server has [start, end) as it was in the state of gen,
// though not yet all of that. The range is not dirty any more. If f has changed
// since, the answer is false and f stays as it is.
func (f *File) Sent(gen uint64, start, end int64) bool {
	if f.beginIO() != nil {
		return false
	}
	defer f.endIO()
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if gen != f.gen {
		return false
	}
	f.stale = true // for the journal, which the caller is about to change
	f.dirty.remove(start, end)
	f.reassess()
	return true
}

// Adopt tells that the server has the changes of f up to gen, but as a part of
// v, which holds more than them: f becomes v, clean and all absent. If f has
// changed since gen, or its disk fails, the answer is false and f stays as it
// is.
func (f *File) Adopt(gen uint64, v Version) bool {
	if f.beginIO() != nil { // no change of f without it
		return false
	}
	defer f.endIO()
	if now, _ := f.Dirty(); now != gen || f.cutTo(0) != nil {
		return false
	}
	defer f.endJournal()
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.size, f.version, f.versioned = v.Size, v, true
	f.clean, f.present, f.dirty = gen, nil, nil
	f.cuts++
	f.reassess()
	f.wake(nil)
	return true
}
