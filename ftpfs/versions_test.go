package ftpfs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// replaceBy gives a file on the server other bytes and a newer time.
func replaceBy(t *testing.T, server *ftptest.Embedded, path, data string) {
	t.Helper()
	when := time.Now().Add(10 * time.Second)
	if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
		t.Error(err)
	}
	if err := server.Fs().Chtimes(path, when, when); err != nil {
		t.Error(err)
	}
}

// A file of which we have read and changed a part is another one by now.
func TestNoMixtureIsPublished(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": strings.Repeat("A", size)})
	theirs := strings.Repeat("B", size)
	python(t, m, `
f = os.open("file", os.O_RDWR)
os.pread(f, 4096, 0)
os.pwrite(f, b"X", 20 << 20)
time.sleep(2.1) # the listing is too old to confirm anything
others()
fails(errno.ESTALE, os.close, f)
`, func() { replaceBy(t, server, "/file", theirs) })
	if served(t, server, "/file") != theirs {
		t.Error("the server has other bytes than the last who wrote them")
	}
	m.Unmount()
	beside, err := afero.Glob(server.Fs(), "/file.conflict-*")
	if err != nil || len(beside) != 1 {
		t.Fatalf("beside it are %q (%v)", beside, err)
	}
	// From the first changed byte on; what follows it was never read.
	if ours := served(t, server, beside[0]); ours != "X"+strings.Repeat("\x00", 4<<20-1) {
		t.Errorf("beside it are %d bytes, %.10q", len(ours), ours)
	}
}

// What is read in several goes is one version, or an error says that it is not.
func TestNoMixtureIsRead(t *testing.T) {
	for _, name := range []string{"one handle", "two handles"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const size = 24 << 20
			server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": strings.Repeat("A", size)})
			leave, come := "", ""
			if name == "two handles" {
				leave = `os.close(f)`
				come = `f = os.open("file", os.O_RDONLY)`
			}
			python(t, m, `
f = os.open("file", os.O_RDONLY)
got = os.pread(f, 4096, 0)
`+leave+`
time.sleep(2.1) # the listing is too old to confirm anything
others()
`+come+`
try:
    got = os.pread(f, 4096, 0) + os.pread(f, 4096, 20 << 20)
except OSError as e:
    assert e.errno == errno.ESTALE, e
assert len(set(got)) == 1, set(got)
os.close(f)
assert set(slurp("file")) == set(b"B")
`, func() { replaceBy(t, server, "/file", strings.Repeat("B", size)) })
		})
	}
}

// A stream that begins while another file gets the name must not bring that
// file's bytes.
func TestReadingWhileTheFileIsReplaced(t *testing.T) {
	t.Parallel()
	server, m := patient(t, map[string]string{"/old": strings.Repeat("A", 4<<20), "/new": strings.Repeat("C", 4<<20)})
	hold := server.HoldReply("RNTO", 0)
	defer hold.Release()
	var move *child
	python(t, m, `
f = os.open("old", os.O_RDONLY)
others()
try:
    got = os.pread(f, 4096, 1 << 20)
    assert got == b"A" * 4096, got[:4]
except OSError as e:
    assert e.errno == errno.ESTALE, e
`, func() {
		move = start(t, m, "exec mv new old")
		reached(t, hold) // the server has done it
		time.AfterFunc(200*time.Millisecond, hold.Release)
	})
	if out, err := move.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	m.Run(`test "$(head -c 2 old)" = CC`)
}

// Who has an old version open cannot write to it, nor bring its bytes into the
// kernel's memory of the new one.
func TestTwoVersionsOfOneFileAreOpen(t *testing.T) {
	t.Parallel()
	const size = 512 << 10
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, map[string]string{"/file": strings.Repeat("A", size)})
	python(t, m, `
a = os.open("file", os.O_RDWR)
while chunk := os.read(a, 1 << 20):
    assert set(chunk) == set(b"A")
others()
time.sleep(0.02)
b = os.open("file", os.O_RDONLY)
fails(errno.ESTALE, os.pread, a, 4, 300000)
fails(errno.ESTALE, os.pwrite, a, b"lost", 0)
fails(errno.ESTALE, os.ftruncate, a, 10)
assert os.pread(b, 4, 300000) == os.pread(b, 4, 0) == b"BBBB"
os.close(a)
assert set(slurp("file")) == set(b"B")
c = os.open("file", os.O_RDWR)
os.pwrite(c, b"C", 0)
os.close(c)
assert os.pread(b, 2, 0) == b"CB"
`, func() { replaceBy(t, server, "/file", strings.Repeat("B", size)) })
	if got := served(t, server, "/file"); got != "C"+strings.Repeat("B", size-1) {
		t.Errorf("the server has %d bytes, %q...", len(got), got[:min(4, len(got))])
	}
}

// A later try of an upload does not undo what others have stored since.
func TestLaterTrySparesWhatOthersStored(t *testing.T) {
	for name, program := range map[string]string{
		"whole": `
f = os.open("file", os.O_WRONLY | os.O_TRUNC)
os.write(f, b"our version")
fails(errno.ENOSPC, os.close, f)
others()
`, "part": `
f = os.open("file", os.O_RDWR)
os.read(f, 100)
os.pwrite(f, b"our", 0)
fails(errno.ENOSPC, os.close, f)
time.sleep(2.1) # the listing is too old to confirm anything
others()
`, "new": `
f = os.open("fresh", os.O_CREAT | os.O_WRONLY)
os.write(f, b"our version")
fails(errno.ENOSPC, os.close, f)
others()
`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "/file"
			if name == "new" {
				file = "/fresh"
			}
			server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old version"})
			server.Refuse("STOR", "452 Insufficient storage space.", ftptest.Always)
			python(t, m, program, func() { replaceBy(t, server, file, "their version") })
			server.ClearFaults()
			m.Unmount() // tries once more
			if got := served(t, server, file); got != "their version" {
				t.Errorf("the server has %q", got)
			}
			beside, err := afero.Glob(server.Fs(), file+".conflict-*")
			if err != nil || len(beside) != 1 {
				t.Fatalf("beside it are %q (%v)", beside, err)
			}
			if got := served(t, server, beside[0]); got != "our version" {
				t.Errorf("beside it is %q", got)
			}
		})
	}
}

// Listings that tell minutes do not hide a change within one, when they have expired.
func TestChangeWithinAMinute(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	store := func(data string, ago time.Duration) {
		put(t, server, map[string][]byte{"file": []byte(data)})
		when := time.Now().Add(-ago)
		if err := os.Chtimes(filepath.Join(server.Root, "file"), when, when); err != nil {
			t.Error(err)
		}
	}
	store("one", 10*time.Second)
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{DirTTL: 50 * time.Millisecond})
	python(t, m, `
assert slurp("file") == b"one"
others()
time.sleep(0.3) # the listing expires
assert slurp("file") == b"two"
`, func() { store("two", 5*time.Second) })
}

// The time of a file is the one it had when it was written.
func TestTimeDoesNotChangeByItself(t *testing.T) {
	t.Parallel()
	_, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, nil)
	python(t, m, `
f = os.open("file", os.O_CREAT | os.O_RDWR)
os.write(f, b"x")
written = os.fstat(f).st_mtime_ns
time.sleep(1.1)
os.close(f)
assert os.stat("file").st_mtime_ns == written, (os.stat("file").st_mtime_ns, written)
time.sleep(0.02)
assert os.stat("file").st_mtime_ns == written, (os.stat("file").st_mtime_ns, written)
`)
}

// Own changes do not make an open file stale.
func TestOwnChangesAreNoNewVersion(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond, CacheBytes: 8 << 20}, map[string]string{"/file": strings.Repeat("A", size)})
	python(t, m, `
f = os.open("file", os.O_RDONLY)
def look(at):
    os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
    time.sleep(0.02)
    os.stat("file")
    assert os.pread(f, 4096, at) == b"A" * 4096
look(0)
time.sleep(2.1) # from now on the server is asked
os.utime("file", (1000000000, 1000000000))
look(20 << 20)
os.chmod("file", 0o600)
look(10 << 20)
g = os.open("file", os.O_WRONLY)
os.pwrite(g, b"X", 5 << 20)
os.close(g)
look(15 << 20)
time.sleep(2.1)
look(22 << 20)
assert os.pread(f, 1, 5 << 20) == b"X"
`)
	if got := served(t, server, "/file"); len(got) != size || strings.Count(got, "X") != 1 {
		t.Errorf("the server has %d bytes", len(got))
	}
}

// Nor does a listing that shows one before its command has been answered.
func TestListingDuringAnOwnChange(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, map[string]string{"/file": "content"})
	m.Run("touch -d @1100000000 file") // the server can
	python(t, m, `
f = os.open("file", os.O_RDWR)
others()
os.pwrite(f, b"C", 0)
os.close(f)
assert slurp("file") == b"Content"
`, func() {
		hold := server.HoldReply("MFMT", 0)
		defer hold.Release()
		touch := start(t, m, "exec touch -d @1000000000 file")
		reached(t, hold)
		m.Run("sleep 0.02; test $(stat -c %Y file) = 1000000000")
		hold.Release()
		if out, err := touch.wait(endsIn); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		m.Run("sleep 0.02; test $(stat -c %Y file) = 1000000000")
	})
	if got := served(t, server, "/file"); got != "Content" {
		t.Errorf("the server has %q", got)
	}
}

// sizeless shows no sizes in its listings.
type sizeless struct{ afero.Fs }

func (s sizeless) Open(name string) (afero.File, error) {
	f, err := s.Fs.Open(name)
	return sizelessFile{f}, err
}

type sizelessFile struct{ afero.File }

func (f sizelessFile) Readdir(n int) ([]os.FileInfo, error) {
	infos, err := f.File.Readdir(n)
	for i := range infos {
		infos[i] = sizelessInfo{infos[i]}
	}
	return infos, err
}

type sizelessInfo struct{ fs.FileInfo }

func (sizelessInfo) Size() int64 { return -1 }

func TestListingWithoutSizes(t *testing.T) {
	t.Parallel()
	fs := sizeless{afero.NewMemMapFs()}
	server := ftptest.Start(t, ftptest.Options{Fs: fs})
	data := string(random(300_000))
	for _, name := range []string{"/read", "/written", "/cut", "/log"} {
		if err := afero.WriteFile(fs, name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{DirTTL: 10 * time.Millisecond})
	python(t, m, `
assert os.stat("read").st_size == 0, "the listing tells sizes"
assert len(slurp("read")) == 300000
f = os.open("written", os.O_RDWR)
os.pwrite(f, b"XYZ", 100000)
os.close(f)
os.truncate("cut", 100000)
with open("log", "ab") as log:
    log.write(b"end")
`)
	for name, want := range map[string]string{
		"/read": data, "/written": data[:100_000] + "XYZ" + data[100_003:], "/cut": data[:100_000], "/log": data + "end",
	} {
		if got := served(t, server, name); got != want {
			t.Errorf("the server has %d bytes of %s", len(got), name)
		}
	}
}
