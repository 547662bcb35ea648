package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"ftpfs/ftpclient"
)

// Some servers give no reason for a refusal ("550 Delete operation failed.").
// The functions here ask once more, for something harmless, and say what was
// the matter. The server's own words stay in the error.

// unexplained tells whether err is a refusal for good whose text has no
// reason. A temporary one, such as a transfer that was cut off, has another
// reason than the path.
func unexplained(err error) bool {
	var refused *ftpclient.Error
	return errors.As(err, &refused) && refused.Kind() == ftpclient.KindOther && !refused.Temporary()
}

// because puts a reason before the server's words. The errno of the result is
// the reason's.
func because(reason syscall.Errno, err error) error {
	return &explained{reason, err}
}

type explained struct {
	reason syscall.Errno
	err    error
}

func (e *explained) Error() string { return fmt.Sprintf("%v (%v)", e.err, e.reason) }
func (e *explained) Unwrap() error { return e.reason }

// find asks the server what path is, whatever a cache says. A missing path is
// ENOENT, also on servers that refuse without a reason: then the parent's
// listing tells.
func (t *tree) find(ctx context.Context, path string) (ftpclient.Entry, error) {
	e, err := t.stat(ctx, path)
	if !unexplained(err) || path == "/" {
		return e, err
	}
	dir, name := split(path)
	if isTemp(name) { // cached listings hide it
		listing, listErr := t.client.List(ctx, dir)
		if listErr != nil || listing.Truncated {
			return e, err
		}
		for _, e := range listing.Entries {
			if e.Name == name {
				return e, nil
			}
		}
		return e, because(syscall.ENOENT, err)
	}
	const asked = -1 // nothing that was asked for before now
	listing, listErr := t.list(ctx, dir, asked)
	if listErr != nil {
		return e, listErr
	}
	for _, e := range listing.Entries {
		if e.Name == name {
			return e.Entry, nil
		}
	}
	if !listing.Complete {
		return e, err
	}
	return e, because(syscall.ENOENT, err)
}

// missing tells whether the server says plainly that path does not exist.
func (t *tree) missing(ctx context.Context, path string) bool {
	_, err := t.find(ctx, path)
	return errno(err) == syscall.ENOENT
}

func (t *tree) explainList(ctx context.Context, dir string, err error) error {
	if !unexplained(err) {
		return err
	}
	e, findErr := t.find(ctx, dir)
	switch {
	case errno(findErr) == syscall.ENOENT:
		return because(syscall.ENOENT, err)
	case findErr == nil && e.Type != ftpclient.TypeDir:
		return because(syscall.ENOTDIR, err)
	}
	return because(syscall.EACCES, err)
}

func (t *tree) explainMake(ctx context.Context, path string, err error) error {
	if !unexplained(err) {
		return err
	}
	dir, _ := split(path)
	switch _, findErr := t.find(ctx, path); {
	case findErr == nil:
		return because(syscall.EEXIST, err)
	case t.missing(ctx, dir):
		return because(syscall.ENOENT, err)
	}
	return because(syscall.EACCES, err)
}

func (t *tree) explainRemove(ctx context.Context, path string, isDir bool, err error) error {
	if !unexplained(err) {
		return err
	}
	e, findErr := t.find(ctx, path)
	switch {
	case errno(findErr) == syscall.ENOENT:
		return because(syscall.ENOENT, err)
	case findErr != nil:
		return err
	case !isDir && e.Type == ftpclient.TypeDir:
		return because(syscall.EISDIR, err)
	case isDir && e.Type != ftpclient.TypeDir:
		return because(syscall.ENOTDIR, err)
	}
	if isDir {
		if listing, listErr := t.client.List(ctx, path); listErr == nil && len(listing.Entries) > 0 {
			return because(syscall.ENOTEMPTY, err)
		}
	}
	return because(syscall.EACCES, err)
}

func (t *tree) explainRename(ctx context.Context, from, to string, err error) error {
	if !unexplained(err) {
		return err
	}
	dir, _ := split(to)
	if t.missing(ctx, from) || t.missing(ctx, dir) {
		return because(syscall.ENOENT, err)
	}
	if e, findErr := t.find(ctx, to); findErr == nil && e.Type == ftpclient.TypeDir {
		return because(syscall.ENOTEMPTY, err)
	}
	return because(syscall.EACCES, err)
}

// explainFile says why a file could not be read, stored or changed.
func (t *tree) explainFile(ctx context.Context, path string, err error) error {
	if !unexplained(err) {
		return err
	}
	dir, name := split(path)
	e, findErr := t.find(ctx, path)
	switch {
	case findErr == nil && e.Type == ftpclient.TypeDir:
		return because(syscall.EISDIR, err)
	case findErr == nil:
		return because(syscall.EACCES, err)
	case errno(findErr) == syscall.ENOENT && isTemp(name) && !t.missing(ctx, dir):
		return because(syscall.EACCES, err) // a directory that takes no new files
	case errno(findErr) == syscall.ENOENT:
		return because(syscall.ENOENT, err)
	}
	return err
}
