package ftpfs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// crowd is how many files are in a large directory.
const crowd = 3000

// mountCrowd mounts a server whose directory big has the files 0000, 0001 and so on.
func mountCrowd(t *testing.T, opts ftpfs.Options) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	files := make(map[string]string)
	for i := range crowd {
		files[fmt.Sprintf("/big/%04d", i)] = ""
	}
	return mountEmbedded(t, opts, files)
}

// dents has python read directories as the kernel gives them: names with the offsets behind them.
const dents = `
import struct
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(32768)
def dents(fd):
    n = libc.syscall(217, fd, buffer, len(buffer))
    if n < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    found, at = [], 0
    while at < n:
        _, off, length = struct.unpack_from("QqH", buffer.raw, at)
        found.append((buffer.raw[at + 19:at + length].split(b"\0")[0].decode(), off))
        at += length
    return found
def rest(fd):
    found = []
    while part := dents(fd):
        found += part
    return found
def some(fd, n):
    found = []
    while len(found) < n:
        part = dents(fd)
        assert part, (len(found), "and no more")
        found += part
    return found
def names(found):
    return sorted(name for name, _ in found)
everything = sorted([".", ".."] + ["%04d" % i for i in range(3000)])
def opened(name):
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY)
`

// listings counts how often a directory was asked for.
func listings(server *ftptest.Embedded, dir string) (n int) {
	for _, e := range server.Log().Entries() {
		if e.Sent && e.Line == "MLSD "+dir {
			n++
		}
	}
	return n
}

// The first names of a large directory are there while the server still sends the others; all
// who read it share one listing, and one who leaves does not end it.
func TestNamesComeBeforeTheListingIsWhole(t *testing.T) {
	t.Parallel()
	server, m := mountCrowd(t, ftpfs.Options{})
	hold := server.StallData("MLSD", 50_000)
	defer hold.Release()
	python(t, m, dents+`
one, two = opened("big"), opened("big")
begun = some(one, 500)
assert names(begun) != everything
assert some(two, 500)[:300] == begun[:300]
os.close(two)
others()
found = begun + rest(one)
assert names(found) == everything, len(found)
assert rest(one) == []

# An offset stays where it is, also those that were told before the listing was whole.
for i in 3, 400, 2000, 3001:
    os.lseek(one, found[i][1], 0)
    assert rest(one) == found[i + 1:], i
os.lseek(one, 0, 0)
assert names(rest(one)) == everything
os.close(one)
assert names(rest(opened("big"))) == everything
`, func() {
		reached(t, hold)
		hold.Release()
	})
	if n := listings(server, "/big"); n != 1 {
		t.Errorf("listed %d times", n)
	}
}

// A name is found as soon as it has come, also by who waits for it alone; the listing goes on to
// its end for the next one, and tells the same.
func TestFileIsFoundBeforeTheListingIsWhole(t *testing.T) {
	t.Parallel()
	server, m := mountCrowd(t, ftpfs.Options{})
	hold := server.StallData("MLSD", 50_000)
	defer hold.Release()
	python(t, m, `
one = os.stat("big/0003")
assert os.stat("big/0100").st_size == 0
others()
again = os.stat("big/0003")
assert (one.st_ino, one.st_mtime_ns, one.st_mode) == (again.st_ino, again.st_mtime_ns, again.st_mode)
os.stat("big/2999")
fails(errno.ENOENT, os.stat, "big/nowhere")
`, func() {
		reached(t, hold)
		if m.FS.Stats().Dirs.Filling != 1 {
			t.Error("the listing is not under way any more")
		}
		hold.Release()
	})
	if n := listings(server, "/big"); n != 1 {
		t.Errorf("listed %d times", n)
	}
}

// A listing that breaks off is an error, however many names have come, and whoever reads it;
// rewound, the directory is listed anew.
func TestListingBreaksOffAmongItsNames(t *testing.T) {
	t.Parallel()
	server, m := mountCrowd(t, ftpfs.Options{})
	hold := server.StallData("MLSD", 50_000)
	server.DropData("MLSD", 100_000, 1)
	python(t, m, dents+`
one, two = opened("big"), opened("big")
begun = some(one, 500)
others()
fails(errno.EIO, rest, one)
fails(errno.EIO, rest, one)
fails(errno.EIO, rest, two)
os.lseek(one, begun[400][1], 0)
fails(errno.EIO, rest, one)
os.lseek(one, 0, 0)
assert names(rest(one)) == everything
os.lseek(two, 0, 0)
assert names(rest(two)) == everything
`, func() {
		reached(t, hold)
		hold.Release()
	})
	if n := listings(server, "/big"); n != 2 {
		t.Errorf("listed %d times", n)
	}
}

// What stays is seen exactly once by who reads while other entries come and go.
func TestReadingWhileEntriesComeAndGo(t *testing.T) {
	t.Parallel()
	server, m := mountCrowd(t, ftpfs.Options{})
	hold := server.StallData("MLSD", 50_000)
	python(t, m, dents+`
fd = opened("big")
begun = some(fd, 500)
others()
for i in range(0, 3000, 300):
    os.unlink("big/%04d" % i)
    spit("big/new%d" % i, b"")
    os.rename("big/%04d" % (i + 1), "big/moved%d" % i)
found = names(begun + rest(fd))
assert len(set(found)) == len(found)
stay = {"%04d" % i for i in range(3000) if i % 300 > 1}
assert stay <= set(found)
now = sorted(stay | {".", ".."} | {"%s%d" % (kind, i) for kind in ("new", "moved") for i in range(0, 3000, 300)})
os.lseek(fd, 0, 0)
assert names(rest(fd)) == now
`, func() {
		reached(t, hold)
		hold.Release()
	})
	m.Run(`rm -r big; test -z "$(ls -A)"`)
}

// Who is freed by a signal, or gives up, while names come leaves nothing behind.
func TestLeavingAmongTheNames(t *testing.T) {
	t.Parallel()
	server, m := mountCrowd(t, ftpfs.Options{})
	hold := server.StallData("MLSD", 50_000)
	defer hold.Release()
	python(t, m, dents+`
fd = opened("big")
some(fd, 500)
child = os.fork()
if child == 0:
    rest(fd) # without end
    os._exit(1)
others()
os.kill(child, 9)
assert os.waitpid(child, 0)[1] == 9
os.close(fd)
`, func() { reached(t, hold) })
	eventually(t, 10*time.Second, "the end of the listing", func() error {
		if n := m.FS.Stats().Dirs.Filling; n != 0 {
			return fmt.Errorf("%d listings are under way", n)
		}
		return nil
	})
	if out := m.Run("ls big | wc -l"); strings.TrimSpace(out) != fmt.Sprint(crowd) {
		t.Error(out)
	}
}

// What is only here has its place in a listing, too.
func TestFreshFilesAreListedInOrder(t *testing.T) {
	t.Parallel()
	_, m := mountEmbedded(t, ftpfs.Options{WriteBack: time.Hour}, map[string]string{"/dir/file": ""})
	python(t, m, `
for i in range(50):
    spit("dir/%d" % i, b"")
first = os.listdir("dir")
assert len(first) == 51
assert all(os.listdir("dir") == first for _ in range(5))
`)
}
