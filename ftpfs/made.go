package ftpfs

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"ftpfs/ftpclient"
)

// After a kill, or when an answer was lost, what the server has under a file's name
// may be what an upload of it has made, or what somebody else has stored since.
// Size and time tell whether it looks like the former; only the bytes tell that it is.

// A made is a version that an upload is about to make, or may have made.
type made struct {
	ftpclient.Entry
	sum uint32 // of its bytes
}

// castagnoli is for sums of what is sent: CRC-32C, which costs nothing beside the network.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// publishes writes down which version of c an upload is about to make: a later mount
// must know it for ours, whoever else it may be after a kill that cuts the answer off. It
// blocks for the local disk.
func (c *content) publishes(size int64, modTime time.Time, sum uint32) {
	c.mu.Lock()
	c.next = made{ftpclient.Entry{Size: size, ModTime: modTime, Precision: time.Second}, sum}
	c.mu.Unlock()
	c.journal()
}

// unanswered writes down that nobody knows whether it has made that version.
func (c *content) unanswered() {
	c.mu.Lock()
	if !slices.Contains(c.sent, c.next) {
		c.sent = append(c.sent, c.next)
	}
	c.mu.Unlock()
	c.journal()
}

// verify forgets what an upload of c may have made, if it looks like now, which the
// server has, and has other bytes, or such as nobody may read. It fetches all of it then.
func (u *uploads) verify(ctx context.Context, c *content, path string, now ftpclient.Entry) error {
	looks := func(m made) bool { return agree(now, m.Entry) }
	c.mu.Lock()
	some := slices.ContainsFunc(c.sent, looks)
	c.mu.Unlock()
	if !some {
		return nil
	}
	sum, err := u.sumOf(ctx, c, path, now.Size)
	refused := refusesRead(err)
	if err != nil && !refused {
		return err
	}
	c.mu.Lock()
	c.sent = slices.DeleteFunc(c.sent, func(m made) bool { return looks(m) && (refused || m.sum != sum) })
	c.mu.Unlock()
	return nil
}

// sumOf fetches the server's file of c, at path, which has that size.
func (u *uploads) sumOf(ctx context.Context, c *content, path string, size int64) (uint32, error) {
	sum := crc32.New(castagnoli)
	if size == 0 {
		return sum.Sum32(), nil
	}
	r, err := u.retrieve(ctx, c, path, 0, size)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	defer context.AfterFunc(ctx, func() { r.Close() })()
	_, err = io.CopyN(sum, r, size)
	return sum.Sum32(), err
}

// retrieve is Retrieve for the server's file of c, and nobody else's, which may have got its path
// while a connection was awaited.
func (u *uploads) retrieve(ctx context.Context, c *content, path string, start, end int64) (*ftpclient.Reader, error) {
	r, err := u.client.Retrieve(ctx, path, start, end)
	if !u.moved(c, path) {
		return r, err
	}
	if err == nil {
		r.Close()
	}
	return nil, errMoved
}

// hasPart tells whether now, which the server has, is the beginning of c, and of a version that
// an upload was to make whose answer was lost: it has the time of that, and is shorter.
func (u *uploads) hasPart(ctx context.Context, c *content, path string, now ftpclient.Entry) (bool, error) {
	c.mu.Lock()
	looks := slices.ContainsFunc(c.sent, func(m made) bool { return now.Size < m.Size && now.ModTime.Equal(m.ModTime) })
	c.mu.Unlock()
	if start, end := c.file.Missing(0, now.Size); !looks || start < end || c.file.Size() < now.Size {
		return false, nil
	}
	return u.surelySame(ctx, c, path, 0, now.Size)
}

// surelySame is same, but bytes that nobody may read are taken for others.
func (u *uploads) surelySame(ctx context.Context, c *content, path string, start, end int64) (bool, error) {
	same, err := u.same(ctx, c, path, start, end)
	if refusesRead(err) {
		return false, nil
	}
	return same, err
}

// refusesRead tells whether the server does not let us have a file that it has: some take files
// and give none.
func refusesRead(err error) bool {
	refused, is := errors.AsType[*ftpclient.Error](err)
	return is && refused.Command == "RETR" && !refused.Temporary()
}
