package ftpfs_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"ftpfs/ftpfs"
)

// What is here goes to the kernel without a copy, also by O_DIRECT to places that are no pages, at
// the end of the file, and by several readers at once.
func TestReadsAreSpliced(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]ftpfs.Options{
		"disk":        {},
		"memory":      {CacheBytes: -1},
		"small cache": {CacheBytes: 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := random(5<<20 + 12345)
			_, m := mountEmbedded(t, opts, map[string]string{"/big": string(data)})
			python(t, m, `
import concurrent.futures, hashlib
data = slurp("big")
assert hashlib.sha256(data).hexdigest() == "`+fmt.Sprintf("%x", sha256.Sum256(data))+`"
f = os.open("big", os.O_RDONLY | os.O_DIRECT)
def read(at):
    room = mmap.mmap(-1, 1 << 20)
    while n := os.preadv(f, [memoryview(room)[512:]], at):
        assert room[512:512 + n] == data[at:at + n], (at, n)
        at += n
    assert at == len(data), at
with concurrent.futures.ThreadPoolExecutor(5) as readers:
    list(readers.map(read, (0, 512, 1 << 20, 4 << 20, 5 << 20)))
`)
			if !m.FS.Splices() {
				t.Error("all was copied")
			}
		})
	}
}
