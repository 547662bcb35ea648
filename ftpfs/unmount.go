package ftpfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const unmountRetry = 200 * time.Millisecond

// Unmount publishes what is written but not closed, unmounts, and waits until
// all is put away. While programs use the mount it tries again until ctx ends;
// then the mount is taken out of the tree, requests at work fail, and what was
// not published is lost, as the error says.
func (f *FS) Unmount(ctx context.Context) error {
	flushed := f.flushAll(ctx)
	for {
		err := Unmount(f.dir)
		if err == nil || !mounted(f.dir) {
			break
		}
		select {
		case <-f.done:
		case <-time.After(unmountRetry):
			continue
		case <-ctx.Done():
			f.abandon()
		}
		break
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		f.abandon()
		<-f.done
	}
	return errors.Join(flushed, f.err)
}

// flushAll publishes the files that are open for writing.
func (f *FS) flushAll(ctx context.Context) error {
	var failed error
	for _, h := range f.handles.all() {
		if h.content != nil && h.writing {
			failed = errors.Join(failed, f.uploads.commit(ctx, h.node, h.content))
		}
	}
	return failed
}

// abandon takes the mount away from those who still use it.
func (f *FS) abandon() {
	device := mountDevice(f.dir)
	if err := fusermount("-uz", f.dir); err != nil {
		f.log.Warn("lazy unmount failed", "dir", f.dir, "error", err)
	}
	f.cancel()
	if device != "" {
		// Programs that keep files open get errors instead of keeping us.
		abort := filepath.Join("/sys/fs/fuse/connections", device, "abort")
		if err := os.WriteFile(abort, []byte("1"), 0); err != nil {
			f.log.Debug("the connection with the kernel was not aborted", "error", err)
		}
	}
}

// Unmount unmounts the FUSE file system on dir. A busy one is an error.
func Unmount(dir string) error { return fusermount("-u", dir) }

// UnmountLazy takes the file system out of the tree at once, also when it is
// busy or dead; it ends when nobody uses it any more.
func UnmountLazy(dir string) error { return fusermount("-uz", dir) }

func fusermount(flag, dir string) error {
	out, err := exec.Command("fusermount3", flag, "--", dir).CombinedOutput()
	if err == nil {
		return nil
	}
	if words := strings.TrimSpace(string(out)); words != "" {
		return errors.New(words)
	}
	return fmt.Errorf("fusermount3 %s %s: %w", flag, dir, err)
}

// mounted tells whether something is mounted on dir, without touching it.
func mounted(dir string) bool { return mountDevice(dir) != "" }

// mountDevice gives the minor device number of what is mounted on dir, which
// is the kernel's number of the FUSE connection, or "".
func mountDevice(dir string) string {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	device := ""
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// id parent major:minor root mountpoint ...
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && unescape.Replace(fields[4]) == dir {
			_, device, _ = strings.Cut(fields[2], ":")
		}
	}
	return device
}

// unescape undoes the kernel's writing of odd bytes in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
