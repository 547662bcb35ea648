package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"syscall"
	"time"
)

// A private directory is one process's own subdirectory of the cache
// directory, marked as in use by a lock on the file "lock" in it. The kernel
// drops the lock with the process, however that ends.
//
// A subdirectory without a tree's name is rubbish when its lock is free. One
// with a name (lasting.go) is used again.
type private struct {
	parent  *os.Root
	root    *os.Root // the subdirectory
	name    string   // its name in parent
	lock    *os.File
	lasting bool
}

const (
	privatePrefix = "ftpfs-contents-"
	lockName      = "lock"
	gateWait      = 10 * time.Second // for another process that makes its subdirectory or removes stale ones
)

// privateName is what private directories are called; ownName is what Files
// calls the files in them: local files and their journals. Nothing else is ever
// removed: the cache directory may hold what is dear to its user.
var (
	privateName = regexp.MustCompile(`^` + privatePrefix + `[A-Z2-7]{26}$`)
	ownName     = regexp.MustCompile(`^[fj][0-9a-z]{1,13}$`)
)

// openPrivate makes a private directory in dir, which is created if need be,
// and removes those of processes that are gone. If tree is not "" it takes one
// that was made for the same tree, with what is in it, and leaves no more than
// idle bytes in those of other trees.
func openPrivate(dir, tree string, idle int64) (_ *private, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkLink(dir); err != nil {
		return nil, err
	}
	parent, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	p := &private{parent: parent, lasting: tree != ""}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := checkOwner(parent); err != nil {
		return nil, err
	}
	// Between the creation of a subdirectory and its locking nobody may look
	// for stale ones.
	gate, err := openLock(parent, lockName)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := await(gate); err != nil {
		return nil, err
	}
	if err := sweep(parent); err != nil {
		return nil, err
	}
	if p.lasting {
		return p, errors.Join(p.take(tree), p.sweepIdle(idle))
	}
	return p, p.create()
}

// checkLink refuses a symbolic link that somebody else has made: it would have files written
// into a directory of our user's that is not for them.
func checkLink(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("cache directory %s: is a symbolic link of user %d: %w", dir, st.Uid, fs.ErrPermission)
	}
	return nil
}

// checkOwner refuses a directory in which others could plant files.
func checkOwner(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("cache directory %s: belongs to user %d: %w", dir.Name(), st.Uid, fs.ErrPermission)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("cache directory %s: others may write to it (mode %v): %w", dir.Name(), info.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}

func (p *private) create() (err error) {
	name := privatePrefix + rand.Text()
	if err := p.parent.Mkdir(name, 0o700); err != nil {
		return err
	}
	return p.open(name)
}

// open opens and locks the subdirectory name. fs.ErrNotExist means that it was
// removed, EWOULDBLOCK that it is in use.
func (p *private) open(name string) (err error) {
	if p.root, err = p.parent.OpenRoot(name); err != nil {
		return err
	}
	if p.lock, err = openLock(p.root, lockName); err == nil {
		err = flock(p.lock, syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		p.unlock()
		return err
	}
	p.name = name
	return nil
}

// unlock is open undone.
func (p *private) unlock() {
	if p.lock != nil {
		flock(p.lock, syscall.LOCK_UN) // a program that begins has a copy for a moment
		p.lock.Close()
	}
	if p.root != nil {
		p.root.Close()
	}
	p.name, p.root, p.lock = "", nil, nil
}

// close gives up the subdirectory, with all that is in it but what is to last.
func (p *private) close() error {
	var err error
	switch {
	case p.name == "":
	case p.lasting:
		err = p.leave()
	default:
		err = empty(p.parent, p.name)
	}
	p.unlock()
	p.parent.Close()
	return err
}

// String is where the directory is.
func (p *private) String() string { return p.parent.Name() + "/" + p.name }

// removeFile removes a local file or a journal. That it is gone is no error.
func (p *private) removeFile(name string) error {
	if err := p.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p *private) cutFile(name string, size int64) error {
	f, err := p.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// holds tells whether a local file has any bytes on the disk.
func (p *private) holds(name string) bool {
	info, err := p.root.Lstat(name)
	return err == nil && info.Sys().(*syscall.Stat_t).Blocks > 0
}

// readFile reads a file, which is not waited for if it is a pipe.
func (p *private) readFile(name string) ([]byte, error) {
	f, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, &fs.PathError{Op: "read", Path: name, Err: errNoFile})
	}
	return io.ReadAll(f)
}

var errNoFile = errors.New("is no regular file")

// sync makes names durable.
func (p *private) sync() error {
	d, err := p.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep removes the subdirectories whose process is gone. What cannot be
// removed stays for the next time.
func sweep(parent *os.Root) error {
	names, err := namesIn(parent, ".")
	for _, name := range names {
		if privateName.MatchString(name) {
			sweepOne(parent, name)
		}
	}
	return err
}

func sweepOne(parent *os.Root, name string) {
	lock, err := parent.OpenFile(name+"/"+lockName, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent.Remove(name) // its removal was cut short: then it is empty
		return
	case err != nil:
		return
	default:
		defer lock.Close()
		if flock(lock, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return // in use
		}
	}
	empty(parent, name)
}

// namesIn lists a directory.
func namesIn(parent *os.Root, name string) ([]string, error) {
	d, err := parent.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// empty removes a private directory: our files, then the lock, then itself.
func empty(parent *os.Root, name string) error {
	names, err := namesIn(parent, name)
	if err != nil {
		return err
	}
	for _, local := range names {
		if local == catalogName || local == catalogNew || ownName.MatchString(local) {
			if err := parent.Remove(name + "/" + local); err != nil {
				return err
			}
		}
	}
	if err := parent.Remove(name + "/" + lockName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return parent.Remove(name)
}

// await locks the gate, for which others hold it for moments only.
func await(gate *os.File) error {
	for deadline := time.Now().Add(gateWait); ; time.Sleep(20 * time.Millisecond) {
		err := flock(gate, syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cache directory is kept locked by another process: %w", err)
		}
	}
}

func openLock(dir *os.Root, name string) (*os.File, error) {
	return dir.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

func flock(f *os.File, how int) error {
	err := retryEINTR(func() error { return syscall.Flock(int(f.Fd()), how) })
	if err != nil {
		return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return nil
}

func retryEINTR(fn func() error) error {
	for {
		if err := fn(); err != syscall.EINTR {
			return err
		}
	}
}
