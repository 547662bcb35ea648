package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"syscall"

	"ftpfs/ftpclient"
)

// publish brings the bytes of c from off on to path, which is c's own or another
// one, and returns what the server has then.
func (u *uploads) publish(ctx context.Context, c *content, path string, own bool, from int64) (ftpclient.Entry, error) {
	asked := path
	c.mu.Lock()
	followed := c.base.Followed
	c.mu.Unlock()
	if followed {
		var err error
		if path, err = u.tree.through(ctx, path); err != nil {
			return ftpclient.Entry{}, err
		}
	}
	end := c.file.Size()
	if u.inPlace {
		return u.storeInPlace(ctx, c, asked, path, own, from, end)
	}
	p, err := u.sentAhead(ctx, c, path, from, end)
	if err != nil {
		return ftpclient.Entry{}, err
	}
	finish := func(size int64) (ftpclient.Entry, error) {
		if u.moved(c, asked) { // the temporary file may be in another directory
			p.w.Abort()
			u.sweep(p.temp)
			return ftpclient.Entry{}, errMoved
		}
		e, err := u.finish(ctx, c, p, path, own, size)
		if own && errors.Is(err, io.ErrShortWrite) {
			u.cameShort(ctx, c, path, size)
		}
		return e, err
	}
	if p.w != nil {
		e, err := finish(end - from)
		if !notStored(err) {
			return e, u.tree.explainFile(ctx, path, err)
		}
	}
	defer c.file.Keep()() // what is fetched stays until the server has all of it
	for again := false; ; again = true {
		if p, err = u.sendAll(ctx, c, path, own, from, end); err != nil {
			return ftpclient.Entry{}, err
		}
		e, err := finish(max(0, end-from))
		if again || !notRenamed(err) {
			return e, u.tree.explainFile(ctx, path, err)
		}
	}
}

// A part is a file that was sent, under its temporary name.
type part struct {
	w    *ftpclient.Writer // which has all of it; nil: nothing was sent
	temp string
	sum  uint32 // of its bytes
}

// notStored tells whether an upload failed before the file had its name for a reason
// that may be gone.
func notStored(err error) bool {
	var refused *ftpclient.Error
	var lost *ftpclient.LostError
	switch {
	case errors.As(err, &refused):
		full := refused.Kind() == ftpclient.KindNoSpace || refused.Kind() == ftpclient.KindQuota
		return notRenamed(err) || (refused.Command == "STOR" || refused.Command == "APPE") && !full
	case errors.As(err, &lost):
		return lost.Command != "RNTO"
	}
	return false
}

// notRenamed tells whether the session has ended just before a file that it had stored was
// to get its name, as those do that had nothing to do for too long.
func notRenamed(err error) bool {
	var refused *ftpclient.Error
	return errors.As(err, &refused) && refused.Command == "RNTO" && refused.Code == 421
}

// finish gives p, of so many bytes, its name.
func (u *uploads) finish(ctx context.Context, c *content, p part, path string, own bool, size int64) (ftpclient.Entry, error) {
	w, temp := p.w, p.temp
	defer w.Abort() // does nothing after a Commit that went through
	commit := c.commitment(path)
	if own {
		c.publishes(size, commit.ModTime, p.sum)
	}
	defer c.alter()()
	e, err := w.Commit(ctx, commit)
	if err != nil && !notStored(err) {
		c.mu.Lock()
		c.tried = true
		c.mu.Unlock()
	}
	var lost *ftpclient.LostError
	switch {
	case err == nil:
	case errors.As(err, &lost):
		if now, findErr := u.tree.find(ctx, path); findErr == nil && now.Size == size && u.tree.missing(ctx, temp) {
			e, err = now, nil // renamed before the connection went
		} else if own {
			c.unanswered()
		}
	case refusesRename(err):
		err = fmt.Errorf("the server renames nothing, so files have to be stored under their own names (--no-temp): %w", err)
	case refusesReplace(err):
		if err = u.tree.replace(ctx, temp, path, err, c.stepsAside); err == nil {
			e, err = u.tree.find(ctx, path)
		}
		if err != nil && !c.isFresh() && u.tree.missing(ctx, path) {
			u.tree.temps.left(temp) // the only version under any name: nobody's to delete
			c.sending("")           // nor a later mount's
			return ftpclient.Entry{}, err
		}
	}
	if err != nil {
		u.sweep(temp)
		return ftpclient.Entry{}, err
	}
	if !e.HasMode {
		u.warnOfMode(path, commit)
	}
	if e.Size < 0 {
		e.Size = size
	}
	if e.Size != size {
		c.mu.Lock()
		c.tried = true
		c.mu.Unlock()
		return e, fmt.Errorf("%s has %d bytes of %d on the server: %w", path, e.Size, size, io.ErrShortWrite)
	}
	return e, nil
}

// cameShort finds out what the server has of c under path since an upload that it has not got
// all of: whatever else is there at the next try is somebody else's.
func (u *uploads) cameShort(ctx context.Context, c *content, path string, size int64) {
	if now, err := u.tree.find(ctx, path); err != nil || now.Size == size || !c.spoil(now) {
		c.unanswered()
	}
}

// complete fetches what is not here of the bytes from off to end.
func complete(ctx context.Context, c *content, path string, off, end int64) error {
	for ; off < end; off += fetchStep {
		if err := c.streams.fetch(ctx, off, fetchStep); err != nil {
			return fmt.Errorf("completing %s before its upload: %w", path, err)
		}
	}
	return nil
}

// sendAll brings the bytes of c from off to end to a temporary file.
func (u *uploads) sendAll(ctx context.Context, c *content, path string, own bool, from, end int64) (part, error) {
	if own {
		if err := complete(ctx, c, path, from, end); err != nil {
			return part{}, err
		}
		if c.builds() {
			c.file.Claim() // for the case that the server gets a part of it only, in the place of what it had
		}
	}
	temp := u.tree.temps.beside(path)
	c.sending(temp)
	w, err := u.client.Store(ctx, temp)
	if err != nil {
		if uncertain(err) || outage(err) { // it may wait for the data in a file that is there
			u.sweep(temp)
		}
		return part{}, u.explainStore(ctx, temp, err)
	}
	w.Announce(path, max(0, end-from))
	sum, err := send(ctx, w, c, from, end, own)
	if err != nil {
		w.Abort()
		u.sweep(temp)
		return part{}, err
	}
	return part{w, temp, sum}, nil
}

// explainStore says why a temporary file could not be stored.
func (u *uploads) explainStore(ctx context.Context, temp string, err error) error {
	if err = u.tree.explainFile(ctx, temp, err); errno(err) == syscall.ENOENT {
		err = fmt.Errorf("%w: %v", errNoDirectory, err)
	}
	return err
}

// sentAhead has the sender of c finish, if there is one. Nothing and no error
// means that the file has to be sent from here. A server that is
// full is not filled again.
func (u *uploads) sentAhead(ctx context.Context, c *content, path string, from, end int64) (part, error) {
	s := c.takeSender()
	if s == nil {
		return part{}, nil
	}
	dir, _ := split(path)
	temp := u.tree.temps.at(s.temp)
	if in, _ := split(temp); in != dir || from > 0 {
		s.drop()
		<-s.done
		return part{}, nil
	}
	w, err := s.finish(ctx, end)
	if number := errno(err); number == syscall.ENOSPC || number == syscall.EDQUOT {
		return part{}, err
	}
	if w != nil { // it may have been opened before its directory was renamed
		temp = u.tree.temps.at(s.temp)
		w.Moved(temp)
	}
	return part{w, temp, s.sum}, nil
}

func (u *uploads) warnOfMode(path string, k ftpclient.Commit) {
	if k.HasMode {
		u.log.Warn("the server did not set the permissions of an uploaded file", "path", path, "mode", k.Mode)
	}
}

// commitment says what the server's file at path is to be like.
func (c *content) commitment(path string) ftpclient.Commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := ftpclient.Commit{Path: path, ModTime: c.mtime, Mode: c.base.Mode, HasMode: c.base.HasMode && !c.fresh}
	if c.modeSet {
		k.Mode, k.HasMode = c.mode, true
	}
	return k
}

// send writes the bytes of c from off up to size to w. What is absent is fetched;
// for who has no claim to it, as it is of another version, it is zeros. It returns
// the checksum of all. The end of ctx breaks it off.
func send(ctx context.Context, w *ftpclient.Writer, c *content, off, size int64, own bool) (sum uint32, err error) {
	defer context.AfterFunc(ctx, w.Abort)()
	source := &uploadReader{ctx: ctx, c: c, off: off, size: size, zeros: !own}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, source, make([]byte, min(uploadStep, max(size-off, 1))))
	return source.sum, err
}

// uploadReader reads the content from off to the size that it had when
// the upload began.
type uploadReader struct {
	ctx   context.Context
	c     *content
	off   int64
	size  int64
	zeros bool // in the place of what is absent
	sum   uint32
}

func (r *uploadReader) Read(p []byte) (int, error) {
	n, err := r.next(p)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	return n, err
}

func (r *uploadReader) next(p []byte) (int, error) {
	if r.off >= r.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.size-r.off)]
	if r.zeros {
		switch start, end := r.c.file.Missing(r.off, int64(len(p))); {
		case start >= end:
		case start == r.off:
			clear(p[:end-start])
			r.off = end
			return int(end - start), nil
		default:
			p = p[:start-r.off]
		}
	}
	n, err := r.c.streams.read(r.ctx, p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	if n == 0 && (err == nil || err == io.EOF) {
		err = errCut
	}
	return n, err
}
