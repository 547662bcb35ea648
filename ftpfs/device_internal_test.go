package ftpfs

import (
	"errors"
	"os"
	"testing"
	"time"

	"bazil.org/fuse"

	"ftpfs/cache"
)

// What cannot be spliced is left to be copied.
func TestDeviceThatCannotSplice(t *testing.T) {
	files, err := cache.OpenFiles(cache.FilesConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	const size = 1 << 20
	f, err := files.Open("/f", cache.Version{Size: size, ModTime: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Fill(make([]byte, size/2), 0); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	d := &device{file: null, pipes: make(chan *pipe, sparePipes)}
	defer d.Close()
	var none *device
	for _, r := range []fuse.ReadRequest{
		{Offset: 0, Size: mostAtOnce},
		{Offset: size / 2, Size: mostAtOnce},
		{Offset: 0, Size: leastSplice - 1},
		{Offset: 0, Size: mostAtOnce + 1},
		{Offset: size, Size: mostAtOnce},
	} {
		if d.answer(&r, f) || none.answer(&r, f) {
			t.Errorf("answered %d bytes from %d", r.Size, r.Offset)
		}
	}
	if len(d.pipes) != 0 {
		t.Error("a pipe with something in it is used again")
	}
}

// Where the file system of the cache has no splice, that is known after the first try.
func TestPipeOfWhatCannotBeSpliced(t *testing.T) {
	p, err := newPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir, err := os.Open(t.TempDir()) // has no splice either
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := p.fill(1, dir, 0, leastSplice); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
