package ftpfs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

func TestUnlinkedOpenFile(t *testing.T) {
	t.Parallel()
	data := random(24 << 20) // more than is read ahead
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/dir/file": string(data), "/dir/whole": "whole", "/dir/written": "written"})
	python(t, m, `
f, g, h = os.open("dir/file", os.O_RDONLY), os.open("dir/whole", os.O_RDONLY), os.open("dir/written", os.O_RDWR)
head = os.read(f, 1000)
assert os.pread(g, 10, 0) == b"whole"
os.pwrite(h, b"X", 0)
for name in "file", "whole", "written":
    os.unlink("dir/" + name)
    assert not os.path.exists("dir/" + name)
assert os.listdir("dir") == []
rest = b""
while chunk := os.read(f, 1 << 20):
    rest += chunk
spit("copy", head + rest)
assert os.pread(g, 10, 0) == b"whole"
assert os.pread(h, 10, 0) == b"Xritten"
os.ftruncate(h, 2)
assert os.fstat(h).st_size == 2 and os.pread(h, 10, 0) == b"Xr"
assert os.fstat(f).st_size == len(head + rest)
assert [os.fstat(fd).st_nlink for fd in (f, g, h)] == [0, 0, 0]
for fd in f, g, h:
    os.close(fd)
`)
	if served(t, server, "/copy") != string(data) {
		t.Error("wrong bytes of the unlinked file")
	}
	eventually(t, 5*time.Second, "the end of the unlinked files on the server", func() error {
		names, err := afero.ReadDir(server.Fs(), "/dir")
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("the server has %v", names)
		}
		return err
	})
}

// What is open and unlinked keeps no directory from being removed, and follows
// one that is renamed.
func TestDirectoryOfAnUnlinkedFile(t *testing.T) {
	t.Parallel()
	data := random(24 << 20)
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/a/b/file": string(data), "/a/c/file": string(data)})
	python(t, m, `
f, g = os.open("a/b/file", os.O_RDONLY), os.open("a/c/file", os.O_RDONLY)
head = os.read(f, 1000)
assert len(os.read(g, 1000)) == 1000
os.unlink("a/b/file")
os.unlink("a/c/file")
os.rmdir("a/b")
os.rename("a/c", "a/d")
assert os.listdir("a") == ["d"] and os.listdir("a/d") == []
def rest(fd, got):
    while chunk := os.read(fd, 1 << 20):
        got += chunk
    return got
spit("first", rest(f, head))
spit("second", rest(g, os.pread(g, 1000, 0)))
os.close(f)
os.close(g)
`)
	for _, name := range []string{"/first", "/second"} {
		if served(t, server, name) != string(data) {
			t.Errorf("wrong bytes in %s", name)
		}
	}
	eventually(t, 5*time.Second, "the end of the unlinked files on the server", func() error {
		for dir, most := range map[string]int{"/a": 1, "/a/d": 0} {
			if names, err := afero.ReadDir(server.Fs(), dir); err != nil || len(names) > most {
				return fmt.Errorf("%s: %v, %w", dir, names, err)
			}
		}
		return nil
	})
}

// Whoever reads a file while it is replaced gets all of one version or an
// error, never a mixture.
func TestRenameOverAnOpenFile(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("old ", 6<<20)
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": old, "/new": strings.Repeat("new ", 6<<20)})
	python(t, m, `
f = os.open("file", os.O_RDONLY)
got = os.read(f, 1000)
os.rename("new", "file")
try:
    while chunk := os.read(f, 1 << 20):
        got += chunk
    assert len(got) == 24 << 20, len(got)
except OSError as e:
    assert e.errno == errno.ESTALE, e
assert got == b"old " * (len(got) // 4), "a mixture"
assert slurp("file") == b"new " * (6 << 20)
os.close(f)
assert slurp("file")[:4] == b"new "

# One that is being written is replaced, too, and does not come back.
g = os.open("file", os.O_RDWR)
os.pwrite(g, b"lost", 0)
spit("newer", b"newer")
os.rename("newer", "file")
os.close(g)
assert slurp("file") == b"newer"
`)
	if got := served(t, server, "/file"); got != "newer" {
		t.Errorf("the server has %d bytes", len(got))
	}
}

func TestWritingThroughRenames(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/dir/file": "0123456789"})
	python(t, m, `
f = os.open("fresh", os.O_CREAT | os.O_WRONLY)
os.write(f, b"one ")
os.rename("fresh", "renamed")
os.write(f, b"two")
os.rename("renamed", "dir/final")
os.rename("dir", "moved")
os.write(f, b" three")
os.close(f)
assert slurp("moved/final") == b"one two three"
g = os.open("moved/file", os.O_RDWR)
os.pwrite(g, b"X", 3)
os.rename("moved/file", "other")
os.pwrite(g, b"Y", 4)
os.close(g)
assert slurp("other") == b"012XY56789"
h = os.open("unlinked", os.O_CREAT | os.O_WRONLY)
os.write(h, b"x")
os.unlink("unlinked")
os.close(h)
assert sorted(os.listdir(".")) == ["moved", "other"] and os.listdir("moved") == ["final"]
`)
	if got := served(t, server, "/moved/final"); got != "one two three" {
		t.Errorf("the server has %q", got)
	}
	if got := served(t, server, "/other"); got != "012XY56789" {
		t.Errorf("the server has %q", got)
	}
	if ok, _ := afero.Exists(server.Fs(), "/unlinked"); ok {
		t.Error("an unlinked file was uploaded")
	}
}

func TestDirectoryWithAnUnpublishedFileIsNotEmpty(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	python(t, m, `
os.mkdir("dir")
f = os.open("dir/file", os.O_CREAT | os.O_WRONLY)
os.write(f, b"content")
fails(errno.ENOTEMPTY, os.rmdir, "dir")
os.close(f)
`)
	if got := served(t, server, "/dir/file"); got != "content" {
		t.Errorf("the server has %q", got)
	}
}

// What was written to a file is not lost with its directory.
func TestDirectoryOfAnUnpublishedFileVanishes(t *testing.T) {
	for _, instead := range []string{"", "a file"} {
		t.Run(instead, func(t *testing.T) {
			t.Parallel()
			server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, nil)
			python(t, m, `
os.mkdir("dir")
f = os.open("dir/file", os.O_CREAT | os.O_RDWR)
os.write(f, b"content")
others()
time.sleep(0.02)
try:
    os.stat("dir")
except FileNotFoundError:
    pass
fails(errno.ESTALE, os.fsync, f)
assert os.pread(f, 10, 0) == b"content"
fails(errno.ESTALE, os.close, f)
`, func() {
				if err := server.Fs().RemoveAll("/dir"); err != nil {
					t.Error(err)
				}
				if instead != "" {
					if err := afero.WriteFile(server.Fs(), "/dir", []byte(instead), 0o644); err != nil {
						t.Error(err)
					}
				}
			})
			kept(t, m)
		})
	}
}

// kept fails unless the mount has something to the end that it cannot upload.
func kept(t *testing.T, m *fusetest.Mount) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), endsIn)
	defer cancel()
	if err := m.FS.Unmount(ctx); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("unmounting with an upload that cannot succeed: %v", err)
	}
}

// What is here stays here when the file is unlinked, however much is read
// besides.
func TestUnlinkedFileIsNotEvicted(t *testing.T) {
	t.Parallel()
	_, m := mountEmbedded(t, ftpfs.Options{CacheBytes: 4 << 20}, map[string]string{"/other": string(random(16 << 20))})
	python(t, m, `
f = os.open("file", os.O_CREAT | os.O_RDWR)
want = bytes(range(256)) * 8192
os.write(f, want)
os.fsync(f)
os.unlink("file")
with open("other", "rb") as o:
    while o.read(1 << 20):
        pass
os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(f, 1 << 20, 0) + os.pread(f, 1 << 20, 1 << 20) == want
`)
}

// What is fetched for a reader stays until it has been read, however small the
// cache is.
func TestCacheSmallerThanARead(t *testing.T) {
	t.Parallel()
	data := random(1 << 20)
	server, m := mountEmbedded(t, ftpfs.Options{CacheBytes: 64 << 10}, map[string]string{"/file": string(data)})
	m.Run("cat file > copy")
	if served(t, server, "/copy") != string(data) {
		t.Error("other bytes")
	}
	asked := 0
	for _, command := range server.Log().Commands() {
		if strings.HasPrefix(command, "RETR ") {
			asked++
		}
	}
	if asked > 16 { // a block is evicted after each read, of 128 KiB or less
		t.Errorf("the server was asked %d times", asked)
	}
}

func TestAppendingToAFileThatGrew(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": "one\n", "/shrunk": "one two three\n"})
	m.Run("cat log shrunk > /dev/null; sleep 2.1") // the listing is too old to tell the end
	if err := afero.WriteFile(server.Fs(), "/log", []byte("one\ntheirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := afero.WriteFile(server.Fs(), "/shrunk", []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Run("echo ours >> log; echo ours >> shrunk")
	if got := served(t, server, "/log"); got != "one\ntheirs\nours\n" {
		t.Errorf("the server has %q", got)
	}
	if got := served(t, server, "/shrunk"); got != "1\nours\n" {
		t.Errorf("the server has %q", got)
	}
	m.Run(`test "$(tail -n1 log)" = ours; test "$(wc -l < log)" = 3`)
}

func TestWriting(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "0123456789", "/mapped": strings.Repeat("m", 10000), "/grown": "abc", "/appended": strings.Repeat("a", 5000)})
	python(t, m, `
# O_CREAT or O_TRUNC, then nothing but a close
os.close(os.open("made", os.O_RDONLY | os.O_CREAT))
os.close(os.open("grown", os.O_WRONLY | os.O_TRUNC))
assert slurp("grown") == b""

# two appenders, one of them by a duplicate
a = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
b = os.open("log", os.O_WRONLY | os.O_APPEND)
c = os.dup(a)
for fd, text in (a, b"1"), (b, b"2"), (c, b"3"), (a, b"4"):
    os.write(fd, text)
os.close(a)
assert slurp("log") == b"1234"
os.write(c, b"5" * 300000)
os.close(c)
os.write(b, b"6")
os.close(b)
assert slurp("log") == b"1234" + b"5" * 300000 + b"6"

# two writers at different places
a, b = os.open("file", os.O_RDWR), os.open("file", os.O_RDWR)
os.pwrite(a, b"AA", 0)
os.pwrite(b, b"BB", 4)
assert os.pread(a, 10, 0) == b"AA23BB6789"
os.close(a)
os.pwrite(b, b"C", 9)
os.fsync(b)
os.close(b)
assert slurp("file") == b"AA23BB678C"

# up and down
f = os.open("file", os.O_RDWR)
os.ftruncate(f, 4)
os.ftruncate(f, 8)
assert os.pread(f, 100, 0) == b"AA23\0\0\0\0"
os.ftruncate(f, 0)
os.write(f, b"zz")
os.ftruncate(f, 3)
os.close(f)
assert slurp("file") == b"zz\0"
os.truncate("file", 1)
os.truncate("file", 3)
assert slurp("file") == b"z\0\0"

# sparse
f = os.open("sparse", os.O_CREAT | os.O_WRONLY)
os.pwrite(f, b"end", 3000000)
os.pwrite(f, b"begin", 0)
os.close(f)
s = slurp("sparse")
assert len(s) == 3000003 and s[:5] == b"begin" and s[-3:] == b"end" and not s[5:-3].strip(b"\0")

# mmap outlives its descriptor
f = os.open("mapped", os.O_RDWR)
mm = mmap.mmap(f, 0)
os.close(f)
mm[5000:5005] = b"HELLO"
mm.flush()
mm[9999] = ord("Z")
mm.close()

# and does not append on a descriptor that does
f = os.open("appended", os.O_RDWR | os.O_APPEND)
mm = mmap.mmap(f, 0)
mm[10:14] = b"HERE"
mm.flush()
mm.close()
os.write(f, b"THERE")
os.close(f)
want = b"a" * 10 + b"HERE" + b"a" * 4986 + b"THERE"
assert slurp("appended") == want, len(slurp("appended"))
`)
	mapped := []byte(strings.Repeat("m", 10000))
	copy(mapped[5000:], "HELLO")
	mapped[9999] = 'Z'
	eventually(t, 5*time.Second, "the upload of what was mapped", func() error {
		_, err := m.Try("test \"$(tail -c 1 mapped)\" = Z")
		if err == nil && served(t, server, "/mapped") != string(mapped) {
			err = errors.New("other bytes on the server")
		}
		return err
	})
	if got := served(t, server, "/sparse"); len(got) != 3000003 || strings.Count(got, "\x00") != 3000003-8 {
		t.Errorf("the server has %d bytes", len(got))
	}
	if got := served(t, server, "/made"); got != "" {
		t.Errorf("the server has %q", got)
	}
	if got := served(t, server, "/file"); got != "z\x00\x00" {
		t.Errorf("the server has %q", got)
	}
}
