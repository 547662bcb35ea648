package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bazil.org/fuse"

	"ftpfs/cache"
	"ftpfs/ftpclient"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Options say how a server is shown. The zero value works.
type Options struct {
	Root               string        // the server's directory to mount, absolute or below the login directory, which "" is
	Delay              bool          // mount without asking the server; who comes first connects to it
	DirTTL             time.Duration // how old a listing may be; 0 is a minute
	DirEntries         int           // how many entries of listings are kept; 0 is 200,000
	CacheDir           string        // where contents are kept while they are in use; "" is ftpfs below the user's cache directory
	CacheName          string        // the server and directory that contents kept there belong to: those with the same name find them again; "" keeps nothing
	CacheBytes         int64         // how much of what is on the server is kept there; 0 is 1 GiB, less than 0 that what is read is kept in memory only, at most 64 MiB
	Parallel           int           // most transfers at a time for one reader of a large file, as long as each makes it faster; 0 is 4
	InPlace            bool          // store files under their own names, where the server does not let them be renamed: others see them half, and an upload that fails leaves half of one
	WriteBack          time.Duration // how long after its last close a file is uploaded, which no close waits for then; 0: each waits for its upload
	Capacity           int64         // the size of the server in bytes, where it does not tell; 0 is unknown
	ReadOnly           bool          // refuse all changes
	UID, GID           uint32        // the owner shown for everything
	MapOwners          bool          // show owners of the server's that this machine has by name, and all numbers that are told
	Umask              fs.FileMode   // permission bits never shown
	FileUmask          fs.FileMode   // more of them, for files
	DirUmask           fs.FileMode   // and for directories
	AllowOther         bool          // let other users in; implies DefaultPermissions
	DefaultPermissions bool          // let the kernel check permissions by mode and owner
	FSName             string        // the source shown by mount(8), without a password
	Patience           time.Duration // how long one request that changes nothing may wait for the server in all; 0 is a minute
	ExactTimes         bool          // ask for the time of each file where listings are coarser than a second
	FollowSymlinks     bool          // show what symbolic links lead to in their place
	Xattr              bool          // show the server's facts and checksums as extended attributes user.ftp.*; ls -l then asks for two of each file
	Logger             *slog.Logger  // nil discards
	TraceFUSE          bool          // log all requests of the kernel at debug level
}

func (o Options) withDefaults() (Options, error) {
	if o.DirTTL == 0 {
		o.DirTTL = time.Minute
	}
	if o.DirEntries == 0 {
		o.DirEntries = 200_000
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("finding a directory for the cache: %w", err)
		}
		o.CacheDir = filepath.Join(dir, "ftpfs")
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.FSName == "" {
		o.FSName = "ftpfs"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// An FS is a mounted server.
type FS struct {
	client   *ftpclient.Client
	opts     Options
	log      *slog.Logger
	dir      string // the mount point
	device   string // the kernel's number of the connection
	gate     *gate
	tree     *tree
	walker   *walker
	ahead    *prefetcher
	renewal  *revalidator
	missed   *lru.Cache[miss, struct{}] // names that the kernel was told are missing
	nodes    *nodes
	handles  *handles
	files    *cache.Files
	contents *contents
	uploads  *uploads
	space    *space
	server   *server
	notifier *notifier
	left     []cache.Leftover   // by earlier mounts, while the server was not reached
	cancel   context.CancelFunc // ends everything that waits for the server
	dirTimes sync.Once          // the warning about times of directories

	gone chan struct{} // closed when it is unmounted and the kernel may give its number to another
	done chan struct{} // closed when serving has ended
	err  error         // why, written before done is closed
}

// Mount mounts the server of client on the directory dir and serves it in the
// background. It returns when the server's root directory was listed, unless that
// shall be delayed, and the mount answers. The client stays the caller's: it is closed after Wait.
func Mount(client *ftpclient.Client, dir string, opts Options) (*FS, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	base, cancel := context.WithCancel(context.Background())
	f := &FS{
		client:  client,
		opts:    opts,
		log:     opts.Logger,
		dir:     dir,
		nodes:   newNodes(),
		handles: newHandles(),
		cancel:  cancel,
		missed:  newMisses(),
		gate:    newGate(),
		gone:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := f.prepare(base); err != nil {
		f.dispose()
		return nil, err
	}
	conn, err := fuse.Mount(dir, f.mountOptions()...)
	if err != nil {
		f.dispose()
		return nil, fmt.Errorf("mounting on %s: %w", dir, err)
	}
	f.device = mountDevice(dir)
	f.notifier = newNotifier(conn, f.log)
	f.server = newServer(conn, f, base)
	go f.serve(conn)
	return f, nil
}

// aheadInCache is how far several transfers may run ahead of a reader.
func aheadInCache(cacheBytes int64) int64 {
	if cacheBytes < 0 {
		return 16 << 20
	}
	return cacheBytes / 4
}

// warnOfDisk is told that the cache cannot use its disk.
func (f *FS) warnOfDisk(cause error) {
	f.log.Warn("the cache directory cannot be written to: what is read is kept in memory, at most 64 MiB", "dir", f.opts.CacheDir, "error", cause)
}

// prepare makes what serves requests, and lists the root unless that is delayed.
func (f *FS) prepare(base context.Context) (err error) {
	if f.tree, err = newTree(f.client, f.opts.DirTTL, f.opts.DirEntries, f.opts.ExactTimes, f.log); err != nil {
		return err
	}
	f.tree.followLinks = f.opts.FollowSymlinks
	if f.opts.MapOwners {
		f.tree.owners = newOwners()
	}
	f.nodes.identities = f.tree.identities
	f.walker, f.ahead, f.renewal = walkTree(base, f.tree), f.prefetch(base), newRevalidator(base, f)
	if f.files, err = cache.OpenFiles(cache.FilesConfig{Dir: f.opts.CacheDir, MaxBytes: f.opts.CacheBytes, Name: f.opts.CacheName, Memory: f.opts.CacheBytes < 0, Warn: f.warnOfDisk}); err != nil {
		return err
	}
	f.space = newSpace(f.client, base, f.opts)
	f.contents = &contents{
		client: f.client, tree: f.tree, nodes: f.nodes, files: f.files, space: f.space, base: base,
		parallel: f.opts.Parallel, ahead: aheadInCache(f.opts.CacheBytes),
	}
	f.uploads = newUploads(f.contents, f.log, f.opts)
	f.nodes.root.entry.ModTime = time.Now()
	if f.opts.Delay {
		if !f.opts.ReadOnly {
			f.left = f.files.Left()
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(base, f.opts.Patience)
	defer cancel()
	return f.reach(ctx)
}

func (f *FS) mountOptions() []fuse.MountOption {
	options := []fuse.MountOption{
		fuse.FSName(f.opts.FSName),
		fuse.Subtype("ftpfs"),
		fuse.AsyncRead(),
		fuse.MaxReadahead(1 << 20),
		fuse.MaxBackground(64),
		fuse.CongestionThreshold(48),
	}
	if f.opts.ReadOnly {
		options = append(options, fuse.ReadOnly())
	}
	if f.opts.AllowOther {
		options = append(options, fuse.AllowOther())
	}
	if f.opts.AllowOther || f.opts.DefaultPermissions {
		options = append(options, fuse.DefaultPermissions())
	}
	return options
}

// serve is the goroutine of the mount, from its first request to its end.
func (f *FS) serve(conn *fuse.Conn) {
	f.err = f.server.loop()
	for _, h := range f.handles.all() { // left by a connection that was cut
		if h.content != nil {
			f.closeHandle(f.server.base, h)
		}
	}
	if err := f.uploads.drain(); err != nil {
		f.log.Error("unmounted with an upload that never succeeded; the next mount of the same directory tries again", "error", err)
		f.err = errors.Join(f.err, err)
	}
	f.notifier.Close()
	f.dispose()
	conn.Close()
	close(f.done)
}

// dispose ends what prepare began.
func (f *FS) dispose() {
	f.cancel()
	if f.space != nil {
		f.space.Close()
	}
	if f.uploads != nil {
		f.uploads.giveUp()
	}
	if f.walker != nil {
		f.walker.Close()
		f.ahead.Close()
		f.renewal.Close()
	}
	if f.tree != nil {
		f.tree.Close()
	}
	if f.files != nil {
		f.files.Close()
	}
}

// Gone is closed when the file system was unmounted, by Unmount or by anybody else, and no program
// uses it any more. Uploads may go on until Wait returns, while another file system is mounted
// on the same directory.
func (f *FS) Gone() <-chan struct{} { return f.gone }

// Wait blocks until the file system is unmounted, by Unmount or by anybody
// else, and all is put away. Its error is that of the connection with the
// kernel, or of uploads that never succeeded.
func (f *FS) Wait() error {
	<-f.done
	return f.err
}
