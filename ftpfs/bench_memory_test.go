package ftpfs_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"bazil.org/fuse"
	"bazil.org/fuse/fs"
)

// serveMemory mounts the benchmarks' file system in memory until the test
// ends: directories d0, d1, ... of empty files f0, f1, ..., and one large file.
func serveMemory(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "ftpfs-memory-")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := fuse.Mount(dir, fuse.AsyncRead(), fuse.MaxReadahead(1<<20), fuse.MaxBackground(64), fuse.CongestionThreshold(48))
	if err != nil {
		os.Remove(dir)
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- fs.Serve(conn, memory{}) }()
	b.Cleanup(func() {
		if err := fuse.Unmount(dir); err != nil {
			b.Error(err)
			return
		}
		if err := <-served; err != nil {
			b.Error(err)
		}
		conn.Close()
		os.Remove(dir)
	})
	return dir
}

type memory struct{}

func (memory) Root() (fs.Node, error) {
	return &memoryDir{file: &memoryFile{data: make([]byte, fileSize)}}, nil
}

type memoryDir struct{ file *memoryFile }

func (*memoryDir) Attr(_ context.Context, a *fuse.Attr) error {
	a.Mode = os.ModeDir | 0o755
	return nil
}

func (d *memoryDir) Lookup(_ context.Context, name string) (fs.Node, error) {
	switch {
	case name == "file":
		return d.file, nil
	case strings.HasPrefix(name, "d"):
		return &memoryDir{}, nil
	case strings.HasPrefix(name, "f"):
		return &memoryFile{}, nil
	}
	return nil, syscall.ENOENT
}

type memoryFile struct {
	mu   sync.Mutex
	data []byte
}

func (f *memoryFile) Attr(_ context.Context, a *fuse.Attr) error {
	a.Mode, a.Size = 0o644, uint64(len(f.data))
	return nil
}

func (f *memoryFile) Read(_ context.Context, req *fuse.ReadRequest, resp *fuse.ReadResponse) error {
	end := min(int(req.Offset)+req.Size, len(f.data))
	resp.Data = f.data[min(int(req.Offset), end):end]
	return nil
}

func (f *memoryFile) Write(_ context.Context, req *fuse.WriteRequest, resp *fuse.WriteResponse) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	resp.Size = copy(f.data[req.Offset:], req.Data)
	return nil
}

// Setattr takes no change: the file keeps its size.
func (f *memoryFile) Setattr(context.Context, *fuse.SetattrRequest, *fuse.SetattrResponse) error {
	return nil
}

func (f *memoryFile) Getxattr(context.Context, *fuse.GetxattrRequest, *fuse.GetxattrResponse) error {
	return syscall.ENOSYS
}
