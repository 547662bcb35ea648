package cache

// Lengthen tells that the server has a longer version, v, of which all that f
// has is the beginning: f becomes v, with the rest absent, and is found by Open
// under v. If f has changes that the server lacks, or v is shorter than f, the
// answer is false and f stays as it is.
func (f *File) Lengthen(v Version) bool {
	if f.begin() != nil {
		return false
	}
	defer f.end()
	f.files.mu.Unlock()
	f.io.Lock() // no change of f without it
	defer f.io.Unlock()
	f.files.mu.Lock()
	if f.gen != f.clean || v.Size < f.size {
		return false
	}
	old := f.size
	f.size, f.version, f.versioned, f.news = v.Size, v, true, true
	f.files.reassess(f, old/f.files.blockSize)
	f.wake(nil)
	return true
}
