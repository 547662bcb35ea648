package ftpfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A modelOp is one operation of the model. Each verb uses some of the fields.
type modelOp struct {
	Verb     string
	Slot     int    // of the handle
	Path, To string // below the world's root
	Flags    int
	Off      int64
	N        int
	Fill     byte
	Mode     uint32
	Time     int64 // seconds; 0 is now
}

func (op modelOp) String() string {
	s := op.Verb
	if op.Path != "" {
		s += " " + op.Path
	}
	if op.To != "" {
		s += " " + op.To
	}
	return fmt.Sprintf("%s slot=%d flags=%#x off=%d n=%d fill=%q mode=%#o time=%d", s, op.Slot, op.Flags, op.Off, op.N, op.Fill, op.Mode, op.Time)
}

// A result is all of an operation's outcome that a program can see and that
// FTP can give.
type result struct {
	errno syscall.Errno
	text  string
	data  []byte
}

// A world is a directory that the operations of a check are carried out in,
// with the files that they have open.
type world struct {
	root  string
	modes bool      // modes are told by the server
	since time.Time // when the first check began
	fds   map[int]int
}

func newWorld(root string, modes bool, since time.Time) *world {
	return &world{root: root, modes: modes, since: since, fds: make(map[int]int)}
}

// begin makes the directory of a check, and removes that of the one before.
func (w *world) begin(name string) error {
	for slot, fd := range w.fds {
		syscall.Close(fd) // of a check that failed
		delete(w.fds, slot)
	}
	err := os.RemoveAll(w.root)
	w.root = filepath.Join(filepath.Dir(w.root), name)
	return errors.Join(err, os.Mkdir(w.root, 0o755))
}

func (w *world) at(path string) string { return w.root + "/" + path }

// do carries out op.
func (w *world) do(op modelOp) (r result) {
	err := func() error {
		switch op.Verb {
		case "open":
			fd, err := syscall.Open(w.at(op.Path), op.Flags|syscall.O_CLOEXEC, op.Mode)
			if err != nil {
				return err
			}
			w.fds[op.Slot] = fd
			return nil
		case "mkdir":
			return syscall.Mkdir(w.at(op.Path), op.Mode)
		case "rmdir":
			return syscall.Rmdir(w.at(op.Path))
		case "unlink":
			return syscall.Unlink(w.at(op.Path))
		case "rename":
			return unix.Renameat2(unix.AT_FDCWD, w.at(op.Path), unix.AT_FDCWD, w.at(op.To), uint(op.Flags))
		case "truncate":
			return syscall.Truncate(w.at(op.Path), op.Off)
		case "chmod":
			return syscall.Chmod(w.at(op.Path), op.Mode)
		case "utimes":
			return unix.UtimesNanoAt(unix.AT_FDCWD, w.at(op.Path), stamps(op.Time), 0)
		case "stat":
			var st syscall.Stat_t
			err := syscall.Lstat(w.at(op.Path), &st)
			r.text = w.describe(&st)
			return err
		case "readdir":
			entries, err := os.ReadDir(w.at(op.Path))
			for _, e := range entries { // sorted
				r.text += fmt.Sprintf("%s %v, ", e.Name(), e.Type())
			}
			return err
		case "tree":
			var err error
			r.text, err = w.tree()
			return err
		}
		fd, open := w.fds[op.Slot]
		if !open {
			return syscall.EBADF
		}
		return w.onHandle(op, fd, &r)
	}()
	if err != nil {
		r.text, r.data = "", nil
		if !errors.As(err, &r.errno) {
			panic(fmt.Sprint(op, ": ", err))
		}
	}
	return r
}

func (w *world) onHandle(op modelOp, fd int, r *result) error {
	switch op.Verb {
	case "close":
		delete(w.fds, op.Slot)
		return syscall.Close(fd)
	case "pread":
		p := make([]byte, op.N)
		n, err := syscall.Pread(fd, p, op.Off)
		r.data = p[:max(n, 0)]
		return err
	case "pwrite":
		n, err := syscall.Pwrite(fd, bytes.Repeat([]byte{op.Fill}, op.N), op.Off)
		r.text = fmt.Sprint(n)
		return err
	case "write":
		n, err := syscall.Write(fd, bytes.Repeat([]byte{op.Fill}, op.N))
		r.text = fmt.Sprint(n)
		return err
	case "ftruncate":
		return syscall.Ftruncate(fd, op.Off)
	case "fsync":
		return syscall.Fsync(fd)
	case "fstat":
		var st syscall.Stat_t
		err := syscall.Fstat(fd, &st)
		r.text = w.describe(&st)
		return err
	case "fchmod":
		return syscall.Fchmod(fd, op.Mode)
	case "futimes":
		return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), stamps(op.Time), 0)
	case "seekend":
		var st syscall.Stat_t
		syscall.Fstat(fd, &st)
		if end, err := syscall.Seek(fd, 0, io.SeekEnd); st.Mode&syscall.S_IFMT == syscall.S_IFREG {
			r.text = fmt.Sprint(end, err)
		}
		return nil
	case "forget":
		return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) // the kernel's pages
	case "mapread":
		return mapped(fd, syscall.PROT_READ, func(p []byte) { r.data = bytes.Clone(p) })
	case "mapwrite":
		return mapped(fd, syscall.PROT_READ|syscall.PROT_WRITE, func(p []byte) {
			start := min(int(op.Off), len(p))
			copy(p[start:], bytes.Repeat([]byte{op.Fill}, op.N))
		})
	}
	panic("no verb " + op.Verb)
}

// mapped lets f use all of a file in memory.
func mapped(fd, prot int, f func(p []byte)) (err error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return syscall.ENODEV // what else it may be depends on the size
	}
	p, err := unix.Mmap(fd, 0, int(st.Size), prot, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(p)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = syscall.EFAULT
		}
	}()
	f(p)
	if prot&syscall.PROT_WRITE != 0 {
		return unix.Msync(p, unix.MS_SYNC)
	}
	return nil
}

func stamps(seconds int64) []unix.Timespec {
	at := unix.Timespec{Sec: seconds, Nsec: 123_456_789} // of which FTP keeps the seconds
	if seconds == 0 {
		at = unix.Timespec{Nsec: unix.UTIME_NOW}
	}
	return []unix.Timespec{at, at}
}

// describe tells what stat shows. See differences for what it leaves out.
func (w *world) describe(st *syscall.Stat_t) string {
	mode := "?"
	if w.modes {
		mode = fmt.Sprintf("%#o", st.Mode&0o777)
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return "directory " + mode
	}
	mtime := "now"
	if st.Mtim.Sec < w.since.Unix() {
		mtime = fmt.Sprint(st.Mtim.Sec)
	}
	return fmt.Sprintf("type %#o mode %s size %d time %s", st.Mode&syscall.S_IFMT, mode, st.Size, mtime)
}

// tree describes all that is below the root.
func (w *world) tree() (string, error) {
	var text strings.Builder
	err := filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == w.root {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s: %s", strings.TrimPrefix(path, w.root), w.describe(&st))
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&text, " bytes %s", runs(data))
		}
		text.WriteString("\n")
		return nil
	})
	return text.String(), err
}

// names are the paths of all that is below the root.
func (w *world) names() (names []string) {
	filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if path != w.root {
			names = append(names, path[len(w.root)+1:])
		}
		return err
	})
	return names
}

// runs describes bytes by the lengths of what repeats.
func runs(p []byte) string {
	var text strings.Builder
	for len(p) > 0 {
		n := len(p) - len(bytes.TrimLeft(p, string(p[:1])))
		fmt.Fprintf(&text, "%d×%q ", n, p[0])
		p = p[n:]
	}
	return text.String()
}
