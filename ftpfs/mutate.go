package ftpfs

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"ftpfs/cache"
	"ftpfs/ftpclient"
)

// What the mount changes on the server, and shows in the cached listings.

// put shows an own change of one entry in the cached listing of its parent.
func (t *tree) put(path string, e ftpclient.Entry) {
	dir, name := split(path)
	e.Name = name
	t.dirs.Put(dir, name, e)
}

// changed marks dir as modified now: an entry came, went or got a new name.
func (t *tree) changed(dir string) {
	if dir == "/" || dir == t.root {
		return
	}
	parent, name := split(dir)
	if found, ok := t.dirs.Lookup(parent, name); ok && found.Exists && !vague(found) {
		e := found.Entry
		e.ModTime, e.Precision = time.Now().UTC().Truncate(time.Second), time.Second
		t.dirs.Put(parent, name, e)
		t.stamp(dir, e)
	}
}

// makeDir makes a directory, whose listing is then known to be empty.
func (t *tree) makeDir(ctx context.Context, path string) (ftpclient.Entry, error) {
	err := t.client.MakeDir(ctx, path)
	var lost *ftpclient.LostError
	if errors.As(err, &lost) {
		if e, findErr := t.find(ctx, path); findErr == nil && e.Type == ftpclient.TypeDir {
			err = nil // it was made before the connection went
		}
	}
	if err != nil {
		t.doubt(err, path)
		return ftpclient.Entry{}, t.explainMake(ctx, path, err)
	}
	dir, name := split(path)
	e := ftpclient.Entry{Name: name, Type: ftpclient.TypeDir, Size: -1, ModTime: time.Now().UTC().Truncate(time.Second), Precision: time.Second}
	t.put(path, e)
	t.stamp(path, e)
	t.changed(dir)
	t.dirs.DropTree(path)
	t.dirs.Load(ctx, path, 0, func(context.Context, func([]cache.Early[ftpclient.Entry])) (cache.Filled[ftpclient.Entry], error) {
		return cache.Filled[ftpclient.Entry]{Complete: true}, nil
	})
	return e, nil
}

// symlink makes a link at path. What FTP servers make of a target is an absolute path of
// theirs, so that only links to a place in the mount mean the same here and there.
func (t *tree) symlink(ctx context.Context, path, target string) (ftpclient.Entry, error) {
	dir, name := split(path)
	to, ok := resolve(t.root, dir, target)
	if !ok {
		return ftpclient.Entry{}, syscall.EPERM
	}
	err := t.client.Symlink(ctx, to, path)
	var refused *ftpclient.Error
	switch {
	case err == nil:
	case errors.Is(err, errors.ErrUnsupported), errors.As(err, &refused) && refused.Kind() == ftpclient.KindInvalid:
		return ftpclient.Entry{}, because(syscall.EPERM, err)
	case errno(err) == syscall.ENOENT && !t.missing(ctx, dir):
		return ftpclient.Entry{}, because(syscall.EPERM, err) // to nothing: the server makes no such links
	default:
		t.doubt(err, path)
		return ftpclient.Entry{}, err
	}
	e := ftpclient.Entry{Name: name, Type: ftpclient.TypeLink, Size: int64(len(to)), Target: to, ModTime: time.Now().UTC().Truncate(time.Second), Precision: time.Second}
	t.put(path, e)
	t.changed(dir)
	return e, nil
}

// remove deletes a file, a link or an empty directory.
func (t *tree) remove(ctx context.Context, path string, isDir bool) error {
	do := t.client.Delete
	if isDir && !t.isFollowed(path) {
		do = t.client.RemoveDir
		if err := t.checkEmpty(ctx, path); err != nil {
			return err
		}
	}
	err := do(ctx, path)
	var lost *ftpclient.LostError
	if errors.As(err, &lost) {
		_, findErr := t.find(ctx, path)
		switch {
		case errno(findErr) == syscall.ENOENT:
			err = nil // it went before the connection did
		case findErr == nil:
			err = do(ctx, path) // it is still there: the command was not carried out
		}
	}
	if err != nil {
		err = t.explainRemove(ctx, path, isDir, err)
		t.doubt(err, path)
		return err
	}
	t.removed(path, isDir)
	return nil
}

// doubt forgets the listings of the directories of paths after a change that
// may have been made all the same, or that found a path gone.
func (t *tree) doubt(err error, paths ...string) {
	if !uncertain(err) && errno(err) != syscall.ENOENT {
		return
	}
	for _, path := range paths {
		dir, _ := split(path)
		t.dirs.Drop(dir)
	}
}

// uncertain tells whether err leaves open if the server has made a change.
func uncertain(err error) bool {
	var lost *ftpclient.LostError
	return errors.As(err, &lost)
}

// removed shows that path is gone.
func (t *tree) removed(path string, isDir bool) {
	dir, name := split(path)
	t.dirs.Remove(dir, name)
	t.stamps.Remove(path)
	if isDir {
		t.dirs.DropTree(path)
	}
	t.changed(dir)
}

// rename moves from to to, over a file or an empty directory if one is there.
// e is what is moved.
func (t *tree) rename(ctx context.Context, from, to string, e ftpclient.Entry) error {
	err := t.move(ctx, from, to)
	if refusesReplace(err) {
		err = t.replace(ctx, from, to, err, func(string) {})
	}
	if err != nil {
		err = t.explainRename(ctx, from, to, err)
		t.doubt(err, from, to)
		return err
	}
	fromDir, fromName := split(from)
	toDir, _ := split(to)
	t.dirs.Remove(fromDir, fromName)
	t.dirs.DropTree(to)
	t.dirs.DropTree(from)
	t.put(to, e)
	t.stamps.Remove(to)
	t.moveStamp(from, to, "")
	if e.Type == ftpclient.TypeDir {
		t.temps.renamed(from, to)
		for _, path := range t.stamps.Keys() {
			if below, ok := strings.CutPrefix(path, from+"/"); ok {
				t.moveStamp(from, to, "/"+below)
			}
		}
	}
	t.changed(fromDir)
	if toDir != fromDir {
		t.changed(toDir)
	}
	return nil
}
