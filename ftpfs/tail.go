package ftpfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// To a file that only grew since its last version the server appends the tail
// (APPE), and nothing of what it has is moved. It is then seen to grow, as a
// local file is. When the connection is lost, what has arrived of the tail is
// compared with it, and the rest follows.
//
// What was written with O_APPEND goes behind what others have appended
// meanwhile; what was written at a place would be at another one, and is a
// conflict.

const (
	littleToSend = 64 << 10 // is replaced rather than seen to grow, if all of it is here
	worthTest    = 1 << 20  // size of a file for which it pays to find out whether the server appends
	tailTries    = 3        // of a tail, as long as more of it arrives
)

// onlyGrew tells whether c is the server's version with something behind it that
// can be sent alone.
func (u *uploads) onlyGrew(ctx context.Context, c *content, path string) bool {
	c.mu.Lock()
	base, replaced := c.base, c.fresh || c.whole
	c.mu.Unlock()
	if replaced || base.Size <= 0 || c.file.Size() <= base.Size || c.file.FirstDirty() < base.Size {
		return false
	}
	start, end := c.file.Missing(0, base.Size)
	if base.Size <= littleToSend && start >= end {
		return false
	}
	able := u.client.CanAppend()
	if able == ftpclient.Unknown && base.Size >= worthTest && !u.inPlace {
		trial := u.tree.temps.beside(path)
		c.sending(trial) // for a crash to leave nothing behind
		if err := u.client.LearnAppend(ctx, trial); err != nil {
			u.log.Debug("it could not be found out whether the server appends", "error", err)
			u.sweep(trial)
		}
		able = u.client.CanAppend()
	}
	return able == ftpclient.Yes
}

// errNotAppended: the server does not append to this file, and has stored nothing.
type errNotAppended struct{ error }

func (e errNotAppended) Unwrap() error { return e.error }

// refusesAppend tells whether the whole file should be tried instead.
func refusesAppend(err error) bool {
	_, refuses := errors.AsType[errNotAppended](err)
	return refuses
}

// wantsWhole tells whether a refusal concerns the appending rather than the file
// or the moment.
func wantsWhole(e *ftpclient.Error) bool {
	switch e.Kind() {
	case ftpclient.KindNoSpace, ftpclient.KindQuota:
		return false
	case ftpclient.KindPermission, ftpclient.KindUnsupported:
		return true
	}
	return !e.Temporary()
}

// storeTail appends what c has behind the server's version.
func (u *uploads) storeTail(ctx context.Context, c *content, path string) (stored, error) {
	before, err := u.confirmTail(ctx, c, path)
	if err != nil {
		return stored{}, changedBelow(path, err)
	}
	defer c.alter()()
	size := c.file.Size()
	for tries := 1; ; tries++ {
		c.mu.Lock()
		from := c.base.Size
		c.mu.Unlock()
		e, err := u.sendTail(ctx, c, path, from, size)
		switch want := before + size - from; {
		case err != nil:
		case e.Size < want: // something on the way has ended it, in good order
			err = fmt.Errorf("%s has %d bytes of %d on the server: %w", path, e.Size, want, io.ErrShortWrite)
		case e.Size > want && c.isPlaced():
			return stored{}, fmt.Errorf("%s was changed on the server while it was appended to: %w", path, syscall.ESTALE)
		default:
			return stored{Entry: e, mixed: e.Size != size}, nil
		}
		switch done, settleErr := u.settleTail(ctx, c, path); {
		case settleErr != nil:
			return stored{}, err
		case done != nil:
			return *done, nil
		}
		c.mu.Lock()
		arrived := c.base
		c.mu.Unlock()
		refused, isRefused := errors.AsType[*ftpclient.Error](err)
		switch {
		case arrived.Size == size:
			return stored{Entry: arrived}, nil
		case isRefused && arrived.Size == from && wantsWhole(refused):
			return stored{}, errNotAppended{u.tree.explainFile(ctx, path, err)}
		case isRefused, arrived.Size == from, tries == tailTries:
			return stored{}, u.tree.explainFile(ctx, path, err)
		}
		before = arrived.Size
	}
}

// sendTail is one try. Until it has gone well, the server may have any part of
// the tail.
func (u *uploads) sendTail(ctx context.Context, c *content, path string, from, size int64) (ftpclient.Entry, error) {
	if err := u.stays(ctx, c, path); err != nil {
		return ftpclient.Entry{}, err
	}
	c.mu.Lock()
	c.tail = size
	c.mu.Unlock()
	c.journal()
	w, err := u.client.AppendIf(ctx, path, u.still(c, path))
	if err != nil {
		return ftpclient.Entry{}, err
	}
	defer w.Abort() // does nothing after a Commit that went through
	w.Announce(path, size-from)
	if _, err := send(ctx, w, c, from, size, true); err != nil {
		return ftpclient.Entry{}, err
	}
	k := c.commitment("")
	c.mu.Lock()
	had := c.base
	k.HasMode = c.modeSet // else it has it
	c.mu.Unlock()
	e, err := w.Commit(ctx, k)
	if err == nil && !e.HasMode {
		u.warnOfMode(path, k)
		e.Mode, e.HasMode = had.Mode, had.HasMode
	}
	return e, err
}

// confirmTail returns the size that the server's version has now, if that is
// what a tail may be appended to.
func (u *uploads) confirmTail(ctx context.Context, c *content, path string) (int64, error) {
	c.mu.Lock()
	base, anywhere := c.base, !c.placed && time.Since(c.seen) >= freshEnough
	c.mu.Unlock()
	if !anywhere {
		return base.Size, u.confirm(ctx, c, path)
	}
	dir, name := split(path)
	found, err := u.tree.fresh(ctx, dir, name)
	switch now := found.Entry; {
	case err != nil:
		return 0, err
	case found.Exists && now.Size > base.Size:
		return now.Size, nil
	}
	return base.Size, u.confirm(ctx, c, path)
}

// settleTail finds out how much has reached the server of a tail whose upload
// broke off, and takes that for sent. It returns what the server has if that is
// all of c, with what others have appended behind it; else nil.
func (u *uploads) settleTail(ctx context.Context, c *content, path string) (*stored, error) {
	c.mu.Lock()
	base, tail := c.base, c.tail
	c.mu.Unlock()
	if tail == 0 {
		return nil, nil
	}
	gen, _ := c.file.Dirty()
	now, err := u.tree.find(ctx, path)
	if errno(err) == syscall.ENOENT {
		now, err = ftpclient.Entry{}, nil
	}
	if err == nil {
		err = u.stays(ctx, c, path)
	}
	if err != nil {
		return nil, err
	}
	arrived := min(now.Size, tail)
	ours := arrived > base.Size && c.file.Size() >= arrived
	if ours {
		if ours, err = u.same(ctx, c, path, base.Size, arrived); err != nil {
			return nil, err
		}
	}
	if ours && now.Size > tail && c.file.Size() == tail && c.file.FirstDirty() >= base.Size {
		return &stored{Entry: now, mixed: true}, nil // published settles the rest
	}
	resume := c.streams.hold()
	defer func() { resume(base.Size) }()
	if ours {
		c.file.Sent(gen, base.Size, arrived) // if it has changed since, the whole file follows
	}
	c.mu.Lock()
	c.tail = 0
	if ours {
		c.base, c.prior, c.stale = now, base, false
		c.base.Size = arrived // others may have appended: it is not confirmed then
		base = c.base
	}
	c.mu.Unlock()
	c.journal()
	return nil, nil
}

// same tells whether the server has the bytes of c from start to end, which are
// here.
func (u *uploads) same(ctx context.Context, c *content, path string, start, end int64) (bool, error) {
	r, err := u.retrieve(ctx, c, path, start, end)
	if err != nil {
		return false, err
	}
	defer r.Close()
	defer context.AfterFunc(ctx, func() { r.Close() })()
	theirs, ours := make([]byte, uploadStep), make([]byte, uploadStep)
	for off := start; off < end; {
		n, err := io.ReadFull(r, theirs[:min(uploadStep, end-off)])
		if err != nil {
			return false, err
		}
		if _, err := c.streams.read(ctx, ours[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(theirs[:n], ours[:n]) {
			return false, nil
		}
		off += int64(n)
	}
	return true, nil
}
