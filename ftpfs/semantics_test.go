package ftpfs_test

import (
	"fmt"
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

// python runs a program in the mount, with what most of them want imported.
// Errors that a program expects are asserted by fails(errno, function, args).
// Each time it calls others() the next of others runs.
func python(t *testing.T, m *fusetest.Mount, program string, others ...func()) {
	t.Helper()
	const prelude = `
import ctypes, errno, mmap, os, stat, sys, time
def others():
    os.write(3, b".")
    assert os.read(4, 1)
def fails(number, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except OSError as e:
        assert e.errno == number, (errno.errorcode[e.errno], "want", errno.errorcode[number])
        return
    raise AssertionError("succeeded")
def slurp(name):
    with open(name, "rb") as f:
        return f.read()
def spit(name, data):
    with open(name, "wb") as f:
        f.write(data)
`
	script := filepath.Join(t.TempDir(), "program.py")
	if err := os.WriteFile(script, []byte(prelude+program), 0o644); err != nil {
		t.Fatal(err)
	}
	called, theirs := pipe(t)
	mine, answer := pipe(t)
	c := start(t, m, "exec /usr/bin/python3 "+script, theirs, mine)
	theirs.Close()
	for _, other := range others {
		if _, err := called.Read(make([]byte, 1)); err != nil {
			break // the program has ended
		}
		other()
		answer.Write([]byte("."))
	}
	if out, err := c.wait(time.Minute); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// served returns what the embedded server has under a name.
func served(t *testing.T, server *ftptest.Embedded, path string) string {
	t.Helper()
	data, err := afero.ReadFile(server.Fs(), path)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func TestErrorsOfNames(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			m := mountReal(t, server, ftpclient.ModeAuto)
			python(t, m, `
os.makedirs("dir/sub")
spit("dir/file", b"x")
fails(errno.EEXIST, os.mkdir, "dir")
fails(errno.EEXIST, os.mkdir, "dir/file")
fails(errno.ENOTEMPTY, os.rmdir, "dir")
fails(errno.ENOTDIR, os.rmdir, "dir/file")
fails(errno.EISDIR, os.unlink, "dir/sub")
fails(errno.ENOENT, os.unlink, "dir/nothing")
fails(errno.ENOENT, os.rmdir, "dir/nothing")
fails(errno.ENOENT, os.rename, "dir/nothing", "dir/other")
fails(errno.ENOENT, open, "nothing/file", "w")
fails(errno.ENOENT, os.mkdir, "nothing/dir")
fails(errno.ENOTDIR, open, "dir/file/below", "w")
fails(errno.EINVAL, os.rename, "dir", "dir/sub/dir")
fails(errno.EISDIR, open, "dir", "w")
fails(errno.ENAMETOOLONG, os.mkdir, "n" * 256)
fails(errno.ENAMETOOLONG, open, "n" * 256, "w")
fails(errno.ENAMETOOLONG, os.stat, "n" * 256)
fails(errno.ENAMETOOLONG, os.rename, "dir/file", "n" * 256)
for bad in "a\nb", "a\rb":
    fails(errno.EINVAL, os.mkdir, bad)
    fails(errno.EINVAL, open, bad, "w")
    fails(errno.EINVAL, os.rename, "dir/file", bad)
    fails(errno.ENOENT, os.unlink, bad)
longest = "n" * 255
spit(longest, b"long")
assert slurp(longest) == b"long"
os.rename(longest, "m" * 255)
assert sorted(os.listdir(".")) == ["dir", "m" * 255], os.listdir(".")
os.unlink("m" * 255)
fails(errno.EPERM, os.link, "dir/file", "link")
fails(errno.EPERM, os.symlink, "dir/file", "link")
fails(errno.EPERM, os.mknod, "node", stat.S_IFCHR | 0o600, os.makedev(1, 3))
fails(errno.EPERM, os.mkfifo, "fifo")
os.chown("dir/file", os.getuid(), os.getgid())
os.chown("dir/file", -1, os.getgid())
fails(errno.EPERM, os.chown, "dir/file", 12345, -1)
fails(errno.EPERM, os.chown, "dir/file", -1, 12345)
assert os.listdir(".") == ["dir"] and slurp("dir/file") == b"x"
`)
		})
	}
}

func TestRenameWithoutReplacing(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"from": []byte("from"), "to": []byte("to"), "dir/x": nil})
			m := mountReal(t, server, ftpclient.ModeAuto)
			python(t, m, `
libc = ctypes.CDLL(None, use_errno=True)
def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), a)
fails(errno.EEXIST, renameat2, "from", "to", 1)
fails(errno.EEXIST, renameat2, "from", "dir", 1)
fails(errno.EINVAL, renameat2, "from", "to", 2)
assert slurp("to") == b"to"
renameat2("from", "new", 1)
assert slurp("new") == b"from" and not os.path.exists("from")
renameat2("dir", "moved", 1)
assert os.listdir("moved") == ["x"]
f = open("unpublished", "w")
fails(errno.EEXIST, renameat2, "new", "unpublished", 1)
f.close()
`)
		})
	}
}

// What is on the server decides, not what a listing showed some time ago.
func TestExclusiveCreateAsksTheServer(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/dir/file": "x"})
	m.Run("ls dir > /dev/null; test ! -e dir/lock; sleep 2.1")
	if err := afero.WriteFile(server.Fs(), "/dir/lock", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	python(t, m, `fails(errno.EEXIST, os.open, "dir/lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)`)
	if got := served(t, server, "/dir/lock"); got != "theirs" {
		t.Errorf("the server has %q", got)
	}
}

func TestModeIsKeptWhenAFileIsWritten(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"script": []byte("old"), "secret": []byte("old")})
			os.Chmod(filepath.Join(server.Root, "script"), 0o755)
			os.Chmod(filepath.Join(server.Root, "secret"), 0o600)
			m := mountReal(t, server, ftpclient.ModeAuto)
			m.Run(`printf new > script; printf more >> secret; sed -i s/new/newer/ script
				test $(stat -c %a script) = 755; test $(stat -c %a secret) = 600`)
			for file, want := range map[string]os.FileMode{"script": 0o755, "secret": 0o600} {
				info, err := os.Stat(filepath.Join(server.Root, file))
				if err != nil || info.Mode().Perm() != want {
					t.Errorf("%s: %v, %v on the server", file, info.Mode(), err)
				}
			}
		})
	}
}

func TestTimesSurviveARemount(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			m := mountReal(t, server, ftpclient.ModeAuto)
			python(t, m, `
spit("path", b"1")
os.utime("path", (1000000007, 1000000007))
with open("handle", "w") as f:
    f.write("2")
    f.flush()
    os.utime(f.fileno(), (1100000001, 1100000001))
spit("now", b"3")
os.utime("now")
assert abs(os.stat("now").st_mtime - time.time()) < 60
assert os.stat("path").st_mtime == 1000000007 and os.stat("handle").st_mtime == 1100000001
`)
			m.Unmount()
			m = mountReal(t, server, ftpclient.ModeAuto)
			python(t, m, `
assert os.stat("path").st_mtime == 1000000007, os.stat("path").st_mtime
assert os.stat("handle").st_mtime == 1100000001, os.stat("handle").st_mtime
assert abs(os.stat("now").st_mtime - time.time()) < 60
`)
		})
	}
}

func TestTemporariesAreNeverListed(t *testing.T) {
	t.Parallel()
	server, m := patient(t, map[string]string{"/file": string(random(3 << 20))})
	m.Run("head -c 10 file > /dev/null")
	hold := server.HoldReply("STOR", 2)
	defer hold.Release()
	c := start(t, m, "exec 3< file; rm file; exec cp /bin/true copy")
	reached(t, hold)
	names, err := afero.ReadDir(server.Fs(), "/")
	if err != nil || !strings.HasPrefix(names[0].Name(), ".ftpfs-") {
		t.Fatalf("the upload has no temporary file: %v, %v", names, err)
	}
	again := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
	for _, other := range []*fusetest.Mount{m, again} {
		if out := other.Run("ls -A; ls -ld .ftpfs* 2> /dev/null || true"); strings.Contains(out, ".ftpfs-") {
			t.Errorf("listed: %s", out)
		}
		other.Run("test ! -e " + names[0].Name())
	}
	hold.Release()
	if out, err := c.wait(freed); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, 5*time.Second, "the end of the temporaries", func() error {
		names, err := afero.ReadDir(server.Fs(), "/")
		if err == nil && (len(names) != 1 || names[0].Name() != "copy") {
			err = fmt.Errorf("the server has %v", names)
		}
		return err
	})
}

// What a mount left behind when it died can be seen and removed.
func TestOldTemporariesAreListed(t *testing.T) {
	t.Parallel()
	const old, young = ".ftpfs-abcdefghijklmnop.part", ".ftpfs-ponmlkjihgfedcba.part"
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/dir/" + old: "old", "/dir/" + young: "young"})
	when := time.Now().Add(-11 * time.Minute)
	if err := server.Fs().Chtimes("/dir/"+old, when, when); err != nil {
		t.Fatal(err)
	}
	m.Run("test \"$(ls -A dir)\" = " + old + "; test $(cat dir/" + old + ") = old; rm dir/" + old)
	wantNames(t, server, "/dir", young)
}

// What is read is known by its name below the mounted directory, wherever that
// is: after a rename, other bytes of the same size and time have the name.
func TestRenamedFilesOfOneVersion(t *testing.T) {
	t.Parallel()
	for _, root := range []string{"/", "/deep/dir"} {
		server := ftptest.Start(t, ftptest.Options{})
		when := time.Unix(1_000_000_000, 0)
		for name, data := range map[string]string{"a": "content of a", "b": "content of b", "c": "content of c", "d": "content of d"} {
			path := filepath.Join(root, name)
			if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := server.Fs().Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{Root: root})
		m.Run(`test "$(cat a b)" = "content of acontent of b"; mv a b; test "$(cat b)" = "content of a"`)
		m.Run(`cp -p b e; rm b; mv e b; test "$(cat b)" = "content of a"`)
		m.Run(`cat c d > /dev/null; mv c d; printf X | dd of=d bs=1 conv=notrunc status=none`)
		if got := served(t, server, filepath.Join(root, "d")); got != "Xontent of c" {
			t.Errorf("below %s the server has %q", root, got)
		}
	}
}
