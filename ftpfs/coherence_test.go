package ftpfs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// changeAll makes every kind of change in the server's directory dir.
func changeAll(t *testing.T, server *ftptest.Server, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(server.Root, dir, name) }
	when := time.Now().Add(-time.Hour)
	for _, err := range []error{
		os.WriteFile(at("content"), []byte("new"), 0o644), os.Chtimes(at("content"), when, when),
		os.WriteFile(at("size"), []byte("longer"), 0o644),
		os.Chmod(at("mode"), 0o640),
		os.WriteFile(at("new"), []byte("new"), 0o644),
		os.Remove(at("removed")),
		os.Rename(at("from"), at("to")),
		os.Remove(at("tofile/x")), os.Remove(at("tofile")), os.WriteFile(at("tofile"), []byte("file"), 0o644),
		os.Remove(at("todir")), os.Mkdir(at("todir"), 0o755), os.WriteFile(at("todir/x"), []byte("x"), 0o644),
		os.WriteFile(at("sub/new"), []byte("new"), 0o644),
		os.Remove(at("gonedir")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := server.Own(); err != nil {
		t.Error(err)
	}
}

// looks are programs that look at such a directory before and after.
const looks = `
def before():
    assert sorted(os.listdir("dir")) == ["content", "from", "gonedir", "mode", "removed", "size", "sub", "todir", "tofile"]
    assert slurp("dir/content") == b"old" and slurp("dir/size") == b"old" and slurp("dir/from") == b"from"
    assert os.stat("dir/mode").st_mode & 0o777 == 0o644
    for missing in "new", "to", "sub/new":
        fails(errno.ENOENT, os.stat, "dir/" + missing)
    assert os.listdir("dir/tofile") == ["x"] and os.listdir("dir/sub") == ["x"] and os.listdir("dir/gonedir") == []
    assert stat.S_ISREG(os.stat("dir/todir").st_mode)
def after():
    assert sorted(os.listdir("dir")) == ["content", "mode", "new", "size", "sub", "to", "todir", "tofile"], os.listdir("dir")
    assert slurp("dir/content") == b"new" and slurp("dir/size") == b"longer" and slurp("dir/new") == b"new" and slurp("dir/to") == b"from"
    assert os.stat("dir/size").st_size == 6 and os.stat("dir/mode").st_mode & 0o777 == 0o640
    for missing in "removed", "from", "gonedir":
        fails(errno.ENOENT, os.stat, "dir/" + missing)
        fails(errno.ENOENT, os.listdir, "dir/" + missing)
        fails(errno.ENOENT, open, "dir/" + missing)
    assert slurp("dir/tofile") == b"file" and os.listdir("dir/todir") == ["x"] and slurp("dir/todir/x") == b"x"
    assert sorted(os.listdir("dir/sub")) == ["new", "x"] and slurp("dir/sub/new") == b"new"
before()
others()
`

// Whatever others change is seen after the TTL, after a refresh of the place, of what is around
// it, or of all, and when a listing in use was renewed.
func TestEveryChangeOfOthersIsSeen(t *testing.T) {
	refresh := func(path string) func(*testing.T, *fusetest.Mount) {
		return func(t *testing.T, m *fusetest.Mount) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := m.FS.Refresh(ctx, path); err != nil {
				t.Error(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		ttl   time.Duration
		tell  func(*testing.T, *fusetest.Mount)
		after string
	}{
		"TTL":            {200 * time.Millisecond, func(*testing.T, *fusetest.Mount) {}, "time.sleep(0.5)\nafter()"},
		"refresh of dir": {time.Hour, refresh("/dir"), "after()"},
		"refresh of all": {time.Hour, refresh(""), "after()"},
		"a renewed listing": {time.Hour, func(t *testing.T, m *fusetest.Mount) {
			for _, dir := range []string{"/dir", "/dir/sub", "/dir/tofile"} {
				fills := m.FS.Stats().Dirs.Fills
				m.FS.Late(dir)
				eventually(t, 20*time.Second, "the renewal of "+dir, func() error {
					if d := m.FS.Stats().Dirs; d.Fills == fills || d.Filling > 0 {
						return fmt.Errorf("%+v", d)
					}
					return nil
				})
			}
		}, `
for wait in range(500):
    try:
        after()
        break
    except (AssertionError, OSError):
        time.sleep(0.02) # it is renewed in the background
else:
    after()`},
	} {
		for _, server := range []string{"vsftpd", "proftpd"} {
			t.Run(name+", "+server, func(t *testing.T) {
				t.Parallel()
				server := ftptest.Real(t, server, ftptest.RealOptions{})
				old := []byte("old")
				put(t, server, map[string][]byte{"dir/content": old, "dir/size": old, "dir/mode": old, "dir/removed": old, "dir/from": []byte("from"), "dir/tofile/x": old, "dir/todir": old, "dir/sub/x": old})
				if err := os.Mkdir(filepath.Join(server.Root, "dir/gonedir"), 0o755); err != nil {
					t.Fatal(err)
				}
				m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Connections: several}, ftpfs.Options{DirTTL: tt.ttl})
				python(t, m, looks+tt.after, func() {
					changeAll(t, server, "dir")
					tt.tell(t, m)
				})
			})
		}
	}
}

// What cannot be undone is not decided by an old listing.
func TestOldListingsDestroyNothing(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"ours": []byte("ours"), "gone": nil, "dirs/ours/x": nil, "listed": nil})
			for _, dir := range []string{"empty", "dirs/theirs", "moved"} {
				if err := os.Mkdir(filepath.Join(server.Root, dir), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if err := server.Own(); err != nil {
				t.Fatal(err)
			}
			m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{DirTTL: time.Hour})
			python(t, m, `
assert len(os.listdir(".")) == 6
for dir in "empty", "dirs/theirs":
    assert os.listdir(dir) == []
for name in "log", "lock", "data":
    fails(errno.ENOENT, os.stat, name)
time.sleep(2.1) # what was listed is old
others()
fails(errno.EEXIST, os.open, "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
f = os.open("data", os.O_CREAT | os.O_RDWR)
assert os.read(f, 100) == b"theirs"
os.close(f)
with open("log", "ab") as f:
    f.write(b", ours")
fails(errno.ENOTEMPTY, os.rmdir, "empty")
try:
    os.rename("dirs/ours", "dirs/theirs")
    raise AssertionError("replaced what is not empty")
except OSError as e:
    assert e.errno in (errno.ENOTEMPTY, errno.EEXIST), e
try:
    os.unlink("gone")
    raise AssertionError("a directory was unlinked")
except OSError as e:
    assert e.errno in (errno.EISDIR, errno.ENOENT, errno.EPERM, errno.EACCES), e
`, func() {
				for _, err := range []error{os.Remove(filepath.Join(server.Root, "gone")), os.Mkdir(filepath.Join(server.Root, "gone"), 0o777)} {
					if err != nil {
						t.Error(err)
					}
				}
				put(t, server, map[string][]byte{"lock": []byte("theirs"), "data": []byte("theirs"), "log": []byte("theirs"), "empty/x": nil, "dirs/theirs/x": nil})
			})
			m.Unmount()
			for name, want := range map[string]string{"lock": "theirs", "data": "theirs", "log": "theirs, ours", "empty/x": "", "dirs/theirs/x": "", "dirs/ours/x": ""} {
				if got, err := os.ReadFile(filepath.Join(server.Root, name)); err != nil || string(got) != want {
					t.Errorf("%s has %q, %v, want %q", name, got, err, want)
				}
			}
			if info, err := os.Stat(filepath.Join(server.Root, "gone")); err != nil || !info.IsDir() {
				t.Errorf("their directory: %v", err)
			}
		})
	}
}
