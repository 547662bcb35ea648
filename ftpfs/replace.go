package ftpfs

import (
	"context"
	"errors"
	"syscall"

	"ftpfs/ftpclient"
)

// move is one rename on the server. When the connection goes before the
// answer, it looks whether the rename was made, and makes it if not.
func (t *tree) move(ctx context.Context, from, to string) error {
	err := t.client.Rename(ctx, from, to)
	if !uncertain(err) {
		return err
	}
	_, findErr := t.find(ctx, from)
	switch {
	case errno(findErr) == syscall.ENOENT:
		if _, there := t.find(ctx, to); there == nil {
			return nil
		}
	case findErr == nil:
		return t.client.Rename(ctx, from, to)
	}
	return err
}

// refusesRename tells whether the server has no word for it.
func refusesRename(err error) bool {
	var refused *ftpclient.Error
	return errors.As(err, &refused) && refused.Command == "RNFR" && refused.Kind() == ftpclient.KindUnsupported
}

// refusesReplace tells whether the server may have refused a rename only
// because the new name is taken.
func refusesReplace(err error) bool {
	var refused *ftpclient.Error
	if !errors.As(err, &refused) || refused.Command != "RNTO" || refused.Code == 421 {
		return false
	}
	switch refused.Kind() {
	case ftpclient.KindExist, ftpclient.KindPermission, ftpclient.KindOther:
		return true
	}
	return false
}

// replace renames over an existing file where the server will not: the old
// file steps aside, under a name that listings hide, and comes back when the
// rename fails all the same. cause is the first refusal, returned when there
// was nothing in the way. tellAside is told where the old file is about to go, and ""
// when it is there no more.
func (t *tree) replace(ctx context.Context, from, to string, cause error, tellAside func(path string)) error {
	old, err := t.find(ctx, to)
	if err != nil || old.Type == ftpclient.TypeDir {
		return cause
	}
	if t.missing(ctx, from) {
		return nil // to is what was to be renamed: the server has done what it says it has not
	}
	aside := t.temps.beside(to)
	tellAside(aside)
	if err := t.move(ctx, to, aside); err != nil {
		return cause // and aside is told of, as it is not certain that the file is not there
	}
	if err := t.move(ctx, from, to); err != nil {
		// The name may be taken by now: what has it is newer.
		if !t.missing(ctx, to) || t.move(ctx, aside, to) != nil {
			t.temps.left(aside)
			t.log.Error("a file could not be put back after a failed rename", "path", to, "kept as", aside, "error", err)
			return err
		}
		tellAside("")
		return err
	}
	if err := t.client.Delete(ctx, aside); err != nil {
		t.temps.left(aside)
		t.log.Warn("the replaced version of a file could not be deleted", "path", to, "left as", aside, "error", err)
	}
	tellAside("")
	return nil
}

// putBack undoes what a replacement has begun whose end nobody has seen: path is
// the file that is gone from its place, if it is.
func (t *tree) putBack(ctx context.Context, aside, path string) error {
	_, err := t.find(ctx, path)
	if errno(err) == syscall.ENOENT {
		if err := t.move(ctx, aside, path); err != nil && errno(err) != syscall.ENOENT {
			return err
		}
		dir, _ := split(path)
		t.dirs.Drop(dir) // it may have been listed without the file
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.client.Delete(ctx, aside); outage(err) {
		return err
	}
	return nil
}
