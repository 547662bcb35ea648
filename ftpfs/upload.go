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
	fetchStep   = 4 << 20         // bytes asked for at a time when a file is completed for its upload
	firstRetry  = 5 * time.Second // after a failed upload
	lastRetry   = 5 * time.Minute // the longest wait between two tries
	commitTries = 3               // of an upload that what happened meanwhile made pointless
	uploadStep  = 256 << 10       // bytes per write to the data connection
)

// uploads publishes contents: the bytes go under a temporary name, then one
// write sets time and mode, renames and asks for the size. What could not be
// published is kept and tried again.
type uploads struct {
	*contents
	log *slog.Logger
	wg  sync.WaitGroup // retries

	mu      sync.Mutex
	waiting map[*content]*node // failed and closed, to be tried again
}

func newUploads(cs *contents, log *slog.Logger) *uploads {
	return &uploads{contents: cs, log: log, waiting: make(map[*content]*node)}
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
	var err error
	for range commitTries {
		gen, dirty := c.file.Dirty()
		path, named := u.nodes.path(n)
		switch {
		case !dirty || c.isDropped():
			return nil
		case c.refusal() != nil:
			return c.refusal()
		case !named && !u.nodes.wanted(n):
			return nil // an unlinked file has no name to be published under
		case !named:
			err = fmt.Errorf("the directory is not there any more: %w", syscall.ESTALE)
		default:
			path = below(u.tree.root, path)
			var e ftpclient.Entry
			if e, err = u.publish(ctx, c, path); err == nil {
				u.published(n, c, path, e, gen)
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

// final tells whether a refusal will be the same at the next try.
func final(err error) bool {
	switch errno(err) {
	case syscall.EACCES, syscall.EPERM, syscall.ENOENT, syscall.EISDIR, syscall.ENOTDIR, syscall.EINVAL, syscall.ENAMETOOLONG, syscall.ENOTSUP:
		return true
	}
	return false
}

// publish brings the bytes of c to path and returns what the server has then.
func (u *uploads) publish(ctx context.Context, c *content, path string) (ftpclient.Entry, error) {
	if c.builds() {
		if err := u.confirm(ctx, c, path); err != nil {
			return ftpclient.Entry{}, fmt.Errorf("%s was changed on the server: %w", path, err)
		}
	}
	defer c.file.Keep()() // what is fetched stays until it was sent
	for off := int64(0); off < c.file.Size(); off += fetchStep {
		if err := c.streams.fetch(ctx, off, fetchStep); err != nil {
			return ftpclient.Entry{}, fmt.Errorf("completing %s before its upload: %w", path, err)
		}
	}
	temp := u.tree.temps.beside(path)
	w, err := u.client.Store(ctx, temp)
	if err != nil {
		if uncertain(err) {
			u.sweep(temp)
		}
		return ftpclient.Entry{}, u.tree.explainFile(ctx, temp, err)
	}
	defer w.Abort() // does nothing after a Commit that went through
	source := &uploadReader{ctx: ctx, c: c, size: c.file.Size()}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, source, make([]byte, uploadStep)); err != nil {
		w.Abort()
		u.sweep(temp)
		return ftpclient.Entry{}, err
	}
	c.mu.Lock()
	commit := ftpclient.Commit{Path: path, ModTime: c.mtime, Mode: c.base.Mode, HasMode: c.base.HasMode && !c.fresh}
	if c.modeSet {
		commit.Mode, commit.HasMode = c.mode, true
	}
	c.mu.Unlock()
	e, err := w.Commit(ctx, commit)
	var lost *ftpclient.LostError
	switch {
	case err == nil:
	case errors.As(err, &lost):
		if now, findErr := u.tree.find(ctx, path); findErr == nil && now.Size == source.size && u.tree.missing(ctx, temp) {
			e, err = now, nil // renamed before the connection went
		}
	case refusesReplace(err):
		if err = u.tree.replace(ctx, temp, path, err); err == nil {
			e, err = u.tree.find(ctx, path)
		}
		if err != nil && u.tree.missing(ctx, path) {
			u.tree.temps.left(temp) // the only version under any name: nobody's to delete
			return ftpclient.Entry{}, err
		}
	}
	if err != nil {
		u.sweep(temp)
		return ftpclient.Entry{}, u.tree.explainFile(ctx, path, err)
	}
	if commit.HasMode && !e.HasMode {
		u.log.Warn("the server did not set the permissions of an uploaded file", "path", path, "mode", commit.Mode)
	}
	if e.Size < 0 {
		e.Size = source.size
	}
	return e, nil
}

// sweep removes what a failed upload left, as far as the server lets us.
func (u *uploads) sweep(temp string) {
	ctx, cancel := context.WithTimeout(u.base, 10*time.Second)
	defer cancel()
	if err := u.client.Delete(ctx, temp); err != nil && errno(err) != syscall.ENOENT {
		u.tree.temps.left(temp)
		u.log.Debug("temporary file left behind", "path", temp, "error", err)
	}
}

// published records that the server has the bytes of generation gen as e.
func (u *uploads) published(n *node, c *content, path string, e ftpclient.Entry, gen uint64) {
	_, e.Name = split(path)
	e.Type = ftpclient.TypeFile
	resume := c.streams.hold()
	defer func() { resume(e.Size) }()
	c.mu.Lock()
	wasFresh := c.fresh
	c.fresh, c.stale, c.modeSet, c.whole = false, false, false, false
	c.failed, c.seen = nil, time.Now()
	e.Owner, e.Group = c.base.Owner, c.base.Group
	c.base, c.prior = e, c.base
	c.mu.Unlock()
	u.tree.put(path, e)
	u.tree.stamp(path, e)
	if wasFresh {
		dir, _ := split(path)
		u.tree.changed(dir)
	}
	c.file.Clean(gen, version(e))
	u.nodes.mu.Lock()
	n.entry, n.kept = e, e
	u.nodes.mu.Unlock()
}

// uploadReader reads the content from its start to the size that it had when
// the upload began.
type uploadReader struct {
	ctx  context.Context
	c    *content
	off  int64
	size int64
}

func (r *uploadReader) Read(p []byte) (int, error) {
	if r.off >= r.size {
		return 0, io.EOF
	}
	n, err := r.c.streams.read(r.ctx, p[:min(int64(len(p)), r.size-r.off)], r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	if n == 0 && (err == nil || err == io.EOF) {
		err = errCut
	}
	return n, err
}

// later keeps a content whose upload failed, and tries again until it
// succeeds, the file is deleted, or the mount ends.
func (u *uploads) later(n *node, c *content) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting[c] != nil {
		return
	}
	u.waiting[c] = n
	u.nodes.pin(n)
	u.wg.Go(func() {
		for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
			select {
			case <-time.After(wait):
			case <-u.base.Done():
				return
			}
			if u.settled(n, c, u.retry(u.base, n, c)) {
				return
			}
		}
	})
}

// retry publishes a content whose upload had failed. When the server has got
// another version since, that one stays, and ours goes beside it.
func (u *uploads) retry(ctx context.Context, n *node, c *content) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	path, named := u.nodes.path(n)
	if !named || !c.local() {
		return u.commitLocked(ctx, n, c)
	}
	path = below(u.tree.root, path)
	newer, err := u.superseded(ctx, c, path)
	if err != nil {
		return err
	}
	if !newer {
		return u.commitLocked(ctx, n, c)
	}
	beside := path + ".conflict-" + time.Now().UTC().Format("20060102-150405")
	e, err := u.publish(ctx, c, beside)
	if err != nil {
		return err
	}
	u.log.Warn("the server has got another version of a file since its upload failed", "path", path, "ours is", beside)
	_, e.Name = split(beside)
	u.tree.put(beside, e)
	u.discard(n, c)
	return errKeptBeside
}

// errKeptBeside: the bytes are on the server, under another name.
var errKeptBeside = errors.New("kept beside a newer version")

// superseded tells whether the server has a version at path that c does not
// know of.
func (u *uploads) superseded(ctx context.Context, c *content, path string) (bool, error) {
	now, err := u.tree.find(ctx, path)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errno(err) == syscall.ENOENT:
		return false, nil
	case err != nil:
		return false, err
	}
	return c.fresh || !agree(now, c.base), nil
}

// settled takes c from the waiting list when it is published or pointless.
func (u *uploads) settled(n *node, c *content, err error) bool {
	if !errors.Is(err, errKeptBeside) && c.local() && u.nodes.wanted(n) {
		return false
	}
	u.mu.Lock()
	waiting := u.waiting[c] != nil
	delete(u.waiting, c)
	u.mu.Unlock()
	if !waiting {
		return true
	}
	n.opening.Lock()
	c.mu.Lock()
	unused := c.users == 0
	c.mu.Unlock()
	if unused {
		u.nodes.mu.Lock()
		if n.content == c {
			n.content = nil
		}
		u.nodes.mu.Unlock()
	}
	n.opening.Unlock()
	if unused {
		c.close()
	}
	u.nodes.unpin(n)
	return true
}

// giveUp ends what waits, when no more tries will be made.
func (u *uploads) giveUp() {
	u.wg.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.waiting {
		c.close()
	}
	clear(u.waiting)
}

// count is the number of files that wait for another try.
func (u *uploads) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.waiting)
}

// drain tries once more to publish what waits, and returns the first error.
func (u *uploads) drain(ctx context.Context) error {
	u.mu.Lock()
	waiting := make(map[*content]*node, len(u.waiting))
	for c, n := range u.waiting {
		waiting[c] = n
	}
	u.mu.Unlock()
	var first error
	for c, n := range waiting {
		err := u.retry(ctx, n, c)
		if !u.settled(n, c, err) && first == nil {
			path, _ := u.nodes.path(n)
			first = fmt.Errorf("%s could not be uploaded: %w", path, err)
		}
	}
	return first
}
