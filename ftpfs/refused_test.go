package ftpfs_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// writeOver opens an old file, overwrites it, and says what fsync and close
// have to say to that.
const writeOver = `
f = os.open("file", os.O_WRONLY)
os.write(f, b"NEW CONTENT")
fails(errno.%[1]s, os.fsync, f)
fails(errno.%[1]s, os.close, f)
assert slurp("file") == b"NEW CONTENT", slurp("file")
`

func TestRefusedUploadIsTheErrorOfClose(t *testing.T) {
	for _, c := range []struct{ verb, reply, errno string }{
		{"STOR", "552 Disk full.", "ENOSPC"},
		{"STOR", "452 Insufficient storage space.", "ENOSPC"},
		{"STOR", "550 Permission denied.", "EACCES"},
		{"STOR", "553 Could not create file.", "EACCES"},
		{"STOR", "552 Quota exceeded.", "EDQUOT"},
		{"RNTO", "550 Permission denied.", "EACCES"},
		{"RNTO", "553 Rename failed.", "EACCES"},
	} {
		t.Run(c.verb+c.reply[:3]+c.errno, func(t *testing.T) {
			t.Parallel()
			server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old"})
			server.Refuse(c.verb, c.reply, ftptest.Always)
			python(t, m, fmt.Sprintf(writeOver, c.errno))
			if got := served(t, server, "/file"); got != "old" {
				t.Errorf("the server has %q", got)
			}
			server.ClearFaults()
			m.Unmount() // tries once more
			if got := served(t, server, "/file"); got != "NEW CONTENT" {
				t.Errorf("the server has %q", got)
			}
			wantNames(t, server, "/", "file")
		})
	}
}

// wantNames fails when other names are in a directory of the server.
func wantNames(t *testing.T, server *ftptest.Embedded, dir string, want ...string) {
	t.Helper()
	infos, err := afero.ReadDir(server.Fs(), dir)
	var names []string
	for _, info := range infos {
		names = append(names, info.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != strings.Join(want, " ") {
		t.Errorf("the server has %q in %s, want %q (%v)", got, dir, want, err)
	}
}

// A refused truncation changes nothing.
func TestRefusedTruncation(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old content"})
	server.Refuse("STOR", "550 Permission denied.", ftptest.Always)
	python(t, m, `
fails(errno.EACCES, os.truncate, "file", 3)
assert slurp("file") == b"old content", slurp("file")
assert os.stat("file").st_size == 11
`)
	if got := served(t, server, "/file"); got != "old content" {
		t.Errorf("the server has %q", got)
	}
}

func TestServerThatDoesNotRenameOver(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old", "/from": "moved", "/to": "replaced"})
	server.Refuse("RNTO", "550 File exists.", 1)
	m.Run("printf 'new content' > file")
	server.Refuse("RNTO", "553 Rename failed.", 1)
	m.Run("mv from to")
	m.Run(`test "$(cat file to)" = "new contentmoved"; test ! -e from`)
	wantNames(t, server, "/", "file", "to")
	if got := served(t, server, "/file") + served(t, server, "/to"); got != "new contentmoved" {
		t.Errorf("the server has %q", got)
	}
}

// A server that fails after the deed: what has the new name then is no other file in the way.
func TestRenameRefusedWhenItWasMade(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/from": "moved"})
	server.Replace("RNTO", "451 Local error in processing.", ftptest.Always)
	m.Run(`mv from to; test "$(cat to)" = moved; test ! -e from; printf new > file; test "$(cat file)" = new`)
	wantNames(t, server, "/", "file", "to")
}

func TestProftpdThatDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{NoOverwrite: true})
	put(t, server, map[string][]byte{"file": []byte("old"), "from": []byte("moved"), "to": []byte("replaced")})
	m := mountReal(t, server, ftpclient.ModeAuto)
	m.Run("printf new > file; mv from to; test $(cat file to) = newmoved; sed -i s/new/newer/ file")
	got, err := os.ReadFile(filepath.Join(server.Root, "file"))
	if left, _ := filepath.Glob(filepath.Join(server.Root, ".ftpfs*")); err != nil || string(got) != "newer" || len(left) > 0 {
		t.Errorf("the server has %q and %q (%v)", got, left, err)
	}
}

// The new file is refused the place from which the old one has stepped aside.
func TestOriginalComesBackWhenReplacingFails(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/from": "moved", "/to": "original"})
	hold := server.HoldReply("RNTO", 0)
	server.Refuse("RNTO", "553 Rename failed.", 1)
	c := start(t, m, "exec mv from to")
	reached(t, hold) // the refusal of the direct way
	second := server.HoldReply("RNTO", 0)
	hold.Release()
	reached(t, second) // the original has stepped aside
	server.Refuse("RNTO", "553 Rename failed.", 1)
	second.Release()
	if out, err := c.wait(endsIn); err == nil || !strings.Contains(out, "denied") {
		t.Errorf("%v: %s", err, out)
	}
	m.Run("test $(cat from to) = movedoriginal")
	wantNames(t, server, "/", "from", "to")
}

// The connection is lost while the original has stepped aside.
func TestOriginalIsNotLostWithTheConnection(t *testing.T) {
	for _, upload := range []bool{false, true} {
		for _, done := range []bool{false, true} {
			for nth := range 2 {
				t.Run(fmt.Sprintf("upload=%v/rename %d/done=%v", upload, nth+1, done), func(t *testing.T) {
					t.Parallel()
					loseConnection(t, upload, nth, done)
				})
			}
		}
	}
}

// loseConnection replaces a file on a server that does not rename over it, and
// drops the connection at one of the renames, before it or after.
func loseConnection(t *testing.T, upload bool, nth int, done bool) {
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/from": "moved", "/to": "original"})
	hold := server.HoldReply("RNTO", 0)
	server.Refuse("RNTO", "553 Rename failed.", 1)
	script := "exec mv from to"
	if upload {
		script = "exec cp from to"
	}
	c := start(t, m, script)
	reached(t, hold)
	lose := func() {
		if done {
			server.DropReply("RNTO", 0, 1)
		} else {
			server.DropCommand("RNTO", 1)
		}
	}
	if nth == 0 {
		lose()
	} else {
		second := server.HoldReply("RNTO", 0)
		defer second.Release()
		hold.Release()
		reached(t, second)
		lose()
		second.Release()
	}
	hold.Release()
	out, err := c.wait(endsIn)
	infos, _ := afero.ReadDir(server.Fs(), "/")
	visible := fmt.Sprint(err)
	for _, info := range infos {
		visible += " " + info.Name()
	}
	t.Logf("%s: %s", visible, out)
	m.Unmount() // what failed to be uploaded is tried again
	m = fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{})
	switch {
	case upload:
		m.Run("test $(cat to) = moved; test $(cat from) = moved")
	case err == nil:
		m.Run("test $(cat to) = moved; test ! -e from")
	default:
		m.Run("test $(cat to) = original; test $(cat from) = moved")
	}
}

// A new file that the server does not take is gone when that is told.
func TestFileInAReadOnlyDirectory(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{ReadOnly: true})
			path := filepath.Join(server.Root, "file")
			if err := errors.Join(os.WriteFile(path, []byte("old"), 0o644), os.Chown(path, 0, 0)); err != nil {
				t.Fatal(err)
			}
			m := mountReal(t, server, ftpclient.ModeAuto)
			python(t, m, `
f = os.open("lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
fails(errno.EACCES, os.close, f)
assert os.listdir(".") == ["file"], os.listdir(".")
assert not os.path.exists("lock")
fails(errno.EACCES, os.mkdir, "dir")
fails(errno.EACCES, os.unlink, "file")
fails(errno.EACCES, os.rename, "file", "other")
fails(errno.EACCES, os.truncate, "file", 0)
assert slurp("file") == b"old"
`)
		})
	}
}

// A file whose upload failed can be deleted, and nothing of it comes later.
func TestDeletingWhatWaitsForItsUpload(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/old": "old"})
	server.Refuse("STOR", "452 Insufficient storage space.", ftptest.Always)
	m.Run(`! cp /bin/true new; ! cp /bin/true old; cmp old /bin/true; rm old`)
	m.Run(`rm -f new; test -z "$(ls -A)"`)
	server.ClearFaults()
	m.Unmount()
	wantNames(t, server, "/")
}

// What is the only version on the server, under whatever name, is not what a later
// mount tidies up.
func TestOnlyVersionIsNoLitterOfALaterMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, m := mountEmbedded(t, ftpfs.Options{CacheDir: dir}, map[string]string{"/from": "new", "/to": "original"})
	hold := server.HoldReply("RNTO", 0)
	server.Refuse("RNTO", "553 Rename failed.", 1)
	c := start(t, m, "exec cp from to")
	reached(t, hold) // the refusal of the direct way
	second := server.HoldReply("RNTO", 0)
	hold.Release()
	reached(t, second) // the original has stepped aside
	server.Refuse("RNTO", "553 Rename failed.", ftptest.Always)
	second.Release()
	if out, err := c.wait(endsIn); err == nil {
		t.Errorf("it was stored: %s", out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "ftpfs-tree-*", "j*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d journals (%v)", len(found), err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	notes := regexp.MustCompile(`"note":"([^"]*)"`).FindAllSubmatch(text, -1)
	if len(notes) == 0 {
		t.Fatalf("no note: %s", text)
	}
	note, err := base64.StdEncoding.DecodeString(string(notes[len(notes)-1][1]))
	if err != nil || !strings.Contains(string(note), `"base"`) || strings.Contains(string(note), `"temp"`) {
		t.Errorf("it says %s (%v)", note, err)
	}
	server.ClearFaults()
	m.Unmount()
	if got := served(t, server, "/to"); got != "new" {
		t.Errorf("the server has %q", got)
	}
}

// A shell does not look at what its last close says: what it redirects to a new file that the
// server does not take fails when it is written, and leaves nothing.
func TestRedirectingToANewFileThatIsRefused(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	server.Refuse("STOR", "550 Permission denied.", ftptest.Always)
	if out, err := m.Try("echo line > new"); err == nil || !strings.Contains(out, "Permission denied") {
		t.Errorf("%v: %s", err, out)
	}
	m.Run("test -z \"$(ls -A)\"")
	if p := m.FS.Status().Pending; len(p) > 0 {
		t.Errorf("to be uploaded is %+v", p)
	}
	server.ClearFaults()
	// For want of space it is kept, as every file is, and the last close has the word.
	server.Refuse("STOR", "452 Insufficient storage space.", 3)
	m.Run("echo line > new; test \"$(cat new)\" = line")
	server.ClearFaults()
	m.Unmount()
	if got := served(t, server, "/new"); got != "line\n" {
		t.Errorf("the server has %q", got)
	}
}

// A new file that a program has open under several descriptors is published when the last one
// is closed, or before what it writes is taken.
func TestOneOfSeveralDescriptorsIsClosed(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	python(t, m, `
f = os.open("file", os.O_CREAT | os.O_WRONLY)
os.close(os.dup(f))
others()
os.write(f, b"text")
others()
os.close(f)
f = os.open("empty", os.O_CREAT | os.O_WRONLY)
os.close(os.dup(f))
os.close(f)
f = os.open("synced", os.O_CREAT | os.O_WRONLY)
os.close(os.dup(f))
os.fsync(f)
others()
f = os.open("renamed", os.O_CREAT | os.O_WRONLY)
os.close(os.dup(f))
os.rename("renamed", "new")
os.close(f)
f = os.open("longer", os.O_CREAT | os.O_WRONLY)
os.close(os.dup(f))
os.ftruncate(f, 100)
os.write(f, b"text")
others()
os.close(f)
`, func() { wantNames(t, server, "/") }, func() {
		if got := served(t, server, "/file"); got != "" {
			t.Errorf("the server has %q", got)
		}
	}, func() { wantNames(t, server, "/", "empty", "file", "synced") }, func() { wantNames(t, server, "/", "empty", "file", "new", "synced") })
	wantNames(t, server, "/", "empty", "file", "longer", "new", "synced")
	if got := served(t, server, "/file"); got != "text" {
		t.Errorf("the server has %q", got)
	}
}

// set -C; exec 9>lock: whoever looks for the lock elsewhere sees it.
func TestLockIsPublishedAtOnce(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	python(t, m, `
f = os.open("lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
os.close(os.dup(f))
others()
`, func() { wantNames(t, server, "/", "lock") })
}

// The server refuses to remove a file that was changed here: the changes are kept as others are.
func TestChangesOfAFileWhoseRemovalIsRefused(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("old.", 750_000)
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": old})
	server.DropData("RETR", 0, ftptest.Always)
	server.Refuse("RNFR", "550 Permission denied.", ftptest.Always)
	python(t, m, `
f = os.open("file", os.O_WRONLY)
os.write(f, b"one")
fails(errno.EACCES, os.unlink, "file")
try:
    os.close(f)
except OSError:
    pass
`)
	server.ClearFaults()
	if err := server.Fs().Remove("/file"); err != nil {
		t.Fatal(err)
	}
	m.Unmount() // tries again
	beside, err := afero.Glob(server.Fs(), "/file.conflict-*")
	if err != nil || len(beside) != 1 {
		t.Errorf("beside it are %q (%v)", beside, err)
	}
}
