package cache

import (
	"os"
)

// leastClaim is the least that is written at the beginning of a block for the rest of it to
// be expected.
const leastClaim = 256 << 10

// claim asks the disk for the room of each block whose beginning is about to be filled by a
// write of [start, end): at once takes a disk less time than page by page. The block counts whole
// in any case. io is held.
func (f *File) claim(fd *os.File, start, end int64) {
	f.files.mu.Lock()
	inMemory, size := f.inMemory, f.size
	f.files.mu.Unlock()
	if inMemory {
		return
	}
	for no := (start + f.files.blockSize - 1) / f.files.blockSize; ; no++ {
		from, to := f.files.bounds(no)
		to = min(to, size)
		if end-from < min(leastClaim, to-from) || from >= to {
			return
		}
		f.extent = max(f.extent, to)
		f.files.claim(fd, from, to-from) // an error is the disk's last word only when it is written to
	}
}

// claimSpace gives [off, off+n) of fd room on the disk.
func claimSpace(fd *os.File, off, n int64) error {
	return fallocate(fd, fallocKeepSize, off, n)
}
