package cache

// Last returns where the last bytes are that are present, at most n: those
// before a hole or the end.
func (f *File) Last(n int64) (start, end int64) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if len(f.present) == 0 {
		return 0, 0
	}
	last := f.present[len(f.present)-1]
	return max(last.start, last.end-n), last.end
}

// Lengthen tells that the server has a longer version, v, with the same bytes
// from start to end: f becomes v and is found by Open under v. The rest is
// absent, as nobody has seen whether it is still the same. If f has changes
// that the server lacks, or v is shorter than f, the answer is false and f
// stays as it is.
func (f *File) Lengthen(v Version, start, end int64) bool {
	if f.beginIO() != nil { // no change of f without it
		return false
	}
	defer f.endIO()
	f.files.mu.Lock()
	if f.gen != f.clean || v.Size < f.size {
		f.files.mu.Unlock()
		return false
	}
	f.size, f.version, f.versioned, f.news = v.Size, v, true, true
	f.present = f.present.within(start, end)
	f.cuts++
	for _, b := range f.blocks {
		b.summed, b.unverified = false, false
	}
	f.reassess()
	f.wake(nil)
	f.files.mu.Unlock()
	f.files.release(f, 0, start, false)
	return true
}
