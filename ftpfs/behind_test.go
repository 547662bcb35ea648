package ftpfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// behind lets no close wait for the server.
var behind = ftpfs.Options{WriteBack: 50 * time.Millisecond}

// A close does not wait, fsync and unmounting do, and what is not uploaded yet
// is there all the same.
func TestCloseDoesNotWait(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, behind, nil)
	hold := server.HoldReply("STOR", 2)
	defer hold.Release()
	m.Run("echo one > one; echo two > two")
	reached(t, hold)
	m.Run(`test "$(cat one two)" = "$(echo one; echo two)"; test "$(ls)" = "$(echo one; echo two)"; test $(stat -c %s one) = 4`)
	if p := m.FS.Status().Pending; len(p) == 0 {
		t.Error("nothing is told of the files that wait")
	}
	time.AfterFunc(200*time.Millisecond, hold.Release)
	m.Run("echo three > three; sync three")
	if got := served(t, server, "/three"); got != "three\n" {
		t.Errorf("after fsync the server has %q", got)
	}
	m.Run("echo four > four")
	m.Unmount()
	for name, want := range map[string]string{"/one": "one\n", "/two": "two\n", "/four": "four\n"} {
		if got := served(t, server, name); got != want {
			t.Errorf("%s: the server has %q", name, got)
		}
	}
}

// What happens to a file before its upload is part of it.
func TestChangesBeforeTheUpload(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			put(t, server, map[string][]byte{"old": []byte("old"), "gone": []byte("gone")})
			var said verbs
			m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Trace: said.trace},
				ftpfs.Options{WriteBack: 2 * time.Second})
			m.Run(`echo warm > warm; touch -d '2000-01-01 UTC' warm; sync warm
echo new > .old.tmp; chmod 600 .old.tmp; touch -d '2001-01-01 UTC' .old.tmp; mv .old.tmp old
echo never > never; rm never
echo a > a; mv a b; echo more >> b
echo tmp > tmp; mv tmp gone; rm gone
mkdir d; echo moved > moved; mv moved d/moved
test "$(cat old b d/moved)" = "$(echo new; echo a; echo more; echo moved)"
test "$(echo *)" = "b d old warm"; test $(stat -c %a,%Y old) = 600,978307200`)
			m.Unmount()
			for path, want := range map[string]string{"old": "new\n", "b": "a\nmore\n", "d/moved": "moved\n"} {
				if got, err := os.ReadFile(filepath.Join(server.Root, path)); err != nil || string(got) != want {
					t.Errorf("%s: the server has %q (%v)", path, got, err)
				}
			}
			info, err := os.Stat(filepath.Join(server.Root, "old"))
			if err != nil || info.Mode().Perm() != 0o600 || info.ModTime().Unix() != 978307200 {
				t.Errorf("old is %v (%v)", info, err)
			}
			entries, err := os.ReadDir(server.Root)
			if err != nil || len(entries) != 4 {
				t.Errorf("the server has %v (%v)", entries, err)
			}
			if n := said.count("STOR"); n != 4 {
				t.Errorf("%d uploads of 4 files", n)
			}
		})
	}
}

// A directory is changed by the making of a file, and not by its upload: programs that copy
// set its time before that, and others see by it whether it changes while they read it.
func TestUploadBehindChangesNoDirectory(t *testing.T) {
	t.Parallel()
	_, m := mountEmbedded(t, ftpfs.Options{WriteBack: time.Hour}, nil)
	m.Run(`old() { touch -d '2001-01-01 UTC' d; }; is_old() { test $(stat -c %Y d) = 978307200; }
mkdir d; old; is_old; echo text > d/file; test $(stat -c %Y d) -gt 978307200
old; is_old; sync d/file; is_old`)
}

// A tree that is copied and changed while it is uploaded is as it should be.
func TestTreeIsWrittenBehind(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{})
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, behind)
	local := t.TempDir()
	for i := range 150 {
		path := filepath.Join(local, "top", fmt.Sprint("d", i%7), fmt.Sprint("f", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, pattern(path, 100*i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.Run("cp -a " + local + "/top .; tar cf top.tar top; mkdir x; tar xf top.tar -C x; mv x/top/d0 x/top/e0; rm -r x/top/d1; diff -r top/d2 x/top/d2; rm top.tar")
	m.Unmount()
	m.Dir = local
	m.Run("diff -r top " + server.Root + "/top; diff -r top/d0 " + server.Root + "/x/top/e0; test ! -e " + server.Root + "/x/top/d1; test $(ls -A " + server.Root + " | wc -l) = 2")
}

// What the server does not take is kept, told of and tried again.
func TestUploadBehindFails(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, behind, nil)
	server.Refuse("STOR", "452 Insufficient storage space.", 1)
	m.Run("echo line > file")
	eventually(t, endsIn, "the failure", func() error {
		for _, p := range m.FS.Status().Pending {
			if strings.Contains(p.Err, "452") {
				return nil
			}
		}
		return fmt.Errorf("%+v", m.FS.Status().Pending)
	})
	m.Run(`test "$(cat file)" = line`)
	eventually(t, retries, "the next try", func() error {
		_, err := afero.ReadFile(server.Fs(), "/file")
		return err
	})
	m.Unmount()
	wantNames(t, server, "/", "file")
}

// What waits for its upload for long survives a crash of the machine.
func TestWhatWaitsIsMadeDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, m := mountEmbedded(t, ftpfs.Options{WriteBack: time.Hour, CacheDir: dir}, nil)
	m.Run("echo text > file")
	eventually(t, 10*time.Second, "the journal", func() error {
		found, err := filepath.Glob(filepath.Join(dir, "ftpfs-tree-*", "j*"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%d journals (%v)", len(found), err)
		}
		text, err := os.ReadFile(found[0])
		if err == nil && !strings.Contains(string(text), `"synced":true`) {
			err = fmt.Errorf("it is not durable: %s", text)
		}
		return err
	})
	m.Unmount()
}

// A new file's directory is renamed while the file is uploaded behind: it has its new place, and
// is not given up since its server does not know the old one any more.
func TestDirectoryIsRenamedDuringAnUploadBehind(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{WriteBack: time.Millisecond}, nil)
	python(t, m, `
import time
for i in range(150):
    os.mkdir("old%d" % i)
    open("old%d/file" % i, "w").close()
    time.sleep(i % 15 / 5000)
    os.rename("old%d" % i, "new%d" % i)
    os.utime("new%d/file" % i, (0, 1000000000))
`)
	m.Unmount()
	for i := range 150 {
		if _, err := server.Fs().Stat(fmt.Sprintf("/new%d/file", i)); err != nil {
			t.Error(err)
		}
	}
}

// A directory is renamed during an upload into it: the temporary file that goes with it is
// removed there, also when it was looked for at its old place in the meantime.
func TestTemporaryFileGoesWithItsDirectory(t *testing.T) {
	for name, crossing := range map[string]bool{"after": false, "meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := mountConnected(t, several, ftpfs.Options{WriteBack: time.Millisecond}, nil)
			m.Run("mkdir old")
			stored := server.HoldReply("STOR", 2)
			defer stored.Release()
			m.Run("echo text > old/file")
			reached(t, stored)
			if crossing {
				renamed := server.HoldReply("RNTO", 2)
				defer renamed.Release()
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					m.Run("mv old new")
				}()
				reached(t, renamed)
				stored.Release()
				eventually(t, endsIn, "the removal", func() error {
					if !slices.ContainsFunc(server.Log().Commands(), func(c string) bool { return strings.HasPrefix(c, "DELE /old/") }) {
						return errors.New("not tried")
					}
					return nil
				})
				renamed.Release()
				<-ended
			} else {
				m.Run("mv old new; mkdir old")
				stored.Release()
			}
			m.Unmount()
			wantNames(t, server, "/new", "file")
		})
	}
}

// What is unlinked while it is open goes with its directory, too.
func TestUnlinkedFileGoesWithItsDirectory(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/old/file": "text"})
	other := start(t, m, "exec 3< old/file; rm old/file; exec sleep 1000")
	m.Run("while [ -e old/file ]; do sleep 0.01; done")
	renamed := server.HoldReply("RNTO", 2)
	defer renamed.Release()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run("mv old new")
	}()
	reached(t, renamed)
	other.signal(syscall.SIGKILL)
	eventually(t, endsIn, "the removal", func() error {
		if !slices.ContainsFunc(server.Log().Commands(), func(c string) bool { return strings.HasPrefix(c, "DELE /old/") }) {
			return errors.New("not tried")
		}
		return nil
	})
	renamed.Release()
	<-ended
	m.Unmount()
	wantNames(t, server, "/new")
}

// A directory is renamed, and another one gets its name, while an upload into it waits for a
// connection: the file does not come into the other one.
func TestDirectoryIsReplacedBeforeAnUploadBehind(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, 2, ftpfs.Options{WriteBack: time.Millisecond}, map[string]string{"/big": strings.Repeat("0123456789abcdef", 1<<18), "/old/kept": ""})
	m.Run("ls old")
	read := server.StallData("RETR", 100_000)
	defer read.Release()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run("cat big > /dev/null")
	}()
	reached(t, read)
	m.Run("echo text > old/file")
	eventually(t, endsIn, "the upload", func() error {
		if !m.Client.Contended() {
			return errors.New("not begun")
		}
		return nil
	})
	m.Run("mv old new; mkdir old")
	read.Release()
	<-ended
	m.Unmount()
	wantNames(t, server, "/new", "file", "kept")
	wantNames(t, server, "/old")
}
