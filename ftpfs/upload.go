package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	if c.isResumed() {
		return u.retryLocked(ctx, n, c)
	}
	var err error
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
		now, _ := u.nodes.path(n)
		if nowGen, _ := c.file.Dirty(); !named || below(u.tree.root, now) == path && (nowGen == gen || !errors.Is(err, errCut)) {
			break
		}
	}
	c.fail(err)
	if err := c.file.Sync(); err != nil {
		u.log.Error("what could not be uploaded is not safe from a crash of this machine", "error", err)
	}
	if c.file.Size() == 0 && c.isFresh() && final(err) {
		// There is nothing to keep but a name that the server refuses.
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

// publish brings the bytes of c from off on to path, which is c's own or another
// one, and returns what the server has then.
func (u *uploads) publish(ctx context.Context, c *content, path string, own bool, from int64) (ftpclient.Entry, error) {
	c.mu.Lock()
	followed := c.base.Followed
	c.mu.Unlock()
	if followed {
		var err error
		if path, err = u.tree.through(ctx, path); err != nil {
			return ftpclient.Entry{}, err
		}
	}
	end := c.file.Size()
	if u.inPlace {
		return u.storeInPlace(ctx, c, path, own, from, end)
	}
	w, temp, err := u.sentAhead(ctx, c, path, from, end)
	if err != nil {
		return ftpclient.Entry{}, err
	}
	finish := func(size int64) (ftpclient.Entry, error) {
		e, err := u.finish(ctx, c, w, temp, path, own, size)
		if own && errors.Is(err, io.ErrShortWrite) {
			u.cameShort(ctx, c, path, size)
		}
		return e, err
	}
	if w != nil {
		e, err := finish(end - from)
		if !notStored(err) {
			return e, u.tree.explainFile(ctx, path, err)
		}
	}
	defer c.file.Keep()() // what is fetched stays until the server has all of it
	for again := false; ; again = true {
		if w, temp, err = u.sendAll(ctx, c, path, own, from, end); err != nil {
			return ftpclient.Entry{}, err
		}
		e, err := finish(max(0, end-from))
		if again || !notRenamed(err) {
			return e, u.tree.explainFile(ctx, path, err)
		}
	}
}

// notStored tells whether an upload failed before the file had its name for a reason
// that may be gone.
func notStored(err error) bool {
	var refused *ftpclient.Error
	var lost *ftpclient.LostError
	switch {
	case errors.As(err, &refused):
		full := refused.Kind() == ftpclient.KindNoSpace || refused.Kind() == ftpclient.KindQuota
		return notRenamed(err) || (refused.Command == "STOR" || refused.Command == "APPE") && !full
	case errors.As(err, &lost):
		return lost.Command != "RNTO"
	}
	return false
}

// notRenamed tells whether the session has ended just before a file that it had stored was
// to get its name, as those do that had nothing to do for too long.
func notRenamed(err error) bool {
	var refused *ftpclient.Error
	return errors.As(err, &refused) && refused.Command == "RNTO" && refused.Code == 421
}

// finish gives the file that w has stored as temp, with so many bytes, its name.
func (u *uploads) finish(ctx context.Context, c *content, w *ftpclient.Writer, temp, path string, own bool, size int64) (ftpclient.Entry, error) {
	defer w.Abort() // does nothing after a Commit that went through
	commit := c.commitment(path)
	if own {
		c.publishes(size, commit.ModTime)
	}
	defer c.alter()()
	e, err := w.Commit(ctx, commit)
	if err != nil && !notStored(err) {
		c.mu.Lock()
		c.tried = true
		c.mu.Unlock()
	}
	var lost *ftpclient.LostError
	switch {
	case err == nil:
	case errors.As(err, &lost):
		if now, findErr := u.tree.find(ctx, path); findErr == nil && now.Size == size && u.tree.missing(ctx, temp) {
			e, err = now, nil // renamed before the connection went
		} else if own {
			c.unanswered()
		}
	case refusesRename(err):
		err = fmt.Errorf("the server renames nothing, so files have to be stored under their own names (--no-temp): %w", err)
	case refusesReplace(err):
		if err = u.tree.replace(ctx, temp, path, err, c.stepsAside); err == nil {
			e, err = u.tree.find(ctx, path)
		}
		if err != nil && !c.isFresh() && u.tree.missing(ctx, path) {
			u.tree.temps.left(temp) // the only version under any name: nobody's to delete
			c.sending("")           // nor a later mount's
			return ftpclient.Entry{}, err
		}
	}
	if err != nil {
		u.sweep(temp)
		return ftpclient.Entry{}, err
	}
	if !e.HasMode {
		u.warnOfMode(path, commit)
	}
	if e.Size < 0 {
		e.Size = size
	}
	if e.Size != size {
		c.mu.Lock()
		c.tried = true
		c.mu.Unlock()
		return e, fmt.Errorf("%s has %d bytes of %d on the server: %w", path, e.Size, size, io.ErrShortWrite)
	}
	return e, nil
}

// cameShort finds out what the server has of c under path since an upload that it has not got
// all of: whatever else is there at the next try is somebody else's.
func (u *uploads) cameShort(ctx context.Context, c *content, path string, size int64) {
	if now, err := u.tree.find(ctx, path); err != nil || now.Size == size || !c.spoil(now) {
		c.unanswered()
	}
}

// complete fetches what is not here of the bytes from off to end.
func complete(ctx context.Context, c *content, path string, off, end int64) error {
	for ; off < end; off += fetchStep {
		if err := c.streams.fetch(ctx, off, fetchStep); err != nil {
			return fmt.Errorf("completing %s before its upload: %w", path, err)
		}
	}
	return nil
}

// sendAll brings the bytes of c from off to end to a temporary file.
func (u *uploads) sendAll(ctx context.Context, c *content, path string, own bool, from, end int64) (*ftpclient.Writer, string, error) {
	if own {
		if err := complete(ctx, c, path, from, end); err != nil {
			return nil, "", err
		}
		if c.builds() {
			c.file.Claim() // for the case that the server gets a part of it only, in the place of what it had
		}
	}
	temp := u.tree.temps.beside(path)
	c.sending(temp)
	w, err := u.client.Store(ctx, temp)
	if err != nil {
		if uncertain(err) || outage(err) { // it may wait for the data in a file that is there
			u.sweep(temp)
		}
		return nil, "", u.explainStore(ctx, temp, err)
	}
	w.Announce(path, max(0, end-from))
	if err := send(ctx, w, c, from, end, own); err != nil {
		w.Abort()
		u.sweep(temp)
		return nil, "", err
	}
	return w, temp, nil
}

// explainStore says why a temporary file could not be stored.
func (u *uploads) explainStore(ctx context.Context, temp string, err error) error {
	if err = u.tree.explainFile(ctx, temp, err); errno(err) == syscall.ENOENT {
		err = fmt.Errorf("%w: %v", errNoDirectory, err)
	}
	return err
}

// sentAhead has the sender of c finish, if there is one. No Writer and no error
// means that the file has to be sent from here. A server that is
// full is not filled again.
func (u *uploads) sentAhead(ctx context.Context, c *content, path string, from, end int64) (*ftpclient.Writer, string, error) {
	s := c.takeSender()
	if s == nil {
		return nil, "", nil
	}
	dir, _ := split(path)
	if at, name := split(s.temp); at != dir || from > 0 {
		s.drop()
		<-s.done
		u.sweep(join(dir, name)) // it has gone with its directory
		return nil, "", nil
	}
	w, err := s.finish(ctx, end)
	if number := errno(err); number == syscall.ENOSPC || number == syscall.EDQUOT {
		return nil, "", err
	}
	return w, s.temp, nil
}

func (u *uploads) warnOfMode(path string, k ftpclient.Commit) {
	if k.HasMode {
		u.log.Warn("the server did not set the permissions of an uploaded file", "path", path, "mode", k.Mode)
	}
}

// commitment says what the server's file at path is to be like.
func (c *content) commitment(path string) ftpclient.Commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := ftpclient.Commit{Path: path, ModTime: c.mtime, Mode: c.base.Mode, HasMode: c.base.HasMode && !c.fresh}
	if c.modeSet {
		k.Mode, k.HasMode = c.mode, true
	}
	return k
}

// send writes the bytes of c from off up to size to w. What is absent is fetched;
// for who has no claim to it, as it is of another version, it is zeros.
func send(ctx context.Context, w *ftpclient.Writer, c *content, off, size int64, own bool) error {
	source := &uploadReader{ctx: ctx, c: c, off: off, size: size, zeros: !own}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, source, make([]byte, min(uploadStep, max(size-off, 1))))
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
	c.failed, c.seen, c.next, c.sent, c.tail, c.temp = nil, time.Now(), ftpclient.Entry{}, nil, 0, ""
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

// uploadReader reads the content from off to the size that it had when
// the upload began.
type uploadReader struct {
	ctx   context.Context
	c     *content
	off   int64
	size  int64
	zeros bool // in the place of what is absent
}

func (r *uploadReader) Read(p []byte) (int, error) {
	if r.off >= r.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.size-r.off)]
	if r.zeros {
		switch start, end := r.c.file.Missing(r.off, int64(len(p))); {
		case start >= end:
		case start == r.off:
			clear(p[:end-start])
			r.off = end
			return int(end - start), nil
		default:
			p = p[:start-r.off]
		}
	}
	n, err := r.c.streams.read(r.ctx, p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	if n == 0 && (err == nil || err == io.EOF) {
		err = errCut
	}
	return n, err
}
