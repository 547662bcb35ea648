package ftptest

import (
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/spf13/afero"
)

// tree is the file system that the embedded server serves: an afero one with the checks that
// in-memory file systems leave out, so that DELE, RMD, MKD, STOR and RNTO refuse what a Unix
// server refuses, with the same words.
type tree struct {
	afero.Fs
	clears bool // RemoveDir and Rename remove all that is in a directory

	mu sync.Mutex // makes a check and the change after it one step
}

func refuse(op, name string, errno syscall.Errno) error {
	return &os.PathError{Op: op, Path: name, Err: errno}
}

// parent fails unless the directory that holds name exists.
func (fs *tree) parent(op, name string) error {
	info, err := fs.Fs.Stat(path.Dir(name))
	switch {
	case err != nil:
		return refuse(op, name, syscall.ENOENT)
	case !info.IsDir():
		return refuse(op, name, syscall.ENOTDIR)
	}
	return nil
}

func (fs *tree) empty(op, name string) error {
	if names, err := afero.ReadDir(fs.Fs, name); err != nil || len(names) > 0 {
		return refuse(op, name, syscall.ENOTEMPTY)
	}
	return nil
}

func (fs *tree) OpenFile(name string, flag int, _ os.FileMode) (afero.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if info, err := fs.Fs.Stat(name); err == nil && info.IsDir() {
		return nil, refuse("open", name, syscall.EISDIR)
	}
	if flag&os.O_CREATE != 0 {
		if err := fs.parent("open", name); err != nil {
			return nil, err
		}
	}
	return fs.Fs.OpenFile(name, flag, 0o644)
}

func (fs *tree) Mkdir(name string, perm os.FileMode) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.parent("mkdir", name); err != nil {
		return err
	}
	if _, err := fs.Fs.Stat(name); err == nil {
		return refuse("mkdir", name, syscall.EEXIST)
	}
	return fs.Fs.Mkdir(name, perm)
}

// Remove is DELE.
func (fs *tree) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if info, err := fs.Fs.Stat(name); err == nil && info.IsDir() {
		return refuse("remove", name, syscall.EISDIR)
	}
	return fs.Fs.Remove(name)
}

// RemoveDir is RMD.
func (fs *tree) RemoveDir(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	info, err := fs.Fs.Stat(name)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return refuse("rmdir", name, syscall.ENOTDIR)
	case name == "/":
		return refuse("rmdir", name, syscall.EBUSY)
	case fs.clears:
		return fs.Fs.RemoveAll(name)
	}
	if err := fs.empty("rmdir", name); err != nil {
		return err
	}
	return fs.Fs.Remove(name)
}

func (fs *tree) Rename(from, to string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	source, err := fs.Fs.Stat(from)
	if err != nil {
		return err
	}
	if err := fs.parent("rename", to); err != nil {
		return err
	}
	if source.IsDir() {
		for up := path.Dir(to); up != "/"; up = path.Dir(up) {
			if up == from {
				return refuse("rename", to, syscall.EINVAL)
			}
		}
	}
	target, err := fs.Fs.Stat(to)
	if err != nil || from == to {
		return fs.Fs.Rename(from, to)
	}
	switch {
	case source.IsDir() && !target.IsDir():
		return refuse("rename", to, syscall.ENOTDIR)
	case !source.IsDir() && target.IsDir():
		return refuse("rename", to, syscall.EISDIR)
	case target.IsDir() && fs.clears:
		if err := fs.Fs.RemoveAll(to); err != nil {
			return err
		}
	case target.IsDir():
		if err := fs.empty("rename", to); err != nil {
			return err
		}
		if err := fs.Fs.Remove(to); err != nil {
			return err
		}
	}
	return fs.Fs.Rename(from, to)
}
