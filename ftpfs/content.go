package ftpfs

import (
	"context"
	"io/fs"
	"sync"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// A content is the bytes of one file while somebody has it open or it waits
// for its upload, shared by all handles of a node. Reads bring what is absent
// from the server; writes stay here until commit (upload.go) publishes them.
type content struct {
	node    *node // whose bytes these are
	file    *cache.File
	streams *streams

	// upload is held by whoever publishes, renames, removes or resizes the
	// file or sets its attributes. It may be held across the network, and a
	// waiter may leave.
	upload chan struct{}

	noting sync.Mutex // one journal at a time; held across the local disk
	noted  sync.Once  // the journal before the first change

	mu      sync.Mutex
	shares  int             // of the handles, and of an attempt at its upload: the last one closes it
	users   int             // open handles
	ahead   int             // those of them that nobody has asked for yet: the prefetcher's
	writers int             // those of them that may write
	base    ftpclient.Entry // the version on the server that the bytes build upon
	prior   ftpclient.Entry // what base was before our own last change
	next    made            // what the upload under way is about to publish; no time: nothing yet
	sent    []made          // what those may have published whose answer was lost
	temps   *temps          // know where temporary files are; nil: they are where they were made
	move    *move           // the rename of a directory above whose end nobody has seen; nil: none
	temp    string          // the temporary file of the last upload; "": none
	left    []string        // others, mostly those of earlier mounts, which may be all that the server has of it
	resumed bool            // from an earlier mount, and nobody has looked yet what became of its uploads
	doomed  bool            // it was being unlinked when the server was last asked
	aside   string          // where the server's version was put while it was replaced; "": it is in its place
	fresh   bool            // the server has no such file yet
	tried   bool            // though an upload may have given it one, whose answer was lost or bad
	whole   bool            // nothing of base is wanted: the file was emptied since
	placed  bool            // something was written since base that belongs where it is, not at whatever end
	tail    int64           // the end of what an upload of a tail may have stored, whose answer was lost; 0: none
	seen    time.Time       // when the server last confirmed base
	doubted bool            // which is not to be believed any more
	longer  ftpclient.Entry // a version that may go on where base ends; size 0: none was seen
	begun   bool            // bytes of base have been asked for, now or before it was opened
	stale   bool            // the server has another version: what is absent here is lost
	past    bool            // another content has taken over the file
	changes int             // local changes under way
	alters  int             // own changes of the server's version under way
	hidden  *unlinked       // the server's copy when it was unlinked while open; nil if it was not
	mtime   time.Time       // of the last local write, or as set since
	told    time.Time       // the mtime that the journal has
	run     int64           // up to there the file is here and was written in order, or nearly; -1: it is not, or was not
	torn    bool            // the server has a part of it only, in the place of base
	mixed   bool            // and what is here may have changed since that was sent
	kept    func()          // lets go of what is kept since then; nil: nothing is
	sender  *sender         // sends it meanwhile; nil: none does
	mode    fs.FileMode     // as set since, when modeSet
	modeSet bool
	failed  error // why the last upload did not succeed
	refused error // why the server will never take this new file
	owed    bool  // its name has to be published before anything is written
	dropped bool  // its changes were given up
}

// version is the cache's key of what a listing showed.
func version(e ftpclient.Entry) cache.Version {
	return cache.Version{Size: e.Size, ModTime: e.ModTime}
}

// unsettled tells whether a later change of the file may leave it with the size
// and the time of e.
func unsettled(e ftpclient.Entry) bool {
	return !time.Now().After(settled(e))
}

// fleeting tells whether that is so likely that who opens the file later should not
// rely on it: the time is not known, or told too coarsely.
func fleeting(e ftpclient.Entry) bool {
	return e.ModTime.IsZero() || e.Precision > time.Second && unsettled(e)
}

// fetching is told that bytes of base will come from the server.
func (c *content) fetching() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case fleeting(c.base):
		c.file.Once()
	case unsettled(c.base):
		c.file.Doubt()
	}
}

// sameVersion tells whether two views of a file show the same state of it.
func sameVersion(a, b ftpclient.Entry) bool {
	return a.Size == b.Size && a.ModTime.Equal(b.ModTime)
}

// sizeOf is how long the file is of which e tells: transfers may have ended before
// what the server says.
func (c *content) sizeOf(e ftpclient.Entry) int64 {
	c.mu.Lock()
	same := sameVersion(c.base, e)
	c.mu.Unlock()
	if !same || c.local() {
		return e.Size
	}
	return c.streams.reach(e.Size)
}

// lock takes the upload lock.
func (c *content) lock(ctx context.Context) error {
	select {
	case c.upload <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *content) unlock() { <-c.upload }

// local tells whether the content knows more than the server.
func (c *content) local() bool {
	_, dirty := c.file.Dirty()
	return dirty && !c.isDropped()
}

func (c *content) isDropped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// overlay shows the local state over what the server's listing says.
func (c *content) overlay(e ftpclient.Entry) ftpclient.Entry {
	if !c.local() {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Type = ftpclient.TypeFile
	e.Size = c.file.Size()
	e.ModTime, e.Precision = c.mtime, time.Nanosecond
	if c.modeSet {
		e.Mode, e.HasMode = c.mode, true
	}
	return e
}

// notice is told what a listing shows now. A version that is neither ours nor
// the one before our own last change makes a clean content stale.
func (c *content) notice(e ftpclient.Entry) {
	if e.Size < 0 || c.local() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case sameVersion(c.base, e), c.base.ModTime.IsZero() && agree(c.base, e): // as after an upload whose time nobody tells
		c.longer = ftpclient.Entry{}
	case c.alters == 0 && !sameVersion(c.prior, e) && !c.grows(e):
		c.stale = true
	}
}

// serves tells whether c is what somebody should get who opens the file
// while a listing shows e. If it is not, another content takes over the file:
// who has this one open gets ESTALE from then on.
func (c *content) serves(e ftpclient.Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, dirty := c.file.Dirty()
	if dirty && !c.dropped || c.changes > 0 || !c.stale && sameVersion(c.base, e) {
		return true
	}
	c.past, c.stale = true, true
	return false
}

// isPast tells whether another content has taken over the file. Bytes of this
// one must not come among that one's, in the kernel's pages.
func (c *content) isPast() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.past
}

// ends tells whether the bytes are those of the server's version, and so many,
// but not none: nothing is the same in all versions.
func (c *content) ends(size int64) bool {
	return size > 0 && size == c.file.Size() && !c.local()
}

func (c *content) close() {
	c.dropSender()
	c.unkeep()
	c.streams.Close()
	c.file.Close()
}

// park is close for what a later mount is to upload.
func (c *content) park() {
	c.streams.Close()
	c.file.Park()
}

// isFresh tells whether the server has never had the file.
func (c *content) isFresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh
}

// isUnseen tells whether the server has never had the file for certain.
func (c *content) isUnseen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh && !c.tried
}

// alone tells whether no more than one handle is open.
func (c *content) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.users <= 1
}

// writing tells whether somebody has the file open for writing.
func (c *content) writing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writers > 0
}

// refuse is told that the server will never take this new file: what is
// written to it after that fails, since nobody may look at what close says.
func (c *content) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

func (c *content) refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// settle is told that an upload has ended well: if nothing has changed since,
// what is appended from now on belongs at whatever end there is.
func (c *content) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, dirty := c.file.Dirty(); !dirty && c.changes == 0 {
		c.placed = false
	}
}

// isPlaced tells whether something was written that belongs where it is.
func (c *content) isPlaced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placed
}

// builds tells whether some of the bytes may be those of the server's version.
func (c *content) builds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.fresh && !c.whole
}

// fail records why an upload did not succeed.
func (c *content) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
}

// failure is why the last upload did not succeed.
func (c *content) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// needed tells whether somebody has the file open who may want bytes that
// only the server has. If all of them are here they stay here.
func (c *content) needed() bool {
	c.mu.Lock()
	open := c.users > c.ahead
	c.mu.Unlock()
	if !open {
		return false
	}
	release := c.file.Keep() // else until the last close
	start, end := c.file.Missing(0, c.file.Size())
	if start < end {
		release()
	}
	return start < end
}

// fetchAhead brings the first n bytes, for which nobody has asked yet: who removes the file
// meanwhile need not mind.
func (c *content) fetchAhead(ctx context.Context, n int64) error {
	c.mu.Lock()
	c.ahead++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.ahead--
		c.mu.Unlock()
	}()
	return c.streams.fetch(ctx, 0, n)
}

// maxSaved is the size of a file that save brings: what takes a moment.
const maxSaved = 4 << 20

// save is told that the file is about to be replaced on the server. Who has a
// small one open goes on reading it: what is absent here is fetched before. It
// blocks for that; when it fails, what is absent is lost.
func (c *content) save(ctx context.Context) {
	size := c.file.Size()
	if !c.needed() || size > maxSaved {
		return
	}
	release := c.file.Keep() // until the last close
	if err := c.streams.fetch(waiting(ctx), 0, size); err != nil {
		release()
	}
}

// hide is told what the server has of the file since it was unlinked. It returns
// whether somebody still has it open, who will see it deleted.
func (c *content) hide(u *unlinked) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hidden = u
	return c.users > 0
}

// lose is told that the server does not have this version any more: what is
// absent here will not come.
func (c *content) lose() {
	c.mu.Lock()
	c.stale = true
	c.mu.Unlock()
	c.streams.stop()
}

// alter announces an own change of the version on the server. Until done,
// what the server shows may be either version.
func (c *content) alter() (done func()) {
	if c == nil {
		return func() {}
	}
	c.mu.Lock()
	c.alters++
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		c.alters--
		c.mu.Unlock()
	}
}

// rebase is told that the version on the server got other attributes while
// its bytes stayed the same.
func (c *content) rebase(old, e ftpclient.Entry) {
	c.mu.Lock()
	same := sameVersion(c.base, old) && old.Size == e.Size
	if same {
		c.base, c.prior, c.stale = e, c.base, false
	}
	c.mu.Unlock()
	if !same {
		return
	}
	if gen, dirty := c.file.Dirty(); !dirty {
		c.file.Clean(gen, version(e))
	}
	c.journal()
}
