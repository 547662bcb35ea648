package ftpfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"ftpfs/ftpclient"
)

// Files that are uploaded behind the programs that wrote them: those whose
// upload failed, and all with Options.WriteBack, where a close does not wait for
// the server. Several are uploaded at a time; what happens to one file, a change
// of its name or its attributes, waits for its own upload only.

const (
	firstRetry = 5 * time.Second // after a failed upload
	lastRetry  = 5 * time.Minute // the longest wait between two tries
	maxBehind  = 1000            // files that wait; a close waits for the server when there are more
)

// An attempt is the upload of a content that waits, of which it has a share.
type attempt struct {
	node *node
	err  error // of the last try, nil before the first
}

// later keeps a content that is not uploaded, and tries until it succeeds, the
// file is deleted, or the mount ends. If its upload has failed it waits longer.
// A share of c is given to it.
func (u *uploads) later(n *node, c *content) {
	if u.delay > 0 && c.failure() == nil {
		u.try(n, c, u.delay, u.commit)
		return
	}
	u.try(n, c, firstRetry, u.retry)
}

// try has a first go at c after wait, and further ones as retries. An attempt
// that is under way already will see what c has become.
func (u *uploads) try(n *node, c *content, wait time.Duration, first func(context.Context, *node, *content) error) {
	u.mu.Lock()
	under := u.waiting[c] != nil
	if !under {
		a := &attempt{node: n}
		u.waiting[c] = a
		u.pursuits.Go(func() { u.pursue(c, a, wait, first) })
	}
	u.mu.Unlock()
	if under {
		u.leave(n, c)
	}
}

func (u *uploads) pursue(c *content, a *attempt, wait time.Duration, upload func(context.Context, *node, *content) error) {
	for last := false; !last; {
		safe := time.AfterFunc(syncAfter, func() { u.secure(c) }) // unless it is uploaded by then
		select {
		case <-time.After(wait):
			if u.delay > 0 && c.writing() {
				wait = min(2*wait, firstRetry)
				continue // until it is closed again
			}
		case <-u.hurry:
			last = true
		case <-u.base.Done():
			safe.Stop()
			return
		}
		err := u.inTurn(func() error { return upload(u.base, a.node, c) })
		safe.Stop()
		u.mu.Lock()
		a.err = err
		u.mu.Unlock()
		if u.settled(a.node, c, err) {
			return
		}
		if err != nil {
			u.log.Info("an upload will be tried again", "error", err)
		}
		upload = u.retry
		if err == nil && u.delay > 0 { // it was written to meanwhile
			wait = u.delay
		} else {
			wait = min(max(2*wait, firstRetry), lastRetry)
		}
	}
}

// secure makes what waits durable here: its writers may have gone. It blocks for
// the local disk, where one file goes after the other.
func (u *uploads) secure(c *content) {
	u.disk.Lock()
	defer u.disk.Unlock()
	if err := c.file.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) {
		u.log.Error("what waits for its upload is not safe from a crash of this machine", "error", err)
	}
}

// inTurn runs f when few enough others are under way: what programs want
// meanwhile should not stand behind all that waits.
func (u *uploads) inTurn(f func() error) error {
	select {
	case u.turns <- struct{}{}:
	case <-u.base.Done():
		return u.base.Err()
	}
	defer func() { <-u.turns }()
	return f()
}

// waits tells whether a close has to wait for the server.
func (u *uploads) waits() bool { return u.delay == 0 || u.count() >= maxBehind }

// count is the number of files that wait.
func (u *uploads) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.waiting)
}

// drain has one more go at what waits, and returns the first error. It takes
// away what failed uploads have left on the server. No upload begins after it.
func (u *uploads) drain() error {
	close(u.hurry)
	u.pursuits.Wait()
	u.mu.Lock()
	var first error
	for _, a := range u.waiting {
		if first == nil {
			path, _ := u.nodes.path(a.node)
			first = fmt.Errorf("%s could not be uploaded: %w", path, cmp.Or(a.err, u.base.Err()))
		}
	}
	u.mu.Unlock()
	if tidied := u.tidy(); tidied != nil {
		<-tidied
	}
	return first
}

// giveUp leaves what waits to a later mount, when no more tries will be made.
func (u *uploads) giveUp() {
	u.pursuits.Wait()
	u.wg.Wait()
	u.mu.Lock()
	waiting := u.waiting
	u.waiting = make(map[*content]*attempt)
	u.mu.Unlock()
	for c := range waiting {
		c.park()
	}
}

// renameHere gives a file another name that the server does not have yet and
// that waits for its upload: it is stored under the new name only. It answers
// false where the server has to do more. Upload locks are held.
func (f *FS) renameHere(ctx context.Context, dir *node, oldName string, newDir *node, newName string, source *node, c *content) bool {
	if f.uploads.waits() || !c.isUnseen() || c.failure() != nil || f.nodes.known(newDir, newName) != nil && f.nodes.contentOf(f.nodes.known(newDir, newName)) != nil {
		return false
	}
	fromRel, named := f.nodes.path(source)
	toRel, newNamed := f.nodes.path(newDir)
	if !named || !newNamed || f.client.CheckName(join(below(f.tree.root, toRel), newName)) != nil {
		return false
	}
	target, err := f.tree.lookup(ctx, below(f.tree.root, toRel), newName, 0)
	if err != nil || target.Exists && target.Entry.Type != ftpclient.TypeFile {
		return false
	}
	c.dropSender()
	if target.Exists {
		c.supersede(target.Entry)
	}
	e := f.nodes.entryOf(source)
	e.Name = oldName
	f.nodes.move(dir, e, newDir, newName)
	f.files.Rename(fromRel, toRel+"/"+newName)
	return true
}

// supersede is told that a new file will replace e on the server.
func (c *content) supersede(e ftpclient.Entry) {
	c.mu.Lock()
	e.HasMode = false // that of the new file counts
	c.fresh, c.whole, c.base = false, true, e
	c.mu.Unlock()
	c.journal()
}
