package cache

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"syscall"
)

// What an earlier process has left on the disk is believed block by block, when
// it is used first and only if its checksum is right. A block that is damaged
// is absent, unless it holds changes: they cannot be had again, and are refused.

// errDamagedBlock: changes that the server lacks were damaged on the local disk.
var errDamagedBlock = fmt.Errorf("what was written is damaged in the local cache: %w", syscall.EIO)

// verify looks at the blocks of [start, end) that were not looked at yet. io is
// held.
func (f *File) verify(start, end int64) error {
	for _, b := range f.blocksOf(start, end, func(b *block) bool { return b.unverified }) {
		sum, err := f.checksum(b)
		if err != nil {
			return err
		}
		if err := f.judge(b, sum); err != nil {
			return err
		}
	}
	return nil
}

// judge accepts or drops a block that has the checksum sum.
func (f *File) judge(b *block, sum uint32) error {
	s := f.files
	s.mu.Lock()
	defer s.mu.Unlock()
	start, end := s.bounds(b.no)
	switch {
	case f.blocks[b.no] != b:
	case sum == b.sum:
		b.unverified = false
	case f.dirty.overlaps(start, end):
		return errDamagedBlock
	default:
		b.unverified, b.summed = false, false
		f.present.remove(start, end)
		f.stale = f.stale || f.journaled
		s.damaged++
		s.reassess(f, b.no)
	}
	return nil
}

// verifyPinned is verify without io, for blocks that are pinned.
func (f *File) verifyPinned(start, end int64) error {
	f.io.Lock()
	defer f.io.Unlock()
	return f.verify(start, end)
}

// sum gives every block with data a checksum. io is held.
func (f *File) sum() error {
	for _, b := range f.blocksOf(0, maxState, func(b *block) bool { return !b.summed && b.weight > 0 }) {
		sum, err := f.checksum(b)
		if err != nil {
			return err
		}
		f.files.mu.Lock()
		b.sum, b.summed = sum, true
		f.files.mu.Unlock()
	}
	return nil
}

// A newSum is the checksum of a block with what was just written to it.
type newSum struct {
	b   *block
	sum uint32
}

// sums returns the checksums of the blocks that p, written at off, only adds to
// the end of. It is asked for before p is present. io is held.
func (f *File) sums(p []byte, off int64) (sums []newSum) {
	s := f.files
	if !s.lasting {
		return nil
	}
	for len(p) > 0 {
		no := off / s.blockSize
		start, end := s.bounds(no)
		n := min(int64(len(p)), end-off)
		s.mu.Lock()
		b := f.blocks[no]
		empty := !f.present.overlaps(start, end)
		adds := b != nil && !f.present.overlaps(off, end) && (empty || b.summed && !b.unverified)
		sum := uint32(0)
		if adds && !empty {
			sum = b.sum
		}
		s.mu.Unlock()
		if adds {
			sums = append(sums, newSum{b, crc32.Update(sum, castagnoli, p[:n])})
		}
		p, off = p[n:], off+n
	}
	return sums
}

// setSums notes checksums. files.mu is held, and io since they were made.
func (f *File) setSums(sums []newSum) {
	for _, n := range sums {
		n.b.sum, n.b.summed = n.sum, true
	}
}

// unsum is told that [start, end) changes. files.mu is held.
func (f *File) unsum(start, end int64) (known bool) {
	forget := func(b *block) {
		if b != nil && b.summed {
			b.summed, known = false, true
		}
	}
	size := f.files.blockSize
	if (end-start)/size < int64(len(f.blocks)) {
		for no := start / size; no*size < end; no++ {
			forget(f.blocks[no])
		}
		return known
	}
	for no, b := range f.blocks {
		if from, to := f.files.bounds(no); from < end && to > start {
			forget(b)
		}
	}
	return known
}

// blocksOf returns those blocks of [start, end) that are wanted, in order. No
// lock but io is held.
func (f *File) blocksOf(start, end int64, wanted func(*block) bool) []*block {
	s := f.files
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*block
	for no, b := range f.blocks {
		if from, to := s.bounds(no); from < end && to > start && wanted(b) {
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(a, b *block) int { return int(a.no - b.no) })
	return found
}

// checksum reads what is present of b. io is held, so that it stays as it is.
func (f *File) checksum(b *block) (uint32, error) {
	s := f.files
	fd, err := f.existing()
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	start, end := s.bounds(b.no)
	present := f.present.within(start, min(end, f.size))
	s.mu.Unlock()
	sum := uint32(0)
	buf := make([]byte, min(64<<10, s.blockSize))
	for _, r := range present {
		for pos := r.start; pos < r.end; {
			p := buf[:min(int64(len(buf)), r.end-pos)]
			if fd == nil {
				clear(p)
			} else if n, err := s.pread(fd, p, pos); err == io.EOF {
				clear(p[n:])
			} else if err != nil {
				return 0, err
			}
			sum = crc32.Update(sum, castagnoli, p)
			pos += int64(len(p))
		}
	}
	return sum, nil
}
