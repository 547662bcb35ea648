package ftpfs_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// randomReads compares a file in the mount with the original: from one end to
// the other in jumps, backward, and around places that were read before.
const randomReads = `
/usr/bin/python3 - "$original" big <<'END'
import os, random, sys
a, b = (os.open(p, os.O_RDONLY) for p in sys.argv[1:])
size = os.fstat(a).st_size
assert os.fstat(b).st_size == size, os.fstat(b)
rng, at = random.Random(7), 0
for i in range(400):
    kind = rng.randrange(4)
    if kind == 0: at = rng.randrange(size)
    elif kind == 1: at = max(0, at - rng.randrange(1 << 20))
    elif kind == 2: at = min(size, at + rng.randrange(3 << 20))
    else: at = size - rng.randrange(100000)
    n = rng.choice([1, 100, 4096, 70000, 300000])
    want, got = os.pread(a, n, at), os.pread(b, n, at)
    assert want == got, (at, n, len(got))
END
`

func TestRandomReadsOfABigFile(t *testing.T) {
	original := filepath.Join(t.TempDir(), "original")
	makeBigFile(t, original)
	overReal(t, func(t *testing.T, server *ftptest.Server, mode ftpclient.Mode) {
		if err := os.Link(original, filepath.Join(server.Root, "big")); err != nil {
			t.Fatal(err)
		}
		// A cache far smaller than the file: what was read goes again.
		m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Mode: mode},
			ftpfs.Options{CacheBytes: 32 << 20})
		m.Run("original='" + original + "'" + randomReads)
		if got := m.FS.Stats().Client.BytesIn; got > 1<<30 {
			t.Errorf("400 small reads transferred %d bytes", got)
		}
	})
}

// makeBigFile makes a sparse file of 3 GiB with islands of data, some beyond
// the 2 GiB line.
func makeBigFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 3<<30 + 12345
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	block := make([]byte, 1<<20)
	for range 150 {
		for i := range block {
			block[i] = byte(rng.Uint32())
		}
		if _, err := f.WriteAt(block, rng.Int64N(size-int64(len(block)))); err != nil {
			t.Fatal(err)
		}
	}
}
