package ftpfs

import (
	"context"
	"syscall"

	"bazil.org/fuse"
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
