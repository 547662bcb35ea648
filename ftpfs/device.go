package ftpfs

import (
	"encoding/binary"
	"errors"
	"os"
	"reflect"

	"bazil.org/fuse"
	"golang.org/x/sys/unix"

	"ftpfs/cache"
)

// A device is the kernel's end of the mount, for answers that the wire layer has no method
// for: bytes that go from a file to the kernel's pages without a copy in memory of ours, by
// splice(2). Without one, as with a kernel or a file that cannot do that, they are copied.
type device struct {
	file  *os.File   // of the connection, which is its owner
	pipes chan *pipe // that nobody uses now
}

// A pipe carries one answer at a time.
type pipe struct{ from, to int }

const (
	leastSplice = 16 << 10       // what is less is as soon copied
	pipeSize    = 2 * mostAtOnce // room for the header, and for pages that are used in part
	outHeader   = 4 + 4 + 8      // fuse_out_header: u32 length, s32 error, u64 request
	sparePipes  = 4
)

// newDevice finds the device of a connection, nil if that is not where it should be.
func newDevice(conn *fuse.Conn) *device {
	dev := reflect.ValueOf(conn).Elem().FieldByName("dev")
	if !dev.IsValid() || dev.Type() != reflect.TypeFor[*os.File]() || dev.IsNil() {
		return nil
	}
	return &device{file: (*os.File)(dev.UnsafePointer()), pipes: make(chan *pipe, sparePipes)}
}

// Close is for when there are no more requests.
func (d *device) Close() {
	if d == nil {
		return
	}
	close(d.pipes)
	for p := range d.pipes {
		p.Close()
	}
}

// answer answers r with what the local file has, and tells whether it has done so. Not if
// some of that is absent, or is little, or cannot be spliced.
func (d *device) answer(r *fuse.ReadRequest, file *cache.File) bool {
	n := min(int64(r.Size), file.Size()-r.Offset)
	if d == nil || n < leastSplice || n > mostAtOnce {
		return false
	}
	lent, err := file.Lend(r.Offset, n, func(fd *os.File) error {
		p, err := d.take()
		if err != nil {
			return err
		}
		if err = p.fill(r.ID, fd, r.Offset, int(n)); err == nil {
			err = d.send(p, outHeader+int(n))
		}
		if err != nil {
			p.Close() // something may be left in it
			return err
		}
		d.spare(p)
		return nil
	})
	if !lent || err != nil { // also when nobody waits for the answer any more: that costs nothing
		return false
	}
	(&fuse.ForgetRequest{Header: r.Header}).Respond() // gives the request's memory back, and no answer
	return true
}

// take returns an empty pipe.
func (d *device) take() (*pipe, error) {
	select {
	case p := <-d.pipes:
		return p, nil
	default:
		return newPipe()
	}
}

func (d *device) spare(p *pipe) {
	select {
	case d.pipes <- p:
	default:
		p.Close()
	}
}

// send lets the kernel have the n bytes in p.
func (d *device) send(p *pipe, n int) error {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(dev uintptr) { err = splice(p.from, nil, int(dev), n) })
	if failed != nil {
		return failed
	}
	return err
}

func newPipe() (*pipe, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	p := &pipe{from: ends[0], to: ends[1]}
	if _, err := unix.FcntlInt(uintptr(p.to), unix.F_SETPIPE_SZ, pipeSize); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *pipe) Close() {
	unix.Close(p.from)
	unix.Close(p.to)
}

// fill puts the answer to a read of n bytes at off into p, which is empty.
func (p *pipe) fill(id fuse.RequestID, fd *os.File, off int64, n int) error {
	var header [outHeader]byte
	binary.NativeEndian.PutUint32(header[:], uint32(outHeader+n))
	binary.NativeEndian.PutUint64(header[8:], uint64(id))
	if _, err := unix.Write(p.to, header[:]); err != nil {
		return err
	}
	raw, err := fd.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(from uintptr) { err = splice(int(from), &off, p.to, n) })
	switch {
	case failed != nil:
		return failed
	case err == unix.EINVAL: // the file system of the cache has no splice
		return errors.ErrUnsupported
	}
	return err
}

// splice moves n bytes, all of them unless there is an error.
func splice(from int, off *int64, to, n int) error {
	for n > 0 {
		m, err := unix.Splice(from, off, to, nil, n, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case m == 0:
			return unix.ENODATA
		}
		n -= int(max(m, 0))
	}
	return nil
}
