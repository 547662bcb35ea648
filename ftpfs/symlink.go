package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"math"
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
			n, e := s.fs.enter(dir, &e)
			r.Respond(&fuse.SymlinkResponse{LookupResponse: *s.fs.entered(n, e, s.fs.opts.DirTTL)})
		}, nil
	}, func() { s.fs.notifier.entry(dir, name) })
}

// readLink tells where a symbolic link leads.
func (s *server) readLink(n *node, r *fuse.ReadlinkRequest) {
	rel, named := s.fs.nodes.path(n)
	path := below(s.fs.tree.root, rel)
	if e := s.fs.nodes.entryOf(n); named && e.Target != "" {
		s.leads(path, e.Target, r)
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
		if target == "" {
			return syscall.EINVAL
		}
		s.fs.nodes.setTarget(n, target)
		s.leads(path, target, r)
		return nil
	})
}

// leads answers where the link at path leads.
func (s *server) leads(path, target string, r *fuse.ReadlinkRequest) {
	shown, err := inside(s.fs.tree.root, path, target)
	switch {
	case err != nil:
		s.fail(r, err)
	case len(shown) > maxTarget:
		r.RespondError(syscall.ENAMETOOLONG)
	default:
		r.Respond(shown)
	}
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

// inside writes the target of a link as one that leads to the same place in the mount. A
// relative one that goes upward first is that already, if it does not go too far; one that goes
// through a directory and back is not, since that may be a link, too. What is not in the mount
// is EPERM: on this machine the same path is something else.
func inside(root, link, target string) (string, error) {
	if strings.Contains(target, "\x00") { // the kernel would take what precedes it for the target
		return "", fmt.Errorf("the link %s leads nowhere: its target has a NUL: %w", link, syscall.EPERM)
	}
	dir, _ := split(link)
	to := pathpkg.Clean(target)
	if target[0] != '/' {
		to = pathpkg.Clean(join(dir, target))
	}
	switch {
	case !strings.HasPrefix(to+"/", strings.TrimSuffix(root, "/")+"/"):
		return "", fmt.Errorf("the link %s leads out of the mount, to %s: %w", link, target, syscall.EPERM)
	case target[0] != '/' && upward(target) <= depth(root, dir):
		return target, nil
	}
	up := ""
	for dir != "/" && !strings.HasPrefix(to+"/", dir+"/") {
		dir, _ = split(dir)
		up += "../"
	}
	if rest := strings.TrimPrefix(to[len(dir):], "/"); rest != "" {
		return up + rest, nil
	}
	if up == "" {
		return ".", nil
	}
	return strings.TrimSuffix(up, "/"), nil
}

// upward is how many directories a relative path goes up at its beginning; more than there
// are, if it goes up later.
func upward(path string) (up int) {
	down := false
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
		case "..":
			if up++; down {
				return math.MaxInt
			}
		default:
			down = true
		}
	}
	return up
}

// depth is how many directories dir is below root.
func depth(root, dir string) int {
	return strings.Count(rel(root, dir), "/")
}
