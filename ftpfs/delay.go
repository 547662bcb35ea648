package ftpfs

import (
	"context"
	pathpkg "path"
	"strings"
	"sync/atomic"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// A gate holds requests until the server's root directory is known: at once, or
// with Options.Delay when somebody wants to go there. Whoever comes first tries to
// reach it; a failure is answered, and the next one tries again.
type gate struct {
	open atomic.Bool
	turn chan struct{} // holds a value while somebody tries
}

func newGate() *gate { return &gate{turn: make(chan struct{}, 1)} }

// reach finds the root directory, unless it is known, and lists it. Uploads that an
// earlier mount has not finished go on then.
func (f *FS) reach(ctx context.Context) error {
	select {
	case f.gate.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.gate.turn }()
	if f.gate.open.Load() {
		return nil
	}
	root := f.opts.Root
	if !strings.HasPrefix(root, "/") {
		if err := f.client.Connect(ctx); err != nil {
			return err
		}
		root = pathpkg.Join("/", f.client.Root(), root)
	}
	if _, err := f.tree.list(ctx, root, 0); err != nil {
		return err
	}
	f.tree.root = root
	f.space.begin(root)
	if !f.opts.ReadOnly {
		f.resume(ctx)
	}
	f.gate.open.Store(true)
	if f.client.CanTellSpace() == ftpclient.Yes {
		f.space.refresh() // for the first df(1)
	}
	return nil
}

// hold keeps a request until the server was reached; false if it need not wait, since
// its answer is here.
func (s *server) hold(req fuse.Request) bool {
	if s.fs.gate.open.Load() {
		return false
	}
	switch r := req.(type) {
	case *fuse.InterruptRequest, *fuse.ForgetRequest, *fuse.BatchForgetRequest, *fuse.StatfsRequest, *fuse.DestroyRequest, *fuse.AccessRequest:
		return false
	case *fuse.GetattrRequest:
		return uint64(r.Node) != rootID
	case *fuse.GetxattrRequest, *fuse.ListxattrRequest:
		return s.fs.opts.Xattr
	}
	id := req.Hdr().ID
	c := s.begin(req.Hdr(), s.fs.opts.Patience)
	s.wg.Go(func() {
		err := s.fs.reach(c.ctx)
		s.finish(id, c)
		if err == nil {
			// What has a handle, and is answered in the reader, cannot have come before.
			err = s.guard(func() error { s.dispatch(req); return nil })
		}
		if err != nil {
			s.fail(req, err)
		}
	})
	return true
}
