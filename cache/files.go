package cache

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// FilesConfig says where Files keeps its data, and how much.
type FilesConfig struct {
	// Dir is the cache directory, created with mode 0700 if need be. Several
	// processes may share it: each works in a subdirectory of its own.
	Dir string
	// MaxBytes bounds the data on disk; 0 means 1 GiB, less than 0 that
	// nothing is kept beyond its use. Dirty data counts, but is never evicted.
	MaxBytes int64
	// BlockSize is what is evicted at once, in bytes; 0 means 1 MiB. Small
	// sizes should be multiples of the disk's own.
	BlockSize int64
}

// Version tells the contents of a remote file at one time from those at
// another.
type Version struct {
	Size    int64 // bytes
	ModTime time.Time
}

func (v Version) equal(o Version) bool { return v.Size == o.Size && v.ModTime.Equal(o.ModTime) }

// Files keeps the contents of remote files, by path and version, in sparse
// local files.
//
// Lock order: File.io before Files.mu. No path of code holds two io. Disk
// operations happen under an io or under no lock, never under mu.
type Files struct {
	dir       *private
	maxBytes  int64
	blockSize int64

	// The disk operations that tests make fail.
	pwrite func(fd *os.File, p []byte, off int64) (int, error)
	punch  func(fd *os.File, off, n int64) error

	ops sync.WaitGroup // operations under way

	// mu guards what follows, and in each File and block what is not said to
	// be guarded otherwise. It is one lock for all because eviction goes
	// across files; it is held for lookups in memory only.
	mu          sync.Mutex
	closed      bool
	ids         uint64 // given out so far; an id is a local name
	index       map[string]*File
	live        map[*File]struct{} // indexed or held
	lru         *simplelru.LRU[*block, struct{}]
	used        int64 // sum of the blocks' weights
	descriptors int
	garbage     []garbage
	hits        uint64
	waits       uint64
	evictions   uint64
}

// garbage is what unlock closes and removes.
type garbage struct {
	fd   *os.File // may be nil
	name string   // of the local file; "" keeps it
}

// OpenFiles makes a private subdirectory of cfg.Dir, mode 0700, in use for as
// long as the process lives or until Close, and removes those of processes
// that are gone. It refuses a Dir that belongs to another user or that others
// may write to, with an error that is fs.ErrPermission.
func OpenFiles(cfg FilesConfig) (*Files, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.BlockSize <= 0 {
		cfg.BlockSize = 1 << 20
	}
	dir, err := openPrivate(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Files{
		dir:       dir,
		maxBytes:  cfg.MaxBytes,
		blockSize: cfg.BlockSize,
		pwrite:    (*os.File).WriteAt,
		punch:     punchHole,
		index:     make(map[string]*File),
		live:      make(map[*File]struct{}),
	}
	// Bounded by bytes here, not by the number of blocks there.
	s.lru, _ = simplelru.NewLRU[*block, struct{}](math.MaxInt, nil)
	return s, nil
}

// begin opens an operation: when it succeeds, mu is held and end must follow.
func (s *Files) begin() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.ops.Add(1)
	return nil
}

// end closes an operation. mu is held and will be released.
func (s *Files) end() {
	over := s.used > s.maxBytes
	s.unlock()
	if over {
		s.trim()
	}
	s.ops.Done()
}

// unlock releases mu, and then does the disk's part of what was decided under
// it.
func (s *Files) unlock() {
	dead := s.garbage
	s.garbage = nil
	s.mu.Unlock()
	for _, g := range dead {
		if g.fd != nil {
			g.fd.Close()
		}
		if g.name != "" {
			s.dir.root.Remove(g.name)
		}
	}
}

// Open returns the contents of path in version v: those in the cache, shared
// by all who open them, also when they were written to since; else new ones,
// all absent. Another version of path leaves the cache; its holders keep it.
// Each Open needs a Close. A negative size is EINVAL.
func (s *Files) Open(path string, v Version) (*File, error) {
	if v.Size < 0 {
		return nil, syscall.EINVAL
	}
	for {
		f, err := s.open(path, v)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		// Somebody removed the local file: so it has left the cache.
	}
}

func (s *Files) open(path string, v Version) (*File, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	f := s.index[path]
	if f != nil && !(f.versioned && f.version.equal(v)) {
		s.unindex(f)
		f = nil
	}
	if f == nil {
		f = s.add(path)
		f.version, f.versioned, f.size = v, true, v.Size
	}
	f.holders++
	s.mu.Unlock()
	_, err := f.existing()
	s.mu.Lock()
	if err != nil {
		f.holders--
		if s.index[f.path] == f {
			s.unindex(f)
		} else {
			s.settle(f)
		}
		return nil, err
	}
	return f, nil
}

// Create returns new, empty, dirty contents without a version, which are now
// those of path. What path had leaves the cache; its holders keep it.
func (s *Files) Create(path string) (*File, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	if old := s.index[path]; old != nil {
		s.unindex(old)
	}
	f := s.add(path)
	f.holders = 1
	f.gen = 1
	return f, nil
}

// add makes a new File and puts it into the index.
func (s *Files) add(path string) *File {
	s.ids++
	f := &File{files: s, name: strconv.FormatUint(s.ids, 36), path: path, blocks: make(map[int64]*block)}
	s.live[f] = struct{}{}
	s.index[path] = f
	return f
}

// unindex takes f out of the index; without holders it is gone.
func (s *Files) unindex(f *File) {
	delete(s.index, f.path)
	s.settle(f)
}

// settle decides what becomes of f when nobody uses it: clean data in the
// index stays without a descriptor, anything else goes.
func (s *Files) settle(f *File) {
	if f.holders > 0 || f.users > 0 {
		return
	}
	if _, ok := s.live[f]; !ok {
		return
	}
	indexed := s.index[f.path] == f
	g := garbage{fd: f.fd}
	if !indexed || f.gen != f.clean || len(f.blocks) == 0 {
		if indexed {
			delete(s.index, f.path)
		}
		for _, b := range f.blocks {
			s.drop(b)
		}
		delete(s.live, f)
		if f.created {
			g.name = f.name
		}
	}
	if f.fd != nil {
		f.fd = nil
		s.descriptors--
	}
	if g != (garbage{}) {
		s.garbage = append(s.garbage, g)
	}
}

// Forget takes path out of the cache. Holders keep their File.
func (s *Files) Forget(path string) {
	if s.begin() != nil {
		return
	}
	defer s.end()
	if f := s.index[path]; f != nil {
		s.unindex(f)
	}
}

// Rename tells that the remote file from is now called to, in place of what
// was there.
func (s *Files) Rename(from, to string) {
	if from == to || s.begin() != nil {
		return
	}
	defer s.end()
	if old := s.index[to]; old != nil {
		s.unindex(old)
	}
	if f := s.index[from]; f != nil {
		delete(s.index, from)
		f.path = to
		s.index[to] = f
	}
}

// RenameTree does the same for all files below the directory from, and for
// from itself. A directory cannot move below itself: that is ignored.
func (s *Files) RenameTree(from, to string) {
	if from == to || below(to, from) || s.begin() != nil {
		return
	}
	defer s.end()
	var moved []*File
	for path, f := range s.index {
		switch {
		case path == from || below(path, from):
			moved = append(moved, f)
		case path == to || below(path, to):
			s.unindex(f)
		}
	}
	for _, f := range moved { // all out before any is in: old and new paths may be the same ones
		delete(s.index, f.path)
		f.path = to + f.path[len(from):]
	}
	for _, f := range moved {
		s.index[f.path] = f
	}
}

// Close ends the cache: operations that wait end with an error that is
// fs.ErrClosed, others are waited for, the private subdirectory is removed.
// Dirty data is lost.
func (s *Files) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for f := range s.live {
		f.wake(errClosed)
	}
	s.mu.Unlock()
	s.ops.Wait()

	s.mu.Lock()
	for f := range s.live {
		if f.fd != nil {
			f.fd.Close()
		}
	}
	s.mu.Unlock()
	return s.dir.remove()
}
