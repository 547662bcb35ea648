package cache

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Without a disk to keep contents on, they are in anonymous files in memory, to
// which all else applies: where FilesConfig says so, and from the moment on when
// the disk turns out to be full or not writable. What is written goes to the
// disk nevertheless, if there is one.

const (
	memoryMost   = 64 << 20 // the bound then
	memoryWeight = 64 << 10 // the least a block counts, since each file has a descriptor
)

// noDisk tells whether err means that the disk cannot be written to, now or at
// all, or not so far from the beginning of a file.
func noDisk(err error) bool {
	return isFull(err) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EFBIG)
}

// useMemory makes what is opened from now on stay in memory. mu is held.
func (s *Files) useMemory() {
	s.memory = true
	if s.maxBytes = min(s.maxBytes, memoryMost); s.maxBytes < 0 {
		s.maxBytes = memoryMost
	}
}

// openMemory makes a file in memory.
func openMemory() (*os.File, error) {
	fd, err := unix.MemfdCreate("ftpfs", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

// toMemory gives up the disk, which takes nothing, and moves what there is of a clean file
// to memory. It answers false if that does not help.
func (f *File) toMemory(cause error) bool {
	f.io.Lock()
	defer f.io.Unlock()
	s := f.files
	s.mu.Lock()
	present := append(ranges(nil), f.present...)
	stays := f.inMemory || f.gen != f.clean || f.journaled || present.total() > memoryMost
	s.mu.Unlock()
	if stays {
		return false
	}
	var to *os.File
	if len(present) > 0 {
		var err error
		if to, err = f.copyToMemory(present); err != nil {
			return false
		}
	}
	s.mu.Lock()
	if f.created {
		s.garbage = append(s.garbage, garbage{name: f.name})
		f.unrecord()
	}
	if f.fd != nil {
		f.past = append(f.past, f.fd) // somebody may be reading
		s.descriptors--
	}
	if to != nil {
		s.descriptors++
	} else {
		f.extent = 0
	}
	f.fd, f.created, f.inMemory = to, to != nil, true
	f.reassess()
	first := !s.memory
	s.useMemory()
	s.unlock()
	if first {
		s.warn(cause)
	}
	return true
}

// copyToMemory makes a file in memory with what is present. io is held.
func (f *File) copyToMemory(present ranges) (*os.File, error) {
	to, err := openMemory()
	if err != nil {
		return nil, err
	}
	from, err := f.existing()
	if err == nil && from != nil {
		err = f.copyTo(to, from, present)
	}
	if err != nil {
		to.Close()
		return nil, err
	}
	return to, nil
}

// toDisk moves a file that is about to be written to from memory to the disk.
// io is held.
func (f *File) toDisk() error {
	s := f.files
	s.mu.Lock()
	old, present := f.fd, append(ranges(nil), f.present...)
	stays := !f.inMemory || s.dir == nil
	s.mu.Unlock()
	if stays {
		return nil
	}
	to, err := s.dir.root.OpenFile(f.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if old != nil {
		err = f.copyTo(to, old, present)
	}
	if err != nil {
		return errors.Join(err, to.Close(), s.dir.removeFile(f.name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old == nil {
		s.descriptors++
	} else {
		f.past = append(f.past, old) // somebody may be reading
	}
	f.fd, f.created, f.inMemory = to, true, false
	f.reassess()
	return nil
}

// crowded tells whether there is no memory for a write to a file that is there.
func (f *File) crowded() bool {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	return f.inMemory && f.files.used > f.files.maxBytes
}

func (f *File) copyTo(to, from *os.File, present ranges) error {
	buf := make([]byte, 256<<10)
	for _, r := range present {
		for pos := r.start; pos < r.end && pos < f.extent; {
			n, err := from.ReadAt(buf[:min(int64(len(buf)), r.end-pos)], pos)
			if n == 0 {
				if pos < f.extent && err != nil {
					break // zeros to the end
				}
				return err
			}
			if _, err := f.files.pwrite(to, buf[:n], pos); err != nil {
				return err
			}
			pos += int64(n)
		}
	}
	return nil
}
