package cache

import (
	"errors"
	"os"
)

// Lend calls use with the local file when that has the n bytes from off, at the same
// offsets, and tells whether it has. If not, since some are absent, not verified, zeros
// that take no room, or just being cut off, ReadAt knows what is there. The bytes stay until
// use returns, and its error is that of Lend; after errors.ErrUnsupported the local file is not lent
// again. use must neither write, nor close or keep the file, nor
// call methods of f.
func (f *File) Lend(off, n int64, use func(fd *os.File) error) (lent bool, err error) {
	s := f.files
	if off < 0 || n <= 0 || f.begin() != nil {
		return false, nil
	}
	defer f.end()
	if f.fd == nil || f.fd == f.unfit || n > f.size-off || !f.present.contains(off, off+n) {
		return false, nil
	}
	for no := off / s.blockSize; no <= (off+n-1)/s.blockSize; no++ {
		b := s.pin(f, no)
		defer s.unpin(b)
		if b.unverified || b.weight == 0 {
			return false, nil
		}
	}
	if !f.lending.TryRLock() {
		return false, nil
	}
	defer f.lending.RUnlock()
	s.hits++
	fd := f.fd
	func() {
		s.mu.Unlock()
		defer s.mu.Lock()
		err = use(fd)
	}()
	if errors.Is(err, errors.ErrUnsupported) {
		f.unfit = fd
	}
	return true, err
}
