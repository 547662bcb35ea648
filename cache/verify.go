package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
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
	f.eachBlock(start, end, func(b *block) {
		known = known || b.summed
		b.summed = false
	})
	return known
}

// blocksOf returns those blocks of [start, end) that are wanted, in order. No
// lock but io is held.
func (f *File) blocksOf(start, end int64, wanted func(*block) bool) []*block {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	var found []*block
	f.eachBlock(start, end, func(b *block) {
		if wanted(b) {
			found = append(found, b)
		}
	})
	slices.SortFunc(found, func(a, b *block) int { return int(a.no - b.no) })
	return found
}

// eachBlock calls see with what blocks there are of [start, end), in any order, and takes no longer
// than they need or all there are. files.mu is held.
func (f *File) eachBlock(start, end int64, see func(*block)) {
	s := f.files
	if (end-start)/s.blockSize < int64(len(f.blocks)) {
		for no := start / s.blockSize; no*s.blockSize < end; no++ {
			if b := f.blocks[no]; b != nil {
				see(b)
			}
		}
		return
	}
	for no, b := range f.blocks {
		if from, to := s.bounds(no); from < end && to > start {
			see(b)
		}
	}
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

// Verified is what Verify has found. Sizes are in bytes.
type Verified struct {
	Sound     int64    // agree with their checksums
	Unchecked int64    // have no checksum: they were not read or written in order by this process
	Dropped   int64    // did not agree, and are absent now
	Damaged   []string // paths of the files with what was dropped, sorted
	Lost      []string // paths of files whose changes, which only the disk had, do not agree; sorted
}

// Verify compares all data on the local disk with its checksums. What is damaged is absent
// from then on, but for changes that the server lacks: these stay as they are and are refused, as
// when they are read. It reads all that is kept, and returns early, with its error, when ctx ends.
func (s *Files) Verify(ctx context.Context) (Verified, error) {
	var v Verified
	if err := s.begin(); err != nil {
		return v, err
	}
	files := slices.SortedFunc(maps.Keys(s.live), func(a, b *File) int { return strings.Compare(a.path, b.path) })
	s.mu.Unlock()
	var err error
	for _, f := range files {
		if err = s.verifyFile(ctx, f, &v); err != nil {
			break
		}
	}
	s.mu.Lock()
	s.end()
	return v, err
}

func (s *Files) verifyFile(ctx context.Context, f *File, v *Verified) error {
	s.mu.Lock()
	_, live := s.live[f]
	if live = live && !f.inMemory; live {
		f.users++ // it stays until it is looked at
	}
	path := f.path
	s.mu.Unlock()
	if !live {
		return nil
	}
	defer func() {
		s.mu.Lock()
		f.users--
		s.settle(f)
		s.unlock()
	}()
	damaged, lost := false, false
	for _, b := range f.blocksOf(0, maxState, func(b *block) bool { return b.weight > 0 }) {
		if err := ctx.Err(); err != nil {
			return err
		}
		before := v.Dropped
		switch err := f.verifyBlock(b, v); {
		case errors.Is(err, fs.ErrNotExist): // somebody removed the local file
			return nil
		case errors.Is(err, errDamagedBlock):
			lost = true
		case err != nil:
			return err
		}
		damaged = damaged || v.Dropped > before
	}
	if damaged {
		v.Damaged = append(v.Damaged, path)
	}
	if lost {
		v.Lost = append(v.Lost, path)
	}
	return nil
}

// verifyBlock compares a block with its checksum, also if that was done before.
func (f *File) verifyBlock(b *block, v *Verified) error {
	f.io.Lock()
	defer f.io.Unlock()
	s := f.files
	s.mu.Lock()
	if f.blocks[b.no] != b {
		s.mu.Unlock()
		return nil
	}
	start, end := s.bounds(b.no)
	size := int64(0)
	for _, r := range f.present.within(start, min(end, f.size)) {
		size += r.end - r.start
	}
	summed := b.summed
	s.mu.Unlock()
	if !summed {
		v.Unchecked += size
		return nil
	}
	sum, err := f.checksum(b)
	if err != nil {
		return err
	}
	switch err := f.judge(b, sum); {
	case errors.Is(err, errDamagedBlock):
		s.mu.Lock()
		b.unverified = true // so that it is refused from now on
		s.mu.Unlock()
		return err
	case err != nil:
		return err
	case sum == b.sum:
		v.Sound += size
	default:
		v.Dropped += size
	}
	return nil
}
