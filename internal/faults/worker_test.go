package faults

import (
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// workerEnv makes this program a worker: what serves a mount must not be what uses it.
const workerEnv = "FTPFS_FAULTS_WORKER"

// A call is one system call, or the reading of a whole tree. Paths are relative to Dir.
type call struct {
	Dir            string
	Verb, Path, To string
	Size           int
	Mode           uint32
}

// A result is what came of a call.
type result struct {
	Errno syscall.Errno
	Text  string            // what was read
	Tree  map[string]string // of "tree"
}

// A worker carries out calls in a process of its own, one after another. It has one file open.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	calls *gob.Encoder
	done  chan result
}

func startWorker() (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), workerEnv+"=1", "GODEBUG=asyncpreemptoff=1") // its own signals would interrupt calls
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &worker{cmd: cmd, in: in, calls: gob.NewEncoder(in), done: make(chan result)}
	go func() {
		defer close(w.done)
		for results := gob.NewDecoder(out); ; {
			var r result
			if results.Decode(&r) != nil {
				return
			}
			w.done <- r
		}
	}()
	return w, nil
}

// end kills the worker, also one that hangs in a call.
func (w *worker) end() {
	w.in.Close()
	w.cmd.Process.Kill()
	for range w.done {
	}
	w.cmd.Wait()
}

// do carries out one call; false: it did not end within the limit.
func (w *worker) do(c call, limit time.Duration) (result, bool) {
	if err := w.calls.Encode(c); err != nil {
		return result{Text: err.Error()}, false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r, ok := <-w.done:
		return r, ok
	case <-timer.C:
		return result{}, false
	}
}

// work is the worker's own program.
func work() error {
	syscall.Umask(0o022)
	calls, results := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	fd := -1
	for {
		var c call
		if err := calls.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r result
		err := carryOut(c, &fd, &r)
		if err != nil && !errors.As(err, &r.Errno) {
			return fmt.Errorf("%s %s: %w", c.Verb, c.Path, err)
		}
		if err := results.Encode(r); err != nil {
			return err
		}
	}
}

func carryOut(c call, fd *int, r *result) (err error) {
	path := filepath.Join(c.Dir, c.Path)
	open := func(flags int) error {
		*fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, 0o644)
		return err
	}
	switch c.Verb {
	case "stat":
		var st syscall.Stat_t
		err = syscall.Lstat(path, &st)
		r.Text = fmt.Sprintf("%o %d", st.Mode&syscall.S_IFMT, st.Size)
	case "fstat":
		var st syscall.Stat_t
		err = syscall.Fstat(*fd, &st)
		r.Text = fmt.Sprintf("%o %d", st.Mode&syscall.S_IFMT, st.Size)
	case "statfs":
		var st syscall.Statfs_t
		err = syscall.Statfs(path, &st)
	case "list":
		var entries []os.DirEntry
		entries, err = os.ReadDir(path)
		for _, e := range entries {
			r.Text += e.Name() + "\n"
		}
	case "open":
		err = open(syscall.O_RDONLY)
	case "open-write":
		err = open(syscall.O_WRONLY)
	case "open-append":
		err = open(syscall.O_WRONLY | syscall.O_APPEND)
	case "create":
		err = open(syscall.O_WRONLY | syscall.O_CREAT | syscall.O_EXCL)
	case "replace":
		err = open(syscall.O_WRONLY | syscall.O_CREAT | syscall.O_TRUNC)
	case "read":
		var data []byte
		data, err = readAll(*fd)
		r.Text = digest(data)
	case "write":
		for data := pattern(c.Size, 'w'); len(data) > 0 && err == nil; {
			var n int
			n, err = syscall.Write(*fd, data[:min(len(data), 128<<10)])
			data = data[max(0, n):]
		}
	case "fsync":
		err = syscall.Fsync(*fd)
	case "close":
		if *fd >= 0 {
			err = syscall.Close(*fd)
		}
		*fd = -1
	case "truncate":
		err = syscall.Truncate(path, int64(c.Size))
	case "chmod":
		err = syscall.Chmod(path, c.Mode)
	case "utimes":
		at := syscall.Timespec{Sec: int64(c.Size)}
		err = syscall.UtimesNano(path, []syscall.Timespec{at, at})
	case "rename":
		err = syscall.Rename(path, filepath.Join(c.Dir, c.To))
	case "unlink":
		err = syscall.Unlink(path)
	case "mkdir":
		err = syscall.Mkdir(path, 0o755)
	case "rmdir":
		err = syscall.Rmdir(path)
	case "symlink":
		err = syscall.Symlink(c.To, path)
	case "readlink":
		buf := make([]byte, 4096)
		var n int
		n, err = syscall.Readlink(path, buf)
		r.Text = string(buf[:max(0, n)])
	case "tree":
		r.Tree, err = readTree(path, c.To)
	default:
		panic("unknown call " + c.Verb)
	}
	return err
}

func readAll(fd int) ([]byte, error) {
	buf := make([]byte, 64<<10)
	var data []byte
	for {
		n, err := syscall.Pread(fd, buf, int64(len(data)))
		if err != nil || n == 0 {
			return data, err
		}
		data = append(data, buf[:n]...)
	}
}

// What may be compared of the file watched besides its content, as a key of a tree.
const (
	watched   = "dir/old"
	watchMode = "mode of dir/old" // on the server alone: not all servers tell it
	watchTime = "time of dir/old"
)

// readTree gives what is below a directory: "dir", "link TARGET", or the digest of a file.
func readTree(root, watch string) (map[string]string, error) {
	tree := make(map[string]string)
	var walk func(dir string) error
	walk = func(dir string) error {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			rel := filepath.Join(dir, e.Name())
			path := filepath.Join(root, rel)
			switch {
			case e.IsDir():
				tree[rel] = "dir"
				if err := walk(rel); err != nil {
					return err
				}
			case e.Type()&os.ModeSymlink != 0:
				to, err := os.Readlink(path)
				if err != nil {
					return err
				}
				tree[rel] = "link " + to
			default:
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				tree[rel] = digest(data)
			}
			if rel == watched && watch == watchTime {
				info, err := os.Lstat(path)
				if err != nil {
					return err
				}
				tree[watch] = seconds(info)
			}
		}
		return nil
	}
	return tree, walk(".")
}

func seconds(info os.FileInfo) string { return strconv.FormatInt(info.ModTime().Unix(), 10) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%d bytes %x", len(data), sum[:4])
}

// pattern is content that is different at every place.
func pattern(size int, kind byte) []byte {
	var b strings.Builder
	b.Grow(size + 16)
	for b.Len() < size {
		fmt.Fprintf(&b, "%c%07d", kind, b.Len())
	}
	return []byte(b.String()[:size])
}

// workers are lent to one cell at a time.
type workers chan *worker

func (ws workers) get(t *testing.T) *worker {
	t.Helper()
	select {
	case w := <-ws:
		return w
	default:
	}
	w, err := startWorker()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (ws workers) put(w *worker) {
	select {
	case ws <- w:
	default:
		w.end()
	}
}

func (ws workers) end() {
	for {
		select {
		case w := <-ws:
			w.end()
		default:
			return
		}
	}
}
