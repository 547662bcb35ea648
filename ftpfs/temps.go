package ftpfs

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"ftpfs/ftpclient"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxTemps bounds the temporary names that are remembered, far more than can
// be in use.
const maxTemps = 10_000

const (
	tempPrefix = ".ftpfs-"
	tempSuffix = ".part"
	tempRandom = 16               // characters between them
	tempYouth  = 10 * time.Minute // after its last change by another mount
	unlinkWait = 2 * time.Second  // the kernel tells of a last close after the close
)

// temps are the names that this mount gives to files on the server which are
// not for users: uploads under way, files that are unlinked but open, files
// that stepped aside. Listings hide them, also some time after they are gone,
// for listings that were under way then. Those of other mounts are hidden while
// they are young; what was left behind is shown, so that it can be removed.
type temps struct {
	names *lru.Cache[string, struct{}]

	mu       sync.Mutex
	unlinked map[string]chan struct{} // paths of files that are unlinked but open; closed when they are deleted
}

func newTemps() *temps {
	names, _ := lru.New[string, struct{}](maxTemps) // fails for sizes below 1 only
	return &temps{names: names, unlinked: make(map[string]chan struct{})}
}

// unlink is told that an open file was unlinked and is at path until its last
// close, when deleted must follow.
func (t *temps) unlink(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlinked[path] = make(chan struct{})
}

func (t *temps) deleted(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.unlinked[path])
	delete(t.unlinked, path)
}

// await gives the unlinked files of a directory, which may be closed already,
// a moment to be deleted.
func (t *temps) await(ctx context.Context, dir string) {
	ctx, cancel := context.WithTimeout(ctx, unlinkWait)
	defer cancel()
	var waiting []chan struct{}
	t.mu.Lock()
	for path, gone := range t.unlinked {
		if in, _ := split(path); in == dir {
			waiting = append(waiting, gone)
		}
	}
	t.mu.Unlock()
	for _, gone := range waiting {
		select {
		case <-gone:
		case <-ctx.Done():
			return
		}
	}
}

// beside makes a fresh name in the directory of path.
func (t *temps) beside(path string) string {
	dir, _ := split(path)
	name := tempPrefix + strings.ToLower(rand.Text()[:tempRandom]) + tempSuffix
	t.names.Add(name, struct{}{})
	return join(dir, name)
}

// hides tells whether a listing should not show e.
func (t *temps) hides(e ftpclient.Entry) bool {
	return t.has(e.Name) || isTemp(e.Name) && time.Since(e.ModTime) < tempYouth
}

// isTemp recognises the names that mounts make.
func isTemp(name string) bool {
	return len(name) == len(tempPrefix)+tempRandom+len(tempSuffix) &&
		strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// has tells whether a name is one of ours.
func (t *temps) has(name string) bool { return t.names.Contains(name) }

// left is told that a file could not be removed: it is shown from now on.
func (t *temps) left(path string) {
	_, name := split(path)
	t.names.Remove(name)
}

// unhide deletes a file that was unlinked while it was open.
func (t *tree) unhide(ctx context.Context, path string) {
	defer t.temps.deleted(path)
	if err := t.client.Delete(ctx, path); err != nil {
		t.temps.left(path)
		t.log.Warn("an unlinked file could not be deleted after its last close", "left as", path, "error", err)
	}
}
