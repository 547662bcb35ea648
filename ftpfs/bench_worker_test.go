package ftpfs_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// workerEnv makes this program the worker of a benchmark: what serves a mount
// must not be what uses it.
const workerEnv = "FTPFS_BENCHMARK_WORKER"

func init() {
	if os.Getenv(workerEnv) != "" {
		if err := workerLoop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A worker does what a benchmark measures, and takes the time.
type worker struct {
	b   *testing.B
	in  io.WriteCloser
	out *bufio.Reader
}

func startWorker(b *testing.B) *worker {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	return &worker{b: b, in: in, out: bufio.NewReader(out)}
}

// do makes the worker do verb with the file or directory path.
func (w *worker) do(verb, path string, n int) time.Duration {
	_, all := w.ask(verb, path, n)
	return all
}

// write makes the worker write a file in pieces of n bytes. It returns the
// time of the writing, and that until the close has returned.
func (w *worker) write(path string, n int) (written, all time.Duration) {
	return w.ask("write", path, n)
}

func (w *worker) ask(verb, path string, n int) (first, all time.Duration) {
	w.b.Helper()
	fmt.Fprintf(w.in, "%s %d %s\n", verb, n, path)
	if _, err := fmt.Fscan(w.out, &first, &all); err != nil {
		w.b.Fatalf("%s of %s: %v", verb, path, err)
	}
	return first, all
}

func workerLoop() error {
	in := bufio.NewReader(os.Stdin)
	for {
		var verb, path string
		var n int
		if _, err := fmt.Fscanln(in, &verb, &n, &path); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		start := time.Now()
		first, err := start, error(nil)
		switch verb {
		case "stat":
			err = workerStat(path, n)
		case "read":
			start, err = workerRead(path, n)
		case "write":
			first, err = workerWrite(path, n)
		}
		if err != nil {
			return err
		}
		fmt.Println(int64(first.Sub(start)), int64(time.Since(start)))
	}
}

// workerStat asks for the files f0, f1, ... of a directory.
func workerStat(dir string, n int) error {
	var st syscall.Stat_t
	for i := range n {
		if err := syscall.Lstat(fmt.Sprintf("%s/f%d", dir, i), &st); err != nil {
			return err
		}
	}
	return nil
}

const dontNeed = 4 // POSIX_FADV_DONTNEED

// workerRead reads a file of n bytes that the kernel does not have in memory.
func workerRead(path string, n int) (start time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return start, err
	}
	defer f.Close()
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
		return start, errno
	}
	start = time.Now()
	buf, got := make([]byte, 1<<20), 0
	for {
		m, err := f.Read(buf)
		got += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return start, err
		}
	}
	if got != n {
		return start, fmt.Errorf("%s: %d bytes of %d", path, got, n)
	}
	return start, nil
}

// workerWrite writes a file of fileSize bytes in pieces of n.
func workerWrite(path string, n int) (written time.Time, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return written, err
	}
	buf := make([]byte, n)
	for range fileSize / n {
		if _, err := f.Write(buf); err != nil {
			f.Close()
			return written, err
		}
	}
	written = time.Now()
	return written, f.Close()
}
