package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The private directory of a tree has a name made of the tree's, and a number:
// several processes may work on the same tree, each in a directory of its own.
// The first one whose lock is free is taken. What others have left for the
// server moves into it.

const (
	treePrefix = "ftpfs-tree-"
	maxTrees   = 1000 // processes at work on one tree
)

var treeName = regexp.MustCompile(`^` + treePrefix + `[A-Z2-7]{26}-[0-9]{1,4}$`)

// treeDir is the name of a tree's directories, without the number. It tells
// nothing of the tree's.
func treeDir(tree string) string {
	sum := sha256.Sum256([]byte(tree))
	return treePrefix + base32.StdEncoding.EncodeToString(sum[:16])[:26] + "-"
}

// tree tells by name whose tree p is for; "" nobody's.
func (p *private) tree() string {
	if !treeName.MatchString(p.name) {
		return ""
	}
	return strings.TrimPrefix(p.name[:strings.LastIndexByte(p.name, '-')], treePrefix)
}

// foreign tells whether st is of another tree: somebody has moved it here.
func (p *private) foreign(st *state) bool { return st.Tree != "" && st.Tree != p.tree() }

// take opens a directory of the tree. The gate is held.
func (p *private) take(tree string) error {
	prefix := treeDir(tree)
	for no := range maxTrees {
		name := prefix + strconv.Itoa(no)
		if err := p.parent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		switch err := p.open(name); {
		case err == nil:
			return p.gather(prefix)
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		}
	}
	return fmt.Errorf("cache directory %s: all places for this server are in use", p.parent.Name())
}

// gather moves what was left for the server into p from the other directories
// of the tree that nobody uses, and removes those.
func (p *private) gather(prefix string) error {
	names, err := namesIn(p.parent, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == p.name || !strings.HasPrefix(name, prefix) {
			continue
		}
		other := &private{parent: p.parent}
		if other.open(name) != nil {
			continue // in use
		}
		if p.adopt(other) == nil {
			empty(p.parent, name)
		}
		other.unlock()
	}
	return nil
}

// adopt moves the journals of other, with their files, to p. An error means
// that some are still there.
func (p *private) adopt(other *private) error {
	theirs, _, err := other.leftovers()
	if err != nil || len(theirs) == 0 {
		return err
	}
	ours, id, err := p.leftovers()
	if err != nil {
		return err
	}
	var paths [][]byte
	for _, local := range ours {
		paths = append(paths, p.pathOf(local))
	}
	var failed error
	for _, local := range theirs {
		path := other.pathOf(local)
		if path != nil && slices.ContainsFunc(paths, func(o []byte) bool { return bytes.Equal(o, path) }) {
			failed = errors.New("waits for another version of the same file")
			continue
		}
		id++
		if err := p.moveFrom(other, local, localName(id)); err != nil {
			failed = err
		}
	}
	return failed
}

// sweepIdle removes the contents of trees that no process works on, those first
// that were used longest ago, until most bytes are left. What waits for its
// upload stays. The gate is held.
func (p *private) sweepIdle(most int64) error {
	names, err := namesIn(p.parent, ".")
	if err != nil {
		return err
	}
	type idle struct {
		*private
		used  time.Time
		bytes int64
	}
	var all []idle
	for _, name := range names {
		other := &private{parent: p.parent}
		if !treeName.MatchString(name) || name == p.name || other.open(name) != nil {
			continue
		}
		defer other.unlock()
		i := idle{private: other}
		if info, err := other.root.Stat("."); err == nil {
			i.used = info.ModTime()
		}
		i.bytes = other.size()
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b idle) int { return b.used.Compare(a.used) })
	for _, i := range all {
		if most -= i.bytes; most < 0 {
			i.empty()
		}
	}
	return nil
}

// size is what the local files take of the disk.
func (p *private) size() (bytes int64) {
	names, _ := namesIn(p.parent, p.name)
	for _, name := range names {
		if info, err := p.root.Lstat(name); err == nil && ownName.MatchString(name) {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	return bytes
}

// empty removes what is clean, and the directory if that was all.
func (p *private) empty() error {
	left, _, err := p.leftovers()
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return empty(p.parent, p.name)
	}
	keep := make(map[string]bool)
	for _, local := range left {
		keep[local] = true
	}
	return errors.Join(p.removeFile(catalogName), p.clear(keep))
}

// moveFrom moves a file and its journal. Until both have arrived, they are where
// they were.
func (p *private) moveFrom(other *private, local, to string) error {
	link := func(from, to string) error {
		return p.parent.Link(other.name+"/"+from, p.name+"/"+to)
	}
	if err := link(local, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(link(journalName(local), journalName(to)), p.sync()); err != nil {
		return err
	}
	return errors.Join(other.removeFile(journalName(local)), other.removeFile(local))
}

// pathOf is the path in a journal, nil if it cannot be told.
func (p *private) pathOf(local string) []byte {
	data, _ := p.readFile(journalName(local))
	if j, _ := readJournal(data, bootID()); j != nil {
		return j.Path
	}
	return nil
}

// leftovers returns the local names of files with a journal, the oldest first,
// and the largest id in use.
func (p *private) leftovers() (left []string, id uint64, err error) {
	if p.name == "" {
		return nil, 0, nil
	}
	names, err := namesIn(p.parent, p.name)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		if !ownName.MatchString(name) {
			continue
		}
		n, err := strconv.ParseUint(name[1:], 36, 64)
		if err != nil {
			continue
		}
		id = max(id, n)
		if name[0] == 'j' {
			left = append(left, "f"+name[1:])
		}
	}
	slices.SortFunc(left, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return left, id, nil
}

// clear removes the local files that are not to be kept. Journals stay.
func (p *private) clear(keep map[string]bool) error {
	names, err := namesIn(p.parent, p.name)
	for _, name := range names {
		if ownName.MatchString(name) && name[0] == 'f' && !keep[name] {
			err = errors.Join(err, p.removeFile(name))
		}
	}
	return err
}

// leave gives up the directory, which is removed if it is empty.
func (p *private) leave() error {
	gate, err := openLock(p.parent, lockName)
	if err != nil {
		return err
	}
	defer gate.Close()
	if err := await(gate); err != nil {
		return err
	}
	names, err := namesIn(p.parent, p.name)
	if slices.ContainsFunc(names, func(name string) bool { return name != lockName }) {
		return err
	}
	return errors.Join(err, empty(p.parent, p.name))
}
