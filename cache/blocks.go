package cache

import (
	"errors"
	"math"
	"os"
	"syscall"
)

// A block is the part of a File that comes and goes as one. It exists while
// the local file has data there, or while somebody uses or awaits it. Blocks
// are guarded by the mutex of their Files.
//
// The LRU holds exactly the blocks that may be evicted: those with clean data
// that nobody has pinned, of files that nobody keeps. So the oldest is always
// the one to go, and what is pinned or dirty costs no search.
type block struct {
	file   *File
	no     int64
	pins   int
	weight int64 // what it counts against the bound; 0 means that the local file has no data here
	apart  bool  // it is dirty, and counts for nothing

	sum        uint32 // of what is present, if summed
	summed     bool
	unverified bool // the data was left by another process; it is summed
	told       bool // the journal, if there is one, knows that the local file has data here
}

// diskPage is the unit in which disks give out space.
const diskPage = 4096

// bounds returns the offsets of block no.
func (s *Files) bounds(no int64) (start, end int64) {
	start = no * s.blockSize
	if start > math.MaxInt64-s.blockSize {
		return start, math.MaxInt64
	}
	return start, start + s.blockSize
}

// pin returns block no of f, which stays as it is until unpin.
func (s *Files) pin(f *File, no int64) *block {
	b := f.blocks[no]
	if b == nil {
		b = &block{file: f, no: no}
		f.blocks[no] = b
	}
	if b.pins == 0 {
		s.lru.Remove(b)
	}
	b.pins++
	return b
}

// unpin ends a use of b and decides, after the last one, what becomes of it.
func (s *Files) unpin(b *block) {
	b.pins--
	if b.pins > 0 {
		return
	}
	start, end := s.bounds(b.no)
	if b.weight == 0 || !b.file.present.overlaps(start, end) {
		s.drop(b)
		return
	}
	s.weigh(b, b.file.size)
	if b.file.kept == 0 && !b.file.dirty.overlaps(start, end) {
		s.lru.Add(b, struct{}{})
	}
}

// reassess decides anew about block no of f, after its ranges or the file's
// size have changed.
func (s *Files) reassess(f *File, no int64) {
	if f.blocks[no] != nil {
		s.unpin(s.pin(f, no))
	}
}

// weigh counts b whole, as far as a file of the given size reaches.
func (s *Files) weigh(b *block, size int64) {
	start, end := s.bounds(b.no)
	pages := (min(end, size) - start + diskPage - 1) / diskPage
	weight := min(max(1, pages)*diskPage, s.blockSize)
	if b.file.inMemory {
		weight = max(weight, min(memoryWeight, s.blockSize))
	}
	s.discount(b)
	b.weight = weight
	if b.apart = !b.file.inMemory && b.file.dirty.overlaps(start, end); !b.apart {
		s.used += weight
	}
}

// discount is weigh undone.
func (s *Files) discount(b *block) {
	if !b.apart {
		s.used -= b.weight
	}
	b.weight, b.apart = 0, false
}

// drop takes b out of the books. Its data, if any, is the caller's business.
func (s *Files) drop(b *block) {
	s.lru.Remove(b)
	s.discount(b)
	delete(b.file.blocks, b.no)
}

// trim evicts blocks until the bound is kept, or nothing more can go.
func (s *Files) trim() {
	for {
		s.mu.Lock()
		over := s.used > s.maxBytes
		s.mu.Unlock()
		if !over || !s.evict() {
			return
		}
	}
}

// makeRoom evicts some blocks because the disk is full. It answers false when
// there was nothing left to evict.
func (s *Files) makeRoom() bool {
	any := false
	for range 16 {
		if !s.evict() {
			break
		}
		any = true
	}
	return any
}

// evict takes the least recently used block out of the cache. It answers
// false when no block may go. Neither s.mu nor any file's io is held by the
// caller.
//
// The order makes it safe: file.io keeps fills and writes off; the ranges go
// before the bytes, so that no later reader takes them for present; readers
// that came before have pinned the block.
func (s *Files) evict() bool {
	s.mu.Lock()
	b, _, ok := s.lru.RemoveOldest()
	if !ok {
		s.mu.Unlock()
		return false
	}
	f := b.file
	f.users++
	s.mu.Unlock()

	f.io.Lock()
	s.mu.Lock()
	start, end := s.bounds(b.no)
	evicted := f.blocks[b.no] == b && b.pins == 0 && f.kept == 0 && !f.dirty.overlaps(start, end)
	punch := false
	if evicted {
		f.present.remove(start, end)
		s.drop(b)
		s.evictions++
		// A file that settle is about to remove need not be punched.
		punch = f.holders > 0 || len(f.blocks) > 0
	}
	empty := len(f.blocks) == 0
	told := !evicted || !f.journaled
	s.mu.Unlock()
	if punch {
		s.release(f, start, end, empty)
	}
	if !told {
		f.log(journalLine{Gone: &b.no}) // an error: it will be told the whole state
	}
	f.io.Unlock()

	s.mu.Lock()
	f.users--
	s.settle(f)
	s.unlock()
	return true
}

// release gives the space of [start, end) back to the disk. A disk that cannot
// punch holes gets it back when the file has no block left. f.io is held.
func (s *Files) release(f *File, start, end int64, empty bool) {
	fd, err := f.existing()
	if fd == nil || err != nil {
		return // nothing is lost but space
	}
	if err := s.punch(fd, start, end-start); err != nil && empty {
		f.cut(fd, 0)
	}
}

// The flags of fallocate(2).
const (
	fallocKeepSize  = 0x01
	fallocPunchHole = 0x02
)

// punchHole makes a hole of n bytes in fd.
func punchHole(fd *os.File, off, n int64) error {
	return fallocate(fd, fallocPunchHole|fallocKeepSize, off, n)
}

func fallocate(fd *os.File, flags uint32, off, n int64) error {
	raw, err := fd.SyscallConn()
	if err != nil {
		return err
	}
	var errno error
	err = raw.Control(func(fd uintptr) {
		errno = retryEINTR(func() error { return syscall.Fallocate(int(fd), flags, off, n) })
	})
	return errors.Join(err, errno)
}

// isFull tells whether err means that the disk, or the user's share of it, is
// full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
