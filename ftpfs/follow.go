package ftpfs

import (
	"context"
	"errors"
	pathpkg "path"
	"syscall"

	"ftpfs/ftpclient"
)

// stat asks the server for one file, or for what it leads to if links are followed.
func (t *tree) stat(ctx context.Context, path string) (ftpclient.Entry, error) {
	e, err := t.client.Stat(ctx, path)
	if err != nil || !t.followLinks {
		return e, err
	}
	dir, _ := split(path)
	one := []ftpclient.Entry{e}
	err = t.client.Follow(ctx, dir, one)
	one[0].Followed = one[0].Followed || t.isFollowed(path) // some servers tell of the target alone
	return one[0], err
}

// isFollowed tells whether path is known to be a link that is shown as what it leads to.
func (t *tree) isFollowed(path string) bool {
	dir, name := split(path)
	found, ok := t.dirs.Lookup(dir, name)
	return ok && found.Entry.Followed
}

// maxLinks is how many links a path may lead through, as on Linux.
const maxLinks = 40

// through is where the bytes of a file belong that is shown in the place of a link: its upload
// would replace the link otherwise.
func (t *tree) through(ctx context.Context, link string) (string, error) {
	path := link
	for range maxLinks {
		target, err := t.client.ReadLink(ctx, path)
		var refused *ftpclient.Error
		switch {
		case errors.As(err, &refused) && path != link:
			t.dirs.Drop(pathpkg.Dir(path))
			return path, nil
		case err != nil:
			return "", because(syscall.EPERM, err)
		case target[0] == '/':
			path = pathpkg.Clean(target)
		default:
			path = pathpkg.Clean(join(pathpkg.Dir(path), target))
		}
	}
	return "", syscall.ELOOP
}
