package ftpfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"bazil.org/fuse"
)

// A shell that redirects output opens the file, duplicates the descriptor and
// closes the first one before anything is written. That close is a flush like
// the last one, and would publish an empty file. It need not: no byte was
// written, the journal has the name, and the last close will tell.
//
// But the shell does not look at what its last close says. So a new file is
// published, empty, before the first bytes are taken: if the server will not have
// it, writing fails. Who writes as much at a time as can be is a program that copies,
// and looks; it is not made to wait.

// owe is told that a close was answered though the server does not have the new
// file's name.
func (c *content) owe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed = c.fresh
}

// due tells whether the name is owed before n bytes may be written. Who asks
// first sees to it. A file that was made longer meanwhile is no empty one, and
// not whole either.
func (c *content) due(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.owed && n < mostAtOnce && c.file.Size() == 0
	c.owed = false
	return due
}

// writeFirst publishes the name that is owed, and then writes. If that fails,
// but may succeed later, it is up to the last close.
func (s *server) writeFirst(h *handle, r *fuse.WriteRequest) {
	data, off, flags := bytes.Clone(r.Data), r.Offset, r.FileFlags
	s.change(r, func(ctx context.Context) (func(), error) {
		s.fs.commit(ctx, h)
		if err := waiting(ctx).Err(); err != nil {
			return nil, err // the caller has been told so, and may write once more
		}
		n, err := s.fs.write(h, data, off, flags)
		return func() { r.Respond(&fuse.WriteResponse{Size: n}) }, err
	}, nil)
}

// lowest is how many descriptors of a program are looked at. A duplicate gets the
// number of a standard stream, or the lowest one that is free; and a program may have very
// many, which would be looked at each time.
const lowest = 32

// keepsOpen tells whether the process pid has the file with the inode number
// ino open for writing, as far as /proc shows, by one of its lowest descriptors. It
// never touches the mount.
func keepsOpen(pid uint32, ino uint64) bool {
	for fd := range lowest {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
		if err != nil {
			continue
		}
		flags, known := field(data, "flags:", 8)
		if open, same := field(data, "ino:", 10); known && same && open == ino && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			return true
		}
	}
	return false
}

// field reads a number from lines of names and values.
func field(data []byte, name string, base int) (uint64, bool) {
	for line := range bytes.Lines(data) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), base, 64)
			return n, err == nil
		}
	}
	return 0, false
}
