package ftpfs

import (
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
)

// temps are the names that this mount gives to files on the server which are
// not for users: uploads under way, files that are unlinked but open, files
// that stepped aside. Listings hide them, also some time after they are gone,
// for listings that were under way then. Those of other mounts are hidden while
// they are young; what was left behind is shown, so that it can be removed.
//
// A name is never used twice. It belongs to a directory, whose path may change.
type temps struct {
	paths *lru.Cache[string, string] // of now, by the name

	mu       sync.Mutex
	unlinked map[*unlinked]bool // all there are
}

func newTemps() *temps {
	paths, _ := lru.New[string, string](maxTemps) // fails for sizes below 1 only
	return &temps{paths: paths, unlinked: make(map[*unlinked]bool)}
}

// beside makes a fresh name in the directory of path.
func (t *temps) beside(path string) string {
	dir, _ := split(path)
	name := tempPrefix + strings.ToLower(rand.Text()[:tempRandom]) + tempSuffix
	path = join(dir, name)
	t.paths.Add(name, path)
	return path
}

// adopt takes over the name of a file that an earlier mount has left at path.
func (t *temps) adopt(path string) {
	_, name := split(path)
	t.paths.Add(name, path)
}

// at is where the file is now that was once made at path.
func (t *temps) at(path string) string {
	_, name := split(path)
	if now, ok := t.paths.Peek(name); ok {
		return now
	}
	return path
}

// renamed is told that a directory has a new path.
func (t *temps) renamed(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range t.paths.Keys() {
		path, _ := t.paths.Peek(name)
		if rest, in := strings.CutPrefix(path, from+"/"); in {
			t.paths.Add(name, to+"/"+rest)
		}
	}
	for u := range t.unlinked { // its name may be forgotten while it is open
		if rest, in := strings.CutPrefix(u.path, from+"/"); in {
			u.path = to + "/" + rest
		}
	}
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
func (t *temps) has(name string) bool { return t.paths.Contains(name) }

// left is told that a file could not be removed: it is shown from now on.
func (t *temps) left(path string) {
	_, name := split(path)
	t.paths.Remove(name)
}
