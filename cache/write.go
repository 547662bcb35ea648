package cache

import (
	"os"
	"syscall"
)

// Fill stores p, which the server has at off: where f is absent, and no
// further than its end. Readers who wait for it go on. EINVAL for a negative
// offset, EFBIG for one too large, else what the disk says; ENOSPC only when
// no clean data was left to evict.
func (f *File) Fill(p []byte, off int64) error {
	if err := checkRange(off, len(p)); err != nil {
		return err
	}
	if err := f.begin(); err != nil {
		return err
	}
	defer f.end()
	end := min(off+int64(len(p)), f.size)
	if off >= end || f.present.contains(off, end) {
		return nil
	}
	blocks := f.reserve(off, end, f.size)
	defer func() { f.unreserve(blocks) }()
	f.files.mu.Unlock()
	defer f.files.mu.Lock()

	f.files.trim() // room first, so that the disk never holds more than the bound
	for {
		err := f.fill(p, off)
		switch {
		case isFull(err) && f.files.makeRoom():
		case noDisk(err) && f.toMemory(err):
		case noDisk(err) && f.files.makeRoom(): // what is there is too much for memory
		default:
			return err
		}
	}
}

// fill writes p where f is absent.
func (f *File) fill(p []byte, off int64) error {
	f.io.Lock()
	defer f.io.Unlock()
	fd, err := f.descriptor()
	if err != nil {
		return err
	}
	if err := f.verify(off, off+int64(len(p))); err != nil {
		return err
	}
	for pos := off; ; {
		f.files.mu.Lock()
		start, end := f.present.gap(pos, min(off+int64(len(p)), f.size))
		f.files.mu.Unlock()
		if start >= end {
			return nil
		}
		f.claim(fd, start, end)
		n, err := f.writeLocal(fd, p[start-off:end-off], start)
		sums := f.sums(p[start-off:][:n], start)
		f.files.mu.Lock()
		f.present.add(start, start+int64(n))
		f.unsum(start, start+int64(n))
		f.setSums(sums)
		f.news = true
		f.synced = false
		f.wake(nil)
		f.files.mu.Unlock()
		if err != nil {
			return err
		}
		pos = end
	}
}

// WriteAt writes p at off. The range becomes dirty; so does the gap, if off
// lies behind the end, which reads as zeros and takes no room. Like
// io.WriterAt it returns less than len(p) only with an error, those of Fill.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange(off, len(p)); err != nil {
		return 0, err
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	defer f.end()
	if len(p) == 0 {
		return 0, nil
	}
	end := off + int64(len(p))
	blocks := f.reserve(off, end, max(end, f.size))
	defer func() { f.unreserve(blocks) }()
	f.files.mu.Unlock()
	defer f.files.mu.Lock()

	f.files.trim()
	n := 0
	for {
		m, err := f.write(p[n:], off+int64(n))
		n += m
		if !isFull(err) || !f.files.makeRoom() {
			return n, err
		}
	}
}

func (f *File) write(p []byte, off int64) (int, error) {
	f.io.Lock()
	defer f.io.Unlock()
	if err := f.toDisk(); err != nil {
		return 0, err
	}
	fd, err := f.descriptor()
	if err != nil {
		return 0, err
	}
	if f.crowded() {
		return 0, syscall.ENOSPC
	}
	if err := f.openJournal(); err != nil {
		return 0, err
	}
	if err := f.cut(fd, f.Size()); err != nil {
		return 0, err
	}
	if err := f.verify(min(off, f.Size()), off+int64(len(p))); err != nil {
		return 0, err
	}
	n, err := f.writeLocal(fd, p, off)
	if n > 0 {
		var sums []newSum
		if off <= f.Size() {
			sums = f.sums(p[:n], off)
		}
		f.files.mu.Lock()
		c := change{Off: off, N: int64(n), Size: max(off+int64(n), f.size)}
		told := f.change(c)
		f.setSums(sums)
		f.files.mu.Unlock()
		if !told {
			if err := f.log(journalLine{Change: &c}); err != nil {
				return 0, err
			}
		}
	}
	return n, err
}

// Truncate makes f end at size: what lies behind is forgotten, what is new is
// zeros and takes no room. f becomes dirty either way. A negative size is
// EINVAL.
func (f *File) Truncate(size int64) error {
	if size < 0 {
		return syscall.EINVAL
	}
	if err := f.beginIO(); err != nil {
		return err
	}
	defer f.endIO()
	if err := f.toDisk(); err != nil {
		return err
	}
	if err := f.openJournal(); err != nil {
		return err
	}
	// Growing must find zeros behind the end, also after a write or a cut
	// that failed half way.
	old := f.Size()
	if err := f.cutTo(old); err != nil {
		return err
	}
	if end := min(old, size); end > 0 {
		if err := f.verify(end-1, end); err != nil {
			return err
		}
	}
	f.files.mu.Lock()
	c := change{Size: size}
	f.change(c)
	f.files.mu.Unlock()
	// Until the journal knows, what is cut off would come back as zeros.
	if err := f.log(journalLine{Change: &c}); err != nil {
		return err
	}
	if size < old {
		if err := f.harden(); err != nil {
			return err
		}
	}
	return f.cutTo(size)
}

// cutTo cuts the local file, if there is one. io is held.
func (f *File) cutTo(size int64) error {
	fd, err := f.existing()
	if fd == nil || err != nil {
		return err
	}
	return f.cut(fd, size)
}

// change makes a change in the books, and answers whether the journal need not
// be told of it. io and files.mu are held.
func (f *File) change(c change) (told bool) {
	s := f.files
	old, size := f.size, c.Size
	start, end := c.dirties(old)
	f.synced = false
	told = !f.stale && size == old && f.dirty.contains(start, end)
	if f.unsum(min(start, end), max(start, end)) {
		told = false
	}
	// What is dirty may be a hole, until now.
	for no := c.Off / s.blockSize; no*s.blockSize < c.Off+c.N; no++ {
		if b := f.blocks[no]; b != nil && !b.told {
			b.told, told = true, false
		}
	}
	f.size = size
	f.present.add(start, end)
	f.dirty.add(start, end)
	f.since.add(start, end)
	if size < old {
		f.cuts++
		f.present.remove(size, old)
		f.dirty.remove(size, old)
		f.since.remove(size, old)
		for no, b := range f.blocks {
			start, end := s.bounds(no)
			if end > size {
				b.told = false
			}
			if start >= size && b.pins == 0 {
				s.drop(b)
			}
		}
	}
	s.reassess(f, old/s.blockSize)
	s.reassess(f, size/s.blockSize)
	f.gen++
	f.wake(nil)
	return told
}

// reserve pins the blocks of [start, end), which is not empty, and counts them
// as far as a file of the given size reaches.
func (f *File) reserve(start, end, size int64) []*block {
	s := f.files
	var blocks []*block
	for no := start / s.blockSize; no <= (end-1)/s.blockSize; no++ {
		b := s.pin(f, no)
		s.weigh(b, size)
		blocks = append(blocks, b)
	}
	return blocks
}

func (f *File) unreserve(blocks []*block) {
	for _, b := range blocks {
		f.files.unpin(b)
	}
}

// writeLocal writes to the local file, and notes how far it may reach.
func (f *File) writeLocal(fd *os.File, p []byte, off int64) (int, error) {
	f.extent = max(f.extent, off+int64(len(p)))
	return f.files.pwrite(fd, p, off)
}
