package ftpfs

import (
	"context"
	"errors"
	pathpkg "path"
	"strings"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// maxTarget is the longest target of a link that the kernel takes.
const maxTarget = 4095

// symlink makes a link where the server can.
func (s *server) symlink(dir *node, r *fuse.SymlinkRequest) {
	name, target := r.NewName, r.Target
	if err := checkName(name); err != nil {
		r.RespondError(err)
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		path, named := s.fs.nodes.path(dir)
		if !named {
			return nil, syscall.ENOENT
		}
		e, err := s.fs.tree.symlink(ctx, join(below(s.fs.tree.root, path), name), target)
		if err != nil {
			s.fs.doubt(err, dir, name)
			return nil, err
		}
		return func() {
			n, e := s.fs.enter(dir, e)
			r.Respond(&fuse.SymlinkResponse{LookupResponse: *s.fs.entered(n, e, s.fs.opts.DirTTL)})
		}, nil
	}, func() { s.fs.notifier.entry(dir, name) })
}

// readLink tells where a symbolic link leads.
func (s *server) readLink(n *node, r *fuse.ReadlinkRequest) {
	rel, named := s.fs.nodes.path(n)
	path := below(s.fs.tree.root, rel)
	if e := s.fs.nodes.entryOf(n); named && e.Target != "" && len(e.Target) <= maxTarget {
		r.Respond(inside(s.fs.tree.root, path, e.Target))
		return
	}
	s.ask(r, func(ctx context.Context) error {
		if !named {
			return syscall.ENOENT
		}
		target, err := s.fs.client.ReadLink(ctx, path)
		if err != nil {
			return err
		}
		switch {
		case target == "":
			return syscall.EINVAL
		case len(target) > maxTarget:
			return syscall.ENAMETOOLONG
		}
		s.fs.nodes.setTarget(n, target)
		r.Respond(inside(s.fs.tree.root, path, target))
		return nil
	})
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

// resolve returns the server's path of a link's target. It must be relative, lead to a place
// in the mount, and not go through a directory and back, which may be a link itself.
func resolve(root, dir, target string) (string, bool) {
	if target == "" || target[0] == '/' {
		return "", false
	}
	rest := strings.TrimRight(target, "/") + "/"
	for {
		if after, here := strings.CutPrefix(rest, "./"); here {
			rest = after
			continue
		}
		after, up := strings.CutPrefix(rest, "../")
		if !up {
			break
		}
		if dir == root {
			return "", false
		}
		dir, _ = split(dir)
		rest = after
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return dir, true
	}
	return join(dir, rest), rest[0] != '/' && rest == pathpkg.Clean(rest)
}

// inside writes the target of a link as one that leads to the same place in the mount: an
// absolute path of the server's, below its root, is none of this machine's.
func inside(root, link, target string) string {
	if !strings.HasPrefix(target+"/", strings.TrimSuffix(root, "/")+"/") {
		return target
	}
	dir, _ := split(link)
	up := ""
	for dir != "/" && !strings.HasPrefix(target+"/", dir+"/") {
		dir, _ = split(dir)
		up += "../"
	}
	if rest := strings.TrimPrefix(target[len(dir):], "/"); rest != "" {
		return up + rest
	}
	if up == "" {
		return "."
	}
	return strings.TrimSuffix(up, "/")
}
