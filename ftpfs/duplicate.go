package ftpfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// keepsOpen tells whether the process pid has the file with the inode number
// ino open for writing, as far as /proc shows. It never touches the mount.
//
// A shell that redirects output opens the file, duplicates the descriptor and
// closes the first one before anything is written. That close is a flush like
// the last one, and would publish an empty file.
func keepsOpen(pid uint32, ino uint64) bool {
	infos, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, info := range infos {
		data, err := os.ReadFile(info)
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
