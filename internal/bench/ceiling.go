package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"time"

	"bazil.org/fuse"
	"golang.org/x/sys/unix"
)

// memory is a FUSE file system of one directory of files in memory. It does nothing but copy
// bytes, in one loop: no file system on bazil.org/fuse can be much faster.
type memory struct {
	names map[string]fuse.NodeID
	files []*memoryFile // by node, from firstFile
	room  []byte        // for the first file to be created
}

type memoryFile struct{ data []byte }

const (
	firstFile = fuse.RootID + 1
	room      = 256 << 20
	attrTime  = time.Hour // that the kernel need not ask again
)

// serveCeiling serves a copy of the files in the directory from, until it is unmounted.
func serveCeiling(from, dir string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	m := &memory{names: make(map[string]fuse.NodeID)}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		m.add(e.Name()).data = data
	}
	// A machine that finds memory for its first use may be slower than FUSE.
	m.room = bytes.Repeat([]byte{1}, room)
	conn, err := fuse.Mount(dir, fuse.AsyncRead(), fuse.MaxReadahead(1<<20), fuse.MaxBackground(64), fuse.CongestionThreshold(48))
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		r, err := conn.ReadRequest()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		m.answer(r)
	}
}

func (m *memory) add(name string) *memoryFile {
	f := &memoryFile{}
	m.names[name] = firstFile + fuse.NodeID(len(m.files))
	m.files = append(m.files, f)
	return f
}

func (m *memory) file(n fuse.NodeID) *memoryFile {
	if n < firstFile || int(n-firstFile) >= len(m.files) {
		return nil
	}
	return m.files[n-firstFile]
}

func (m *memory) attr(n fuse.NodeID) fuse.Attr {
	a := fuse.Attr{Inode: uint64(n), Mode: os.ModeDir | 0o755, Nlink: 1, Valid: attrTime}
	if f := m.file(n); f != nil {
		a.Mode, a.Size = 0o644, uint64(len(f.data))
	}
	return a
}

func (m *memory) entry(n fuse.NodeID) fuse.LookupResponse {
	return fuse.LookupResponse{Node: n, EntryValid: attrTime, Attr: m.attr(n)}
}

func (m *memory) answer(r fuse.Request) {
	f := m.file(r.Hdr().Node)
	switch r := r.(type) {
	case *fuse.LookupRequest:
		n, ok := m.names[r.Name]
		if !ok {
			r.RespondError(fuse.Errno(unix.ENOENT))
			return
		}
		e := m.entry(n)
		r.Respond(&e)
	case *fuse.GetattrRequest:
		r.Respond(&fuse.GetattrResponse{Attr: m.attr(r.Node)})
	case *fuse.SetattrRequest:
		if f != nil && r.Valid.Size() {
			f.resize(int(r.Size))
		}
		r.Respond(&fuse.SetattrResponse{Attr: m.attr(r.Node)})
	case *fuse.CreateRequest:
		m.add(r.Name).data, m.room = m.room[:0], nil
		r.Respond(&fuse.CreateResponse{LookupResponse: m.entry(m.names[r.Name])})
	case *fuse.OpenRequest:
		r.Respond(&fuse.OpenResponse{})
	case *fuse.ReadRequest:
		if f == nil { // a directory; nobody lists it
			r.Respond(&fuse.ReadResponse{})
			return
		}
		end := min(int(r.Offset)+r.Size, len(f.data))
		r.Respond(&fuse.ReadResponse{Data: f.data[min(int(r.Offset), end):end]})
	case *fuse.WriteRequest:
		if end := int(r.Offset) + len(r.Data); end > len(f.data) {
			f.resize(end)
		}
		r.Respond(&fuse.WriteResponse{Size: copy(f.data[r.Offset:], r.Data)})
	case *fuse.FlushRequest:
		r.Respond()
	case *fuse.FsyncRequest:
		r.Respond()
	case *fuse.ReleaseRequest:
		r.Respond()
	case *fuse.ForgetRequest:
		r.Respond()
	case *fuse.BatchForgetRequest:
		r.Respond()
	case *fuse.InterruptRequest:
		r.Respond()
	case *fuse.StatfsRequest:
		r.Respond(&fuse.StatfsResponse{})
	default:
		r.RespondError(fuse.Errno(unix.ENOSYS))
	}
}

// resize cuts the file or fills it up with zeros.
func (f *memoryFile) resize(n int) {
	if n > cap(f.data) {
		f.data = append(make([]byte, 0, max(2*cap(f.data), n)), f.data...)
	}
	f.data = f.data[:n]
}
