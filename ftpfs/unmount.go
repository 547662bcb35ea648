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

const (
	busyRetry = 200 * time.Millisecond // between two tries to unmount
	busyFor   = 5 * time.Second        // how long programs may keep the mount busy
	lastWait  = 2 * time.Second        // for requests at work, when nothing is waited for any more
)

// Unmount publishes what is written but not closed, however long that takes,
// unmounts, and waits until all is put away. Programs that keep the mount busy
// for some seconds more lose it: it is taken out of the tree, what they have
// written until then is published, and their next request fails. When ctx ends
// nothing is waited for any more, and what was not published is left to the next mount, as the
// error says. What was unmounted before is waited for, or has ended without an error; what
// is mounted on the same directory since then is left alone.
func (f *FS) Unmount(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	default:
	}
	f.flushAll(ctx)
	patient, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	for f.mounted() && Unmount(f.dir) != nil {
		select {
		case <-f.done:
		case <-time.After(busyRetry):
			continue
		case <-patient.Done():
			f.detach()
		}
		break
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		f.detach()
		f.cancel()
		select {
		case <-f.done:
		case <-time.After(lastWait):
			return fmt.Errorf("programs still use what was mounted on %s", f.dir)
		}
	}
	return f.err
}

// leave notes that the connection with the kernel has ended. One that was cut stays on its
// directory, and keeps its number; an unmounted one has left the directory first.
func (f *FS) leave() {
	if !f.mounted() {
		close(f.gone)
	}
}

// mounted tells whether it is this mount that is on its directory. The kernel gives its number
// to another one only when it has gone.
func (f *FS) mounted() bool {
	select {
	case <-f.gone:
		return false
	default:
		return mountDevice(f.dir) == f.device
	}
}

// flushAll publishes the files that are open for writing. What fails is tried
// again at the end.
func (f *FS) flushAll(ctx context.Context) {
	for _, h := range f.handles.all() {
		if h.content != nil && h.writing {
			f.uploads.commit(ctx, h.node, h.content)
		}
	}
}

// detach takes the mount away from the programs that still use it.
func (f *FS) detach() {
	if f.mounted() {
		if err := UnmountLazy(f.dir); err != nil && f.mounted() {
			f.log.Warn("lazy unmount failed", "dir", f.dir, "error", err)
		}
	}
	select {
	case <-f.gone:
		return
	default:
	}
	// Programs that keep files open get errors instead of keeping us.
	abort := filepath.Join("/sys/fs/fuse/connections", f.device, "abort")
	if err := os.WriteFile(abort, []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.log.Debug("the connection with the kernel was not aborted", "error", err)
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
