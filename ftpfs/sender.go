package ftpfs

import (
	"context"
	"errors"
	"hash/crc32"
	"sync"
	"time"

	"ftpfs/ftpclient"
)

// A new file that is written from its start to its end is sent meanwhile, under
// its temporary name: at the close only the rest of it is left. When something
// is changed that was sent already, the upload is given up, and the close sends
// the file from here.

const (
	sendFrom  = 1 << 20         // bytes that have to be here before a sender begins, or goes on
	sendLeast = 64 << 10        // bytes per write to the data connection, but for the last ones
	parkAfter = 2 * time.Second // a writer that pauses so long does not keep a connection
)

// A sender sends a file behind its writer. A connection that somebody else waits
// for, or that has nothing to do, is given back in good order: what the server
// has by then it keeps, and the rest is appended later.
type sender struct {
	uploads *uploads
	content *content
	path    string        // what it will be called, unless that changes meanwhile
	temp    string        // where the server has it
	wake    chan struct{} // of 1: something below has changed
	done    chan struct{} // closed when nothing more will be sent
	cancel  context.CancelFunc

	w     *ftpclient.Writer // while connected; run's, then of who waited for done
	err   error             // why it was given up; set before done is closed
	began bool              // temp may exist; run's
	sum   uint32            // of what was sent; as w

	mu      sync.Mutex
	pos     int64 // what is before it was sent, or is being sent
	end     int64 // what is before it is here
	size    int64 // of the file, when it is to be finished; -1 until then
	spoiled bool  // what was sent has changed, or is not wanted any more
}

// sendAhead begins to send c if enough of it was written for that. It is called
// after each write, and does not block.
func (u *uploads) sendAhead(n *node, c *content) {
	if u.inPlace || !c.sendable() {
		return
	}
	path, named := u.nodes.path(n)
	if !named {
		return
	}
	path = below(u.tree.root, path)
	s := &sender{
		uploads: u, content: c, path: path, temp: u.tree.temps.beside(path),
		wake: make(chan struct{}, 1), done: make(chan struct{}), size: -1,
	}
	ctx, cancel := context.WithCancel(u.base)
	s.cancel = cancel
	if !c.setSender(s) {
		cancel()
		return
	}
	u.wg.Go(func() {
		defer cancel()
		s.run(ctx)
	})
}

// sendable tells whether a sender should begin.
func (c *content) sendable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sender == nil && c.run >= sendFrom
}

// setSender makes s the sender, unless there is one or none is wanted any more.
func (c *content) setSender(s *sender) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sender != nil || c.run < sendFrom {
		return false
	}
	s.end = c.run
	c.sender = s
	return true
}

// advance is told of a change of the bytes from off to end; the file is at least
// so long then. It wants content.mu held.
func (c *content) advance(off, end int64) {
	if c.run >= 0 {
		c.run = max(c.run, end)
	}
	c.follow(off)
}

// cut is told that the file ends at size. It wants content.mu held.
func (c *content) cut(size int64) {
	switch {
	case size == 0:
		c.run = 0
	case c.run >= 0:
		c.run = min(c.run, size)
	}
	c.follow(size)
}

// follow tells the sender of a change from off on. It wants content.mu held.
func (c *content) follow(off int64) {
	if c.sender == nil || c.sender.wrote(off, c.run) {
		return
	}
	c.sender = nil
	if off > 0 {
		c.run = -1 // a program that goes back and forth
	}
}

// takeSender ends the sending ahead; what is written from now on is not part of
// it. It returns the sender, or nil. One that has not heard of a change yet that
// is under way is given up.
func (c *content) takeSender() *sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sender
	if s != nil || c.run > 0 {
		c.run = -1
	}
	c.sender = nil
	if s != nil && c.changes > 0 {
		s.drop()
		return nil
	}
	return s
}

func (c *content) dropSender() {
	if s := c.takeSender(); s != nil {
		s.drop()
	}
}

// wrote is told of a change from off on, and how far the file is here in one
// piece. It answers false when that spoils what was sent.
func (s *sender) wrote(off, end int64) bool {
	s.mu.Lock()
	s.end = end
	s.spoiled = s.spoiled || off < s.pos
	ok := !s.spoiled
	s.mu.Unlock()
	s.signal()
	return ok
}

// drop makes the sender give up; what it has sent is deleted.
func (s *sender) drop() {
	s.mu.Lock()
	s.spoiled = true
	s.mu.Unlock()
	s.signal()
}

func (s *sender) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finish sends the rest of a file of the given size. The Writer has all of it
// then, and is the caller's to end. The sending ends with ctx, too.
func (s *sender) finish(ctx context.Context, size int64) (*ftpclient.Writer, error) {
	defer context.AfterFunc(ctx, s.cancel)()
	s.mu.Lock()
	s.size = size
	s.mu.Unlock()
	s.signal()
	<-s.done
	return s.w, s.err
}

// errSpoiled: what was sent ahead is not what the file is now.
var errSpoiled = errors.New("the file was changed where it had been sent already")

func (s *sender) run(ctx context.Context) {
	s.err = s.pump(ctx)
	spoiled := s.err != nil
	if spoiled && s.w != nil {
		s.w.Abort()
		s.w = nil
	}
	close(s.done)
	if spoiled && s.began {
		s.uploads.sweep(s.temp)
	}
}

func (s *sender) pump(ctx context.Context) error {
	buf := make([]byte, uploadStep)
	moved := 0 // since it is connected
	for {
		n, finishing, err := s.pending()
		switch {
		case err != nil:
			return err
		case finishing && n == 0 && s.w != nil:
			return nil
		case s.w == nil && (finishing || n >= sendFrom):
			if err := s.connect(ctx); err != nil {
				return err
			}
			moved = 0
		case s.w != nil && (finishing || n >= sendLeast && !s.uploads.yield(moved)):
			m, err := s.piece(ctx, buf[:min(n, uploadStep)])
			if err != nil {
				return err
			}
			moved += m
		default:
			if err := s.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// pending is how much there is to send.
func (s *sender) pending() (n int64, finishing bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spoiled || s.size >= 0 && s.size < s.pos {
		return 0, false, errSpoiled
	}
	if s.size >= 0 {
		return s.size - s.pos, true, nil
	}
	return s.end - s.pos, false, nil
}

// connect opens the file for more of it. What the server has of it may have
// become less since: as it is renamed before its size is known, that is asked.
func (s *sender) connect(ctx context.Context) (err error) {
	client, temps := s.uploads.client, s.uploads.tree.temps
	temp := temps.at(s.temp)
	open := func(ctx context.Context, temp string) (*ftpclient.Writer, error) {
		return client.AppendIf(ctx, temp, func() error { // which would make another file elsewhere
			if temps.at(temp) != temp {
				return errMoved
			}
			return nil
		})
	}
	if !s.began {
		open = client.Create
		s.content.sending(temp)
	} else if size, err := client.Size(ctx, temp); err != nil {
		return err
	} else if size != s.pos { // which only run changes
		return errSpoiled
	}
	s.began = true
	if s.w, err = open(ctx, temp); err != nil {
		return err
	}
	if temps.at(temp) != temp {
		return errMoved
	}
	s.w.Announce(s.path, -1)
	return nil
}

// piece sends the next bytes.
func (s *sender) piece(ctx context.Context, p []byte) (int, error) {
	defer context.AfterFunc(ctx, s.w.Abort)()
	s.mu.Lock()
	off := s.pos
	s.pos += int64(len(p)) // before they are read: who changes them from now on spoils them
	s.mu.Unlock()
	n, err := s.content.file.ReadAt(expired, p, off)
	if n < len(p) {
		return 0, errors.Join(errSpoiled, err)
	}
	s.sum = crc32.Update(s.sum, castagnoli, p)
	return s.w.Write(p)
}

// rest waits for more to do. The connection is given back when that lasts, or
// when somebody waits for it.
func (s *sender) rest(ctx context.Context) error {
	if s.w == nil {
		select {
		case <-s.wake:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tick := time.NewTicker(contendCheck)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < parkAfter && !s.uploads.yield(-1); {
		select {
		case <-s.wake:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if n, finishing, err := s.pending(); finishing || err != nil || n >= sendLeast {
			return nil
		}
	}
	return s.park(ctx)
}

// park gives the connection back, if the file can be gone on with later.
func (s *sender) park(ctx context.Context) error {
	w := s.w
	s.w = nil
	stop := context.AfterFunc(ctx, w.Abort)
	err := w.Close()
	stop()
	if err != nil {
		return err
	}
	client := s.uploads.client
	if client.CanAppend() == ftpclient.Unknown {
		trial := s.uploads.tree.temps.beside(s.temp)
		s.content.leaves(trial)
		if err := client.LearnAppend(ctx, trial); err != nil { // it stays unknown
			s.uploads.sweep(trial)
		}
	}
	if client.CanAppend() != ftpclient.Yes {
		return errSpoiled
	}
	return nil
}
