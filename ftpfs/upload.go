package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

const (
	fetchStep   = 4 << 20   // bytes asked for at a time when a file is completed for its upload
	commitTries = 3         // of an upload that what happened meanwhile made pointless
	uploadStep  = 256 << 10 // bytes per write to the data connection
)

// uploads publishes contents: the bytes go under a temporary name, then one
// write sets time and mode, renames and asks for the size. What could not be
// published is kept and tried again.
type uploads struct {
	*contents
	log      *slog.Logger
	inPlace  bool           // files are stored under their names
	delay    time.Duration  // from a close to the upload; 0: the close waits for it
	turns    chan struct{}  // has one for each upload behind the programs
	hurry    chan struct{}  // closed when what waits has its last go
	pursuits sync.WaitGroup // of what waits
	disk     sync.Mutex     // held while a file that waits is made durable
	wg       sync.WaitGroup // senders, and removals of litter

	mu      sync.Mutex
	waiting map[*content]*attempt // closed and not uploaded
	litter  []string              // temporary files to remove when the server answers again
	tidying chan struct{}         // closed when that has ended; nil if it is not under way
}

func newUploads(cs *contents, log *slog.Logger, opts Options) *uploads {
	turns := max(1, cs.client.Stats().Limit-1) // as many as may move data
	return &uploads{
		contents: cs, log: log, inPlace: opts.InPlace, delay: opts.WriteBack, turns: make(chan struct{}, turns), hurry: make(chan struct{}),
		waiting: make(map[*content]*attempt),
	}
}

// commit publishes c if it is dirty and returns the server's verdict. What is
// written meanwhile stays dirty. It ends only with ctx, which should be that
// of the mount: an upload is not broken off by a signal.
func (u *uploads) commit(ctx context.Context, n *node, c *content) error {
	if !c.local() {
		return nil
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return u.commitLocked(ctx, n, c)
}

func (u *uploads) commitLocked(ctx context.Context, n *node, c *content) error {
	if c.isResumed() || c.isTorn() { // somebody else may have stored another file there since
		return u.retryLocked(ctx, n, c)
	}
	return u.commitOver(ctx, n, c)
}

// commitOver is commitLocked for what may be stored over whatever the server has.
func (u *uploads) commitOver(ctx context.Context, n *node, c *content) error {
	var err error
	moves := u.tree.moves.count()
	defer time.AfterFunc(syncAfter, func() { c.file.Sync() }).Stop()
	for range commitTries {
		gen, dirty := c.file.Track()
		path, named := u.nodes.path(n)
		switch {
		case !dirty || c.isDropped():
			return nil
		case c.refusal() != nil:
			c.dropSender()
			return c.refusal()
		case !named && !u.nodes.wanted(n):
			c.dropSender()
			return nil // an unlinked file has no name to be published under
		case !named:
			err = errNoDirectory
		default:
			path = below(u.tree.root, path)
			var now stored
			if now, err = u.update(ctx, c, path); err == nil {
				u.published(n, c, path, now, gen)
				return nil
			}
		}
		// A directory above may have been renamed meanwhile, or the file cut
		// while it was sent: then once more, as it is now.
		u.tree.moves.wait(ctx, path)
		now, _ := u.nodes.path(n)
		if nowGen, _ := c.file.Dirty(); !named || below(u.tree.root, now) == path && (nowGen == gen || !errors.Is(err, errCut)) {
			break
		}
	}
	c.fail(err)
	if err := c.file.Sync(); err != nil {
		u.log.Error("what could not be uploaded is not safe from a crash of this machine", "error", err)
	}
	if c.file.Size() == 0 && c.isFresh() && final(err) && u.tree.moves.count() == moves {
		// There is nothing to keep but a name that the server refuses, and not because the
		// directory has another one there already.
		c.refuse(err)
		u.nodes.drop(n)
		return err
	}
	u.log.Warn("upload failed; the data is kept", "error", err)
	return err
}

// errCut: the file was cut while it was sent.
var errCut = errors.New("the file became shorter during its upload")

// errNoDirectory: what was written below it has no place on the server.
var errNoDirectory = fmt.Errorf("the directory is not there any more: %w", syscall.ESTALE)

// final tells whether a refusal will be the same at the next try.
func final(err error) bool {
	switch errno(err) {
	case syscall.EACCES, syscall.EPERM, syscall.ENOENT, syscall.ESTALE, syscall.EISDIR, syscall.ENOTDIR, syscall.EINVAL, syscall.ENAMETOOLONG, syscall.ENOTSUP:
		return true
	}
	return false
}

// stored is what the server has after an upload.
type stored struct {
	ftpclient.Entry
	mixed bool // others have appended, too: it is not what is here
}

// update publishes c at path in the place of the version that it builds upon,
// or what was appended to that.
func (u *uploads) update(ctx context.Context, c *content, path string) (stored, error) {
	if done, err := u.settleTail(ctx, c, path); err != nil {
		return stored{}, err
	} else if done != nil {
		return *done, nil
	}
	if u.onlyGrew(ctx, c, path) {
		now, err := u.storeTail(ctx, c, path)
		if !refusesAppend(err) {
			return now, err
		}
	}
	if c.builds() {
		if err := u.confirm(ctx, c, path); err != nil {
			return stored{}, changedBelow(path, err)
		}
	}
	e, err := u.publish(ctx, c, path, true, 0)
	return stored{Entry: e}, err
}

// changedBelow says in words what ESTALE means here.
func changedBelow(path string, err error) error {
	if errors.Is(err, syscall.ESTALE) {
		return fmt.Errorf("%s was changed on the server: %w", path, err)
	}
	return err
}

// published records that the server has the bytes of generation gen as e.
func (u *uploads) published(n *node, c *content, path string, now stored, gen uint64) {
	e := now.Entry
	_, e.Name = split(path)
	e.Type = ftpclient.TypeFile
	resume := c.streams.hold()
	defer func() { resume(e.Size) }()
	c.mu.Lock()
	wasFresh, before := c.fresh, max(0, c.base.Size)
	c.fresh, c.stale, c.modeSet, c.whole, c.doomed = false, false, false, false, false
	c.failed, c.seen, c.next, c.sent, c.tail, c.temp = nil, time.Now(), made{}, nil, 0, ""
	e.Owner, e.Group, e.Followed = c.base.Owner, c.base.Group, c.base.Followed
	c.base, c.prior = e, c.base
	c.mu.Unlock()
	u.tree.put(path, e)
	u.tree.stamp(path, e)
	u.space.grew(e.Size - before)
	if wasFresh && u.delay == 0 {
		dir, _ := split(path)
		u.tree.changed(dir)
	}
	if now.mixed && unsettled(e) || e.Precision > time.Second {
		c.file.Doubt()
	}
	switch {
	case !now.mixed:
		c.file.Clean(gen, version(e))
	case !c.file.Adopt(gen, version(e)):
		c.lose() // what was appended meanwhile is not where it would be sent to
	default:
		u.nodes.distrust(n) // what the kernel has is elsewhere
	}
	if fleeting(e) {
		c.file.Once()
	}
	c.settle()
	c.unkeep()
	c.journal() // what comes now builds upon this version
	u.nodes.mu.Lock()
	n.see(e, n.name())
	n.kept = n.entry
	u.nodes.mu.Unlock()
	u.tidy()
}
