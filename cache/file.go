package cache

import (
	"os"
	"slices"
	"sync"
	"syscall"
)

// A File is the contents of one remote file in one version, with the changes
// made to it here. A range of it is absent (only the server has it), present,
// or present and dirty (the server does not have it). All holders share it.
// After the last Close its methods answer fs.ErrClosed.
type File struct {
	files *Files
	name  string // of the local file: an id, so that renames do not touch the disk

	// io is held while the local file is written, cut or punched. Reads of
	// present ranges do without.
	io     sync.Mutex
	extent int64 // the local file has no data at or behind it

	lending sync.RWMutex // held shared while the local file is lent, else while it is cut

	// The journal (journal.go), guarded by io; once there are no users, by files.mu.
	journal    *os.File
	journalEnd int64
	stale      bool   // the journal lacks a change
	synced     bool   // all in it, and the data, is durable
	durable    bool   // a state in it is
	sealed     bool   // it may have checksums of what is dirty
	note       []byte // of the last Journal

	// The rest is guarded by files.mu.
	path      string
	version   Version // what the server has, when versioned
	versioned bool
	holders   int
	users     int // operations under way
	fd        *os.File
	unfit     *os.File // a former or present fd that cannot be lent
	created   bool     // the local file exists; until then there is no data
	size      int64
	cuts      uint64 // counts the times that size went down
	present   ranges
	dirty     ranges // a part of present
	blocks    map[int64]*block
	gen       uint64 // counts changes
	clean     uint64 // the gen that the server has
	tracked   uint64 // the gen since which changes are in since
	since     ranges
	waiting   *waiting
	kept      int  // Keeps without their end
	journaled bool // there is a journal on the disk
	parked    bool // dirty data is for a later process
	news      bool // the catalog lacks something that is present
	recorded  bool // the catalog may have a line
	doubtful  bool // the version may be that of other bytes, too
	once      bool // so much so that f is for its present holders only
	inMemory  bool
	past      []*os.File // what it was in before; closed when nobody uses it
}

// waiting is what readers of absent ranges wait on: one for all who came
// since the last wake.
type waiting struct {
	done chan struct{}
	err  error // of Fail; set before done is closed
}

// begin opens an operation on f: when it succeeds, files.mu is held and end
// must follow.
func (f *File) begin() error {
	if err := f.files.begin(); err != nil {
		return err
	}
	if f.holders == 0 {
		f.files.end()
		return errClosed
	}
	f.users++
	return nil
}

func (f *File) end() {
	f.users--
	f.files.settle(f)
	f.files.end()
}

// beginIO is begin for an operation during which io is held, and files.mu is not: endIO
// must follow.
func (f *File) beginIO() error {
	if err := f.begin(); err != nil {
		return err
	}
	f.files.mu.Unlock()
	f.io.Lock()
	return nil
}

func (f *File) endIO() {
	f.io.Unlock()
	f.files.mu.Lock()
	f.end()
}

// wake lets everybody who waits look again, or end with err if they still
// miss something.
func (f *File) wake(err error) {
	if f.waiting != nil {
		f.waiting.err = err
		close(f.waiting.done)
		f.waiting = nil
	}
}

// existing returns the descriptor of the local file, nil if there is none yet.
// files.mu is not held.
func (f *File) existing() (*os.File, error) {
	f.files.mu.Lock()
	fd, created := f.fd, f.created
	f.files.mu.Unlock()
	if fd != nil || !created {
		return fd, nil
	}
	return f.open(os.O_RDWR)
}

// descriptor returns the descriptor of the local file, which is created if
// need be. io is held.
func (f *File) descriptor() (*os.File, error) {
	fd, err := f.existing()
	if fd != nil || err != nil {
		return fd, err
	}
	return f.open(os.O_RDWR | os.O_CREATE | os.O_EXCL)
}

func (f *File) open(flag int) (*os.File, error) {
	f.files.mu.Lock()
	inMemory := f.inMemory
	f.files.mu.Unlock()
	var fd *os.File
	var err error
	if inMemory {
		fd, err = openMemory()
	} else {
		fd, err = f.files.dir.root.OpenFile(f.name, flag, 0o600)
	}
	if err != nil {
		return nil, err
	}
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if f.fd != nil { // somebody else was faster
		fd.Close()
		return f.fd, nil
	}
	f.fd, f.created = fd, true
	f.files.descriptors++
	return fd, nil
}

// cut makes the local file end at size at the latest. io is held.
func (f *File) cut(fd *os.File, size int64) error {
	if f.extent <= size {
		return nil
	}
	f.lending.Lock()
	err := retryEINTR(func() error { return fd.Truncate(size) })
	f.lending.Unlock()
	if err == nil {
		f.extent = size
	}
	return err
}

// Size returns the present size in bytes.
func (f *File) Size() int64 {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	return f.size
}

// Dirty tells whether f has changes that the server lacks, and the generation
// of f, which each change raises.
func (f *File) Dirty() (gen uint64, dirty bool) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	return f.gen, f.gen != f.clean
}

// Keep makes what f has, and what it is filled with, stay until release is
// called, once: beyond the bound if need be.
func (f *File) Keep() (release func()) {
	keep := func(n int) {
		if f.files.begin() == nil {
			f.kept += n
			f.reassess()
			f.files.end()
		}
	}
	keep(1)
	return func() { keep(-1) }
}

// KeepRange is Keep for the n bytes from off.
func (f *File) KeepRange(off, n int64) (release func()) {
	if off < 0 || n <= 0 || f.begin() != nil {
		return func() {}
	}
	var blocks []*block
	unverified := false
	size := f.files.blockSize
	for no := off / size; no <= (off+n-1)/size; no++ {
		b := f.files.pin(f, no)
		blocks = append(blocks, b)
		unverified = unverified || b.unverified
	}
	f.files.mu.Unlock()
	if unverified {
		f.verifyPinned(off, off+n) // what is damaged is absent from now on
	}
	return func() {
		f.files.mu.Lock()
		defer f.end()
		for _, b := range blocks {
			f.files.unpin(b)
		}
	}
}

// reassess decides anew about all blocks. files.mu is held.
func (f *File) reassess() {
	for no := range f.blocks {
		f.files.reassess(f, no)
	}
}

// Doubt tells that other contents of the file may have the version of f, as when
// the file has just changed: no later process finds f by Open.
func (f *File) Doubt() {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.doubtful = true
}

// Once tells that the version of f says too little: who opens it when its present holders have
// closed it gets new contents, all absent, unless Clean has told another version meanwhile.
func (f *File) Once() {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.once, f.doubtful = true, true
}

// lasts tells whether a later process may find f by its version. files.mu is held.
func (f *File) lasts() bool {
	return f.gen == f.clean && f.versioned && !f.doubtful && !f.version.ModTime.IsZero()
}

// Track is Dirty for an upload of that state: what changes from now on is told
// apart from what Clean will be told about.
func (f *File) Track() (gen uint64, dirty bool) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.tracked, f.since = f.gen, nil
	return f.gen, f.gen != f.clean
}

// Clean tells that the server now has the state of gen, as version v. If
// nothing has changed since, all of f becomes clean, may be evicted, and is
// found by Open under v. Otherwise the answer is false: what has changed since
// gen stays dirty, all that was dirty if gen is not that of the last Track.
// If nothing has changed, but v.Size is not the size of f, f stays as it is.
func (f *File) Clean(gen uint64, v Version) bool {
	if f.beginIO() != nil { // io: no change may be on its way to a journal that ends
		return false
	}
	defer f.endIO()
	if !f.settleChanges(gen, v) {
		return false
	}
	f.endJournal()
	return true
}

// settleChanges is Clean without the journal's end.
func (f *File) settleChanges(gen uint64, v Version) bool {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	switch {
	case gen == f.gen && v.Size != f.size, gen != f.gen && gen != f.tracked:
		return false
	case gen == f.gen:
		f.clean = gen
		f.dirty = nil
	default:
		f.dirty, f.since = f.since, slices.Clone(f.since)
	}
	f.version, f.versioned, f.news, f.once = v, true, true, false
	f.reassess()
	if gen != f.gen {
		f.stale = true
		return false
	}
	return true
}

// Close gives up one holder's share. With the last one dirty data is lost,
// unless it was parked;
// clean data stays in the cache until evicted, unless another version or file
// has taken over its path.
func (f *File) Close() error {
	if f.files.begin() != nil {
		return nil // Files.Close has cleared up already
	}
	defer f.files.end()
	if f.holders == 0 {
		return errClosed
	}
	if f.holders == 1 && f.news && f.gen == f.clean && f.files.lasting && f.files.index[f.path] == f {
		f.users++
		f.files.mu.Unlock()
		f.record()
		f.files.mu.Lock()
		f.users--
	}
	f.holders--
	if f.holders == 0 {
		f.wake(errClosed)
	}
	f.files.settle(f)
	return nil
}

// checkRange answers EINVAL or EFBIG for what no file can have.
func checkRange(off int64, n int) error {
	switch {
	case off < 0:
		return syscall.EINVAL
	case off+int64(n) < off:
		return syscall.EFBIG
	}
	return nil
}
