package ftpfs

import (
	"io/fs"
	"syscall"
	"time"
)

// What programs change in a content, before any of it is on the server.

// begin announces a local change of the bytes, which belongs where it is made
// or at whatever end the file has. It is refused when the server will not have
// the file, or when the file is another content's by now.
func (c *content) begin(placed bool) error {
	news, err := c.changeable(placed)
	if err != nil {
		return err
	}
	c.noted.Do(c.journal)
	if news {
		c.journal()
	}
	return nil
}

// changeable is begin without the journal. It answers whether that has to know more than
// the change: the place matters only now, or somebody writes to what was being removed, or stored in place.
func (c *content) changeable(placed bool) (news bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.refused != nil:
		return false, c.refused
	case c.past:
		return false, syscall.ESTALE
	}
	c.changes++
	news = placed && !c.placed || c.doomed || c.torn && !c.mixed
	c.mixed = c.mixed || c.torn
	c.placed, c.doomed = c.placed || placed, false
	return news, nil
}

// end ends what begin announced. note, unless it is nil, is told of the change.
// Times are what servers can hold: whole seconds, so that they do not change by
// the upload. The journal is told once a second: with the time of an earlier upload
// a later mount would make a version that looks like that one.
func (c *content) end(note func()) {
	c.mu.Lock()
	c.changes--
	if note != nil {
		c.mtime = time.Now().UTC().Truncate(time.Second)
		note()
	}
	untold := note != nil && !c.mtime.Equal(c.told)
	c.mu.Unlock()
	if untold {
		c.journal()
	}
}

// write stores p at off. It never blocks for the network.
func (c *content) write(p []byte, off int64) (int, error) {
	return c.store(p, off, true)
}

// append stores p at the end. The server may have another end by then.
func (c *content) append(p []byte) (int, error) {
	return c.store(p, c.file.Size(), false)
}

func (c *content) store(p []byte, off int64, placed bool) (int, error) {
	if err := c.begin(placed); err != nil {
		return 0, err
	}
	n, err := c.file.WriteAt(p, off)
	if n == 0 {
		c.end(nil)
		return 0, err
	}
	c.end(func() { c.advance(off, off+int64(n)) })
	return n, err
}

// truncate sets the size. Bytes that were cut off are never fetched.
func (c *content) truncate(size int64) error {
	if err := c.begin(true); err != nil {
		return err
	}
	err := c.file.Truncate(size)
	if err != nil {
		c.end(nil)
		return err
	}
	c.end(func() {
		c.whole = c.whole || size == 0
		c.cut(size)
	})
	if size == 0 {
		c.journal()
	}
	return nil
}

// setTime and setMode are for contents that are not uploaded yet: commit
// brings them to the server with the bytes.
func (c *content) setTime(t time.Time) {
	c.mu.Lock()
	c.mtime = t.UTC().Truncate(time.Second)
	c.mu.Unlock()
	c.journal()
}

func (c *content) setMode(mode fs.FileMode) {
	c.mu.Lock()
	c.mode, c.modeSet = mode, true
	c.mu.Unlock()
	c.journal()
}
