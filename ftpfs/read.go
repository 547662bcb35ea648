package ftpfs

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"

	"bazil.org/fuse"
)

// mostAtOnce is how many bytes the kernel reads or writes by one request, at most.
const mostAtOnce = 128 << 10

// buffers are for answers to reads.
var buffers = sync.Pool{New: func() any { return new([mostAtOnce]byte) }}

func (s *server) read(r *fuse.ReadRequest) {
	h := s.fs.handles.get(r.Handle)
	if h == nil || h.content == nil {
		r.RespondError(syscall.EBADF)
		return
	}
	if h.content.isPast() {
		r.RespondError(syscall.ESTALE)
		return
	}
	if h.content.hasGrown() || !h.content.streams.present(r.Offset, int64(r.Size)) {
		s.fetch(h, r)
		return
	}
	s.here(r, func() error {
		if s.device.answer(r, h.content.file) {
			return nil
		}
		err := answerRead(r, func(p []byte) (int, error) { return h.content.file.ReadAt(expired, p, r.Offset) })
		if errors.Is(err, context.Canceled) { // evicted meanwhile
			s.fetch(h, r)
			return nil
		}
		return err
	})
}

// fetch answers a read of what may have to come from the server.
func (s *server) fetch(h *handle, r *fuse.ReadRequest) {
	h.content.streams.announce(r.Offset, r.Size)
	s.ask(r, func(ctx context.Context) error {
		defer h.content.streams.settle(r.Offset, r.Size)
		err := errGrown
		for range readTries {
			if !errors.Is(err, errGrown) {
				break
			}
			if err = s.fs.contents.grow(ctx, h.node, h.content); err == nil {
				err = s.await(ctx, h, r)
			}
		}
		if err != nil {
			return s.fs.lost(h, err)
		}
		return nil
	})
}

// await answers a read when all of it has come.
func (s *server) await(ctx context.Context, h *handle, r *fuse.ReadRequest) error {
	c := h.content
	defer c.file.KeepRange(r.Offset, int64(r.Size))()
	if err := c.streams.fetch(ctx, r.Offset, int64(r.Size)); err != nil && !errors.Is(err, errShorter) {
		return err
	}
	if !c.streams.isShorter() && s.device.answer(r, c.file) {
		return nil
	}
	return answerRead(r, func(p []byte) (int, error) { return s.fs.readShort(ctx, h, p, r.Offset) })
}

// readShort reads what the server has. Where that is less than it says, the kernel
// fills its last page with zeros, which nobody may get who opens the file again.
func (f *FS) readShort(ctx context.Context, h *handle, p []byte, off int64) (int, error) {
	n, err := h.content.streams.readShort(ctx, p, off)
	if h.content.streams.isShorter() {
		f.nodes.distrust(h.node)
	}
	return n, err
}

// answerRead answers r with what read, an io.ReaderAt's method but for the
// offset, puts into its buffer. The kernel takes a short answer for the end.
func answerRead(r *fuse.ReadRequest, read func(p []byte) (int, error)) error {
	buf := buffers.Get().(*[mostAtOnce]byte)
	defer buffers.Put(buf)
	p := buf[:min(r.Size, len(buf))]
	if r.Size > len(buf) {
		p = make([]byte, r.Size)
	}
	n, err := read(p)
	if err != nil && err != io.EOF {
		return err
	}
	r.Respond(&fuse.ReadResponse{Data: p[:n]})
	return nil
}

// lost forgets the listing of a file that turned out to be another version.
func (f *FS) lost(h *handle, err error) error {
	if errno(err) == syscall.ESTALE {
		h.content.lose()
		if parent, _, _, _, gone := f.nodes.state(h.node); !gone {
			if path, named := f.nodes.path(parent); named {
				f.tree.dirs.Drop(below(f.tree.root, path))
			}
		}
	}
	return err
}
