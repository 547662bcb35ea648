package ftpfs

import (
	"context"
	"errors"
	"syscall"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// rename is rename(2): over whatever is there.
func (s *server) rename(dir *node, r *fuse.RenameRequest) {
	s.move(r, dir, r.OldName, uint64(r.NewDir), r.NewName, false, r.Respond)
}

// rename2 is renameat2(2) with flags.
func (s *server) rename2(dir *node, r *fuse.UnrecognizedRequest) {
	newDir, flags, oldName, newName, ok := parseRename2(r)
	switch {
	case !ok:
		r.RespondError(syscall.ENOSYS)
	case flags&^renameNoReplace != 0:
		r.RespondError(syscall.EINVAL)
	default:
		// An answer without a body is the same for every request.
		answer := &fuse.RenameRequest{Header: r.Header}
		s.move(r, dir, oldName, newDir, newName, flags == renameNoReplace, answer.Respond)
	}
}

func (s *server) move(r fuse.Request, dir *node, oldName string, newID uint64, newName string, keep bool, answer func()) {
	newDir := s.fs.nodes.get(newID)
	if newDir == nil {
		r.RespondError(syscall.ESTALE)
		return
	}
	if err := errors.Join(checkName(oldName), checkName(newName)); err != nil {
		r.RespondError(errno(err))
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		err := s.fs.rename(ctx, dir, oldName, newDir, newName, keep)
		s.fs.doubt(err, dir, oldName)
		s.fs.doubt(err, newDir, newName)
		return answer, err
	}, func() {
		s.fs.notifier.entry(dir, oldName)
		s.fs.notifier.entry(newDir, newName)
	})
}

func (f *FS) rename(ctx context.Context, dir *node, oldName string, newDir *node, newName string, keep bool) error {
	fromDir, named := f.nodes.path(dir)
	toDir, newNamed := f.nodes.path(newDir)
	if !named || !newNamed {
		return syscall.ENOENT
	}
	fromRel, toRel := fromDir+"/"+oldName, toDir+"/"+newName
	fromDir, toDir = below(f.tree.root, fromDir), below(f.tree.root, toDir)
	from, to := join(fromDir, oldName), join(toDir, newName)
	if from == to {
		return nil
	}
	if keep {
		if err := f.checkFree(ctx, newDir, toDir, newName); err != nil {
			return err
		}
	}
	source, target := f.nodes.known(dir, oldName), f.nodes.known(newDir, newName)
	if target != nil && target.isDir {
		if err := f.checkReplaceable(ctx, target, to); err != nil {
			return err
		}
	}
	c, replaced, done, err := f.holdBoth(ctx, source, target)
	if err != nil {
		return err
	}
	defer done()
	if c != nil && c.local() {
		if f.renameHere(ctx, dir, oldName, newDir, newName, source, c) {
			return nil
		}
		// What is renamed is what was written, not what the server has.
		if err := f.uploads.commitLocked(ctx, source, c); err != nil {
			return err
		}
	}
	if replaced != nil {
		// A later mount could not tell whether what waits here is newer than what has its
		// name now. If it cannot be stored, that is no reason to keep it; and what is still being
		// written nobody shall see.
		if !replaced.writing() {
			f.uploads.commitLocked(ctx, target, replaced)
		}
		replaced.save(ctx)
	}
	defer c.quiet()()
	defer replaced.quiet()()
	moved, err := f.tree.lookup(ctx, fromDir, oldName, 0)
	if err != nil {
		return err
	}
	if !moved.Exists {
		return syscall.ENOENT
	}
	if one, err := f.areOne(ctx, moved.Entry, toDir, newName); one || err != nil {
		return err // POSIX has nothing happen
	}
	end := func(error) {}
	if moved.Entry.Type == ftpclient.TypeDir {
		end = f.contents.move(source, from, to)
	}
	if err := f.tree.rename(ctx, from, to, moved.Entry); err != nil {
		end(err)
		return err
	}
	if replaced != nil {
		replaced.lose()
	}
	f.nodes.move(dir, moved.Entry, newDir, newName)
	if moved.Entry.Type == ftpclient.TypeDir {
		f.files.RenameTree(fromRel, toRel)
	} else {
		f.files.Rename(fromRel, toRel)
	}
	end(nil)
	return nil
}

// checkFree makes sure that nothing has a name in a directory, which is at path.
func (f *FS) checkFree(ctx context.Context, dir *node, path, name string) error {
	if _, local := f.localChild(dir, name); local {
		return syscall.EEXIST
	}
	found, err := f.tree.fresh(ctx, path, name)
	if err == nil && found.Exists {
		err = syscall.EEXIST
	}
	return err
}

// checkReplaceable makes sure that a directory, which is at path, is empty, and makes it so where
// what is in it was unlinked.
func (f *FS) checkReplaceable(ctx context.Context, dir *node, path string) error {
	if len(f.freshChildren(dir)) > 0 {
		return syscall.ENOTEMPTY // the server does not know them yet
	}
	if err := f.tree.clear(waiting(ctx), path); err != nil {
		return err
	}
	return f.tree.checkEmpty(ctx, path)
}

// areOne tells whether a name belongs to the same file as e.
func (f *FS) areOne(ctx context.Context, e ftpclient.Entry, dir, name string) (bool, error) {
	if other, ok := f.tree.cached(dir, name); !ok || !other.Exists || !f.nodes.identities.one(e, other.Entry) {
		return false, nil
	}
	other, err := f.tree.fresh(ctx, dir, name)
	return other.Exists && f.nodes.identities.one(e, other.Entry), err
}
