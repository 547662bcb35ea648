package cache

import (
	"errors"
	"math"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// FilesConfig says where Files keeps its data, and how much.
type FilesConfig struct {
	// Dir is the cache directory, created with mode 0700 if need be. Several
	// processes may share it: each works in a subdirectory of its own.
	Dir string
	// MaxBytes bounds the data on disk; 0 means 1 GiB, less than 0 that
	// nothing is kept beyond its use. Dirty data on the disk comes on top, and is
	// never evicted.
	MaxBytes int64
	// IdleBytes bounds what is in the directory for other Names, of which no
	// process makes use now, all together; 0 means MaxBytes, but at least 1 GiB:
	// a small cache is no reason to empty those of others.
	IdleBytes int64
	// BlockSize is what is evicted at once, in bytes; 0 means 1 MiB. Small
	// sizes should be multiples of the disk's own.
	BlockSize int64
	// Memory keeps what is clean in memory, at most 64 MiB.
	Memory bool
	// Warn is told, once, when the disk is full or not writable, and what is
	// clean is kept in memory from then on, as above. If Dir cannot be used at
	// all, what is dirty is, too, and has to fit. It must not block.
	Warn func(cause error)
	// Name names the tree that the paths belong to: another process with the
	// same Name and Dir finds what is clean again by Open, and what was dirty by
	// Resume. With "" nothing survives the process.
	Name string
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
// Lock order: File.io before Files.mu. No path of code holds two io. File.lending
// is not waited for under mu, nor is mu taken while a cut holds it. Disk
// operations happen under an io or under no lock, never under mu.
type Files struct {
	dir       *private // nil: there is none that can be used
	maxBytes  int64
	blockSize int64
	warn      func(error)
	lasting   bool     // changes survive the process
	left      []string // local names of files with a journal, for Resume
	catalog   catalog

	// The disk operations that tests make fail or wait.
	pread  func(fd *os.File, p []byte, off int64) (int, error)
	pwrite func(fd *os.File, p []byte, off int64) (int, error)
	punch  func(fd *os.File, off, n int64) error
	claim  func(fd *os.File, off, n int64) error

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
	used        int64 // sum of the weights of blocks that are not apart
	memory      bool  // what is clean is kept in memory
	descriptors int
	garbage     []garbage
	hits        uint64
	waits       uint64
	evictions   uint64
	damaged     uint64
}

// garbage is what unlock closes and removes.
type garbage struct {
	fd     *os.File // may be nil
	name   string   // of the local file; "" keeps it
	forget string   // the local file that the catalog should not list; "" is none
}

// OpenFiles takes a private subdirectory of cfg.Dir, mode 0700, in use for as
// long as the process lives or until Close, and removes what processes that are
// gone have left and nobody can use. It refuses a Dir that belongs to another user or that others
// may write to, with an error that is fs.ErrPermission.
func OpenFiles(cfg FilesConfig) (*Files, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.BlockSize <= 0 {
		cfg.BlockSize = 1 << 20
	}
	if cfg.Warn == nil {
		cfg.Warn = func(error) {}
	}
	var left []string
	var ids uint64
	if cfg.IdleBytes == 0 {
		cfg.IdleBytes = max(cfg.MaxBytes, 1<<30)
	}
	dir, err := openPrivate(cfg.Dir, cfg.Name, cfg.IdleBytes)
	switch {
	case err == nil:
		if left, ids, err = dir.leftovers(); err != nil {
			dir.close()
			return nil, err
		}
	case noDisk(err):
		dir, cfg.Memory = nil, true
		cfg.Warn(err)
	default:
		return nil, err
	}
	s := &Files{
		dir:       dir,
		maxBytes:  cfg.MaxBytes,
		blockSize: cfg.BlockSize,
		lasting:   cfg.Name != "" && dir != nil,
		warn:      cfg.Warn,
		left:      left,
		ids:       ids,
		pread:     (*os.File).ReadAt,
		pwrite:    (*os.File).WriteAt,
		punch:     punchHole,
		claim:     claimSpace,
		index:     make(map[string]*File),
		live:      make(map[*File]struct{}),
	}
	// Bounded by bytes here, not by the number of blocks there.
	s.lru, _ = simplelru.NewLRU[*block, struct{}](math.MaxInt, nil)
	if cfg.Memory {
		s.useMemory()
	}
	if s.lasting {
		if err := s.restoreCatalog(); err != nil {
			dir.close()
			return nil, err
		}
	}
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
		if g.name != "" && s.dir != nil {
			s.dir.root.Remove(g.name)
		}
		if g.forget != "" {
			s.catalog.note(s.dir, catalogLine{Local: g.forget})
		}
	}
}

// Close ends the cache: operations that wait end with an error that is
// fs.ErrClosed, others are waited for. Where FilesConfig.Name is set, what is
// clean, and what is dirty and was not closed, is left to another process; else
// all is removed.
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

	var err error
	if s.lasting {
		err = s.keepCatalog()
	}
	s.mu.Lock()
	for f := range s.live {
		if f.fd != nil {
			f.fd.Close()
		}
		for _, fd := range f.past {
			fd.Close()
		}
		if f.journal != nil {
			f.journal.Close()
		}
	}
	s.mu.Unlock()
	if s.dir == nil {
		return nil
	}
	return errors.Join(err, s.dir.close())
}
