package ftpfs

import (
	"context"
	"syscall"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// open makes a handle. Nothing is transferred before the first read.
func (s *server) open(n *node, r *fuse.OpenRequest) {
	flags := r.Flags
	s.ask(r, func(ctx context.Context) error {
		h, _, kernel, err := s.fs.open(ctx, n, flags)
		if err != nil {
			return err
		}
		r.Respond(&fuse.OpenResponse{Handle: s.fs.handles.add(h), Flags: kernel})
		return nil
	})
}

// open opens what the server has as n, or what is here of it. kernel says what
// the kernel may do with its pages.
func (f *FS) open(ctx context.Context, n *node, flags fuse.OpenFlags) (h *handle, e ftpclient.Entry, kernel fuse.OpenResponseFlags, err error) {
	fail := func(err error) (*handle, ftpclient.Entry, fuse.OpenResponseFlags, error) {
		return nil, ftpclient.Entry{}, 0, err
	}
	if e, _, err = f.stat(ctx, n); err != nil {
		return fail(err)
	}
	if e.Type == ftpclient.TypeLink {
		return fail(syscall.ELOOP)
	}
	if e.Size < 0 {
		if e, err = f.measure(ctx, n, e); err != nil {
			return fail(err)
		}
		kernel |= fuse.OpenDirectIO // not by the size that it knows
	}
	now := f.nodes.contentOf(n)
	shared := now == nil || !now.local() // the server has what is opened
	latest := shared && flags&fuse.OpenAppend != 0
	switch {
	case latest:
		e, err = f.refresh(ctx, n, e)
	case shared:
		e, err = f.recent(ctx, n, e)
	}
	if err != nil {
		return fail(err)
	}
	writing := !flags.IsReadOnly()
	listed := e
	if shared && !writing && e.Size == 0 {
		hollow, err := f.hollow(ctx, n)
		if err == nil && hollow {
			e, err = f.count(ctx, n, e)
		}
		if err != nil {
			return fail(err)
		}
		if e.Size > 0 {
			kernel |= fuse.OpenDirectIO
		}
	}
	if shared && now != nil {
		f.contents.grow(ctx, n, now) // if it cannot, another content takes over
	}
	c, err := f.contents.open(n, e, writing)
	if err != nil {
		return fail(err)
	}
	if latest {
		c.confirmed()
	}
	if kernel&fuse.OpenDirectIO != 0 {
		c.listedAs(listed)
	}
	if !writing {
		parent, name, _, _, _ := f.nodes.state(n)
		f.ahead.opens(parent, name)
	}
	if f.nodes.keeps(n, e, c.local()) {
		kernel |= fuse.OpenKeepCache // they are of this version
	}
	return &handle{node: n, content: c, writing: writing}, e, kernel, nil
}

func (s *server) write(r *fuse.WriteRequest) {
	h := s.fs.handles.get(r.Handle)
	if h == nil || h.content == nil {
		r.RespondError(syscall.EBADF)
		return
	}
	if h.content.due(len(r.Data)) {
		s.writeFirst(h, r)
		return
	}
	s.here(r, func() error {
		n, err := s.fs.write(h, r.Data, r.Offset, r.FileFlags)
		if err != nil {
			return err
		}
		r.Respond(&fuse.WriteResponse{Size: n})
		return nil
	})
}

// write stores p at off, or at the end with O_APPEND. It never blocks for the network.
func (f *FS) write(h *handle, p []byte, off int64, flags fuse.OpenFlags) (int, error) {
	write := h.content.write
	if flags&fuse.OpenAppend != 0 {
		write = func(p []byte, off int64) (int, error) { return f.append(h, p, off) }
	}
	n, err := write(p, off)
	if n == 0 && err != nil {
		return 0, err
	}
	f.uploads.sendAhead(h.node, h.content)
	return n, nil
}

// flush is close(2): its answer is the server's verdict on what was written,
// unless the user does not want to wait for that.
//
// One of several that the program has is not waited for as long as nothing was written: see
// owe for a new file. An old one is left to the last descriptor, and never seen empty. A lock is
// published at once.
func (s *server) flush(r *fuse.FlushRequest) {
	h := s.fs.handles.get(r.Handle)
	switch {
	case h == nil || h.content == nil || !h.writing:
		r.Respond()
		return
	case h.content.isDropped(): // what was written is not what is under the name
		r.RespondError(syscall.ESTALE)
		return
	case !h.content.local() || !s.fs.uploads.waits():
		r.Respond()
		return
	}
	pid := r.Pid
	s.change(r, func(ctx context.Context) (func(), error) {
		if h.content.file.Size() == 0 && !h.exclusive && keepsOpen(pid, h.node.ino) {
			h.content.owe()
			return r.Respond, nil
		}
		return r.Respond, s.fs.commit(ctx, h)
	}, nil)
}

// commit publishes what a handle has written. The kernel forgets a new file
// that the server will never take.
func (f *FS) commit(ctx context.Context, h *handle) error {
	err := f.uploads.commit(ctx, h.node, h.content)
	if f.nodes.isShifted(h.node) {
		f.notifier.pages(h.node)
	}
	if h.content.refusal() != nil {
		parent, name, _, _, _ := f.nodes.state(h.node)
		f.notifier.entry(parent, name)
	}
	return err
}

// fsync is flush without the close. Directories are always on the server.
func (s *server) fsync(r *fuse.FsyncRequest) {
	h := s.fs.handles.get(r.Handle)
	switch {
	case r.Dir || h == nil || h.content == nil:
		r.Respond()
		return
	case h.writing && h.content.isDropped():
		r.RespondError(syscall.ESTALE)
		return
	case !h.content.local():
		r.Respond()
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		return r.Respond, s.fs.commit(ctx, h)
	}, nil)
}

// release ends a handle. Nobody hears its error: what was written after the
// last flush, by mmap, is published here, and kept if that fails.
func (s *server) release(r *fuse.ReleaseRequest) {
	h := s.fs.handles.remove(r.Handle)
	if h != nil && h.dir != nil {
		h.dir.Close()
	}
	if h == nil || h.content == nil {
		r.Respond()
		return
	}
	s.change(r, func(ctx context.Context) (func(), error) {
		s.fs.closeHandle(ctx, h)
		return r.Respond, nil
	}, nil)
}

func (f *FS) closeHandle(ctx context.Context, h *handle) {
	if h.writing && h.content.failure() == nil && f.uploads.waits() {
		f.uploads.commit(ctx, h.node, h.content)
	}
	if f.contents.release(ctx, h.node, h.content, h.writing) {
		f.uploads.later(h.node, h.content)
	}
}
