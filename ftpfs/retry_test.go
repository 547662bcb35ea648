package ftpfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// What was written to parts of a file is kept when somebody else has replaced or
// deleted the rest of it before it was fetched.
func TestPartsOfAFileAreKeptBeside(t *testing.T) {
	old := strings.Repeat("old.", 750_000)
	for name, theirs := range map[string]string{"replaced": "theirs", "deleted": ""} {
		for _, file := range []string{"file", strings.Repeat("ä", 120)} {
			t.Run(name+" "+file[:2], func(t *testing.T) {
				t.Parallel()
				server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/" + file: old})
				server.DropData("RETR", 0, ftptest.Always)
				m.Run("exec 3<>" + file + "; printf one >&3; printf two | dd of=" + file + " bs=1 seek=2000000 conv=notrunc status=none && exit 1; exec 3>&- || true")
				if theirs == "" {
					if err := server.Fs().Remove("/" + file); err != nil {
						t.Fatal(err)
					}
				} else if err := afero.WriteFile(server.Fs(), "/"+file, []byte(theirs), 0o644); err != nil {
					t.Fatal(err)
				}
				server.ClearFaults()
				m.Unmount() // tries again
				infos, err := afero.ReadDir(server.Fs(), "/")
				if err != nil {
					t.Fatal(err)
				}
				beside := 0
				for _, info := range infos {
					got := served(t, server, "/"+info.Name())
					switch conflict := strings.Contains(info.Name(), ".conflict-"); {
					case conflict:
						beside++
						if len(got) != len(old) || got[:3] != "one" || got[2_000_000:2_000_003] != "two" || strings.Contains(got, "old") || len(info.Name()) > 255 {
							t.Errorf("%s has %d bytes", info.Name(), len(got))
						}
					case info.Name() != file || got != theirs:
						t.Errorf("the server has %q in %s", got[:min(len(got), 10)], info.Name())
					}
				}
				if beside != 1 || len(infos) != 1 && theirs == "" {
					t.Errorf("%d files, %d of them beside", len(infos), beside)
				}
			})
		}
	}
}

// Before the server was reached, the status tells what an earlier mount has left.
func TestLeftoversBeforeTheServerIsReached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, m := mountEmbedded(t, ftpfs.Options{CacheDir: dir}, nil)
	server.Refuse("STOR", "452 Full.", ftptest.Always)
	m.Run("mkdir d; ! (echo new | dd of=d/file status=none)")
	if err := m.FS.Unmount(t.Context()); err == nil {
		t.Fatal("unmounted with nothing left to do")
	}
	server.ClearFaults()
	m = fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheDir: dir, Delay: true})
	if s := m.FS.Status(); s.Reached || len(s.Pending) != 1 || s.Pending[0] != (ftpfs.Pending{Path: "/d/file", Size: 4}) {
		t.Errorf("%+v", s)
	}
	m.Run("cat d/file")
	m.Unmount()
	if got := served(t, server, "/d/file"); got != "new\n" {
		t.Errorf("the server has %q", got)
	}
}

// What an upload has made of a file, of which the server got a part in good order,
// is nobody else's version.
func TestShortFileIsStoredAgain(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": strings.Repeat("old.", 100_000)})
	server.EndData("STOR", 100_000, 1)
	m.Run("! (printf X | dd of=file bs=1 seek=1000 conv=notrunc status=none) 2> /dev/null")
	m.Unmount() // tries again
	if got := served(t, server, "/file"); len(got) != 400_000 || got[1000] != 'X' {
		t.Errorf("the server has %d bytes", len(got))
	}
	wantNames(t, server, "/", "file")
}

// An empty file whose close did not wait is there after a kill.
func TestEmptyFileIsInTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, m := mountEmbedded(t, ftpfs.Options{CacheDir: dir, WriteBack: time.Hour}, nil)
	m.Run(": > file")
	if found, err := filepath.Glob(filepath.Join(dir, "ftpfs-tree-*", "j*")); err != nil || len(found) != 1 {
		t.Errorf("%d journals (%v)", len(found), err)
	}
	m.Unmount()
}

// wantBeside fails unless the server has theirs in /file and ours in one file beside it.
func wantBeside(t *testing.T, server *ftptest.Embedded, theirs string, ours func(string) bool) {
	t.Helper()
	if got := served(t, server, "/file"); got != theirs {
		t.Errorf("the server has %.20q", got)
	}
	beside, err := afero.Glob(server.Fs(), "/file.conflict-*")
	if err != nil || len(beside) != 1 {
		t.Fatalf("beside it are %q (%v)", beside, err)
	}
	if got := served(t, server, beside[0]); !ours(got) {
		t.Errorf("%s has %d bytes", beside[0], len(got))
	}
}

// What somebody else has stored in the place of a file that our upload had left short
// is not taken for that.
func TestShortFileThatSomebodyReplaces(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": strings.Repeat("old.", 100_000)})
	server.EndData("STOR", 100_000, 1)
	m.Run("! (printf X | dd of=file bs=1 seek=1000 conv=notrunc status=none) 2> /dev/null")
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Unmount() // tries again
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 400_000 && s[1000] == 'X' })
}

// What an upload has stored whose answer was lost is found, though a listing of shortly before
// does not have it.
func TestLostAnswerBehindAListing(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	m.Run("ls")
	server.DropReply("RNTO", 0, 1)
	server.Refuse("MLST", "451 Not now.", 1)
	if out, err := m.Try("cp /dev/null file"); err == nil {
		t.Fatalf("stored: %s", out)
	}
	m.Unmount()
	wantNames(t, server, "/", "file")
}

// loseAnswer mounts a server that has stored text as /file, and of which the mount does not
// know that; it waits for another try.
func loseAnswer(t *testing.T, text string) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	server.DropReply("RNTO", 0, 1)
	server.Refuse("MLST", "451 Not now.", 1)
	if out, err := m.Try("cp " + local + " file"); err == nil {
		t.Fatalf("stored: %s", out)
	}
	eventually(t, retries, "the last close", func() error {
		if n := m.FS.Stats().Waiting; n != 1 {
			return fmt.Errorf("%d files wait", n)
		}
		return nil
	})
	return server, m
}

// Where files are stored and not fetched, nobody can tell by its bytes whose a version is: it
// stays, and ours goes beside it.
func TestLostAnswerWhereNothingIsFetched(t *testing.T) {
	for _, reply := range []string{"550 Permission denied.", "550 Failed to open file.", "550 No such file or directory."} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()
			server, m := loseAnswer(t, "ours")
			server.Refuse("RETR", reply, ftptest.Always)
			info, err := server.Fs().Stat("/file")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(afero.WriteFile(server.Fs(), "/file", []byte("them"), 0o644), server.Fs().Chtimes("/file", info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
			m.Unmount() // tries again
			wantBeside(t, server, "them", func(s string) bool { return s == "ours" })
		})
	}
}

// What somebody stores while the bytes are compared stays, too.
func TestLostAnswerThatTakesLongToCompare(t *testing.T) {
	t.Parallel()
	server, m := loseAnswer(t, "ours")
	hold := server.HoldReply("RETR", 1)
	ended := make(chan error, 1)
	go func() { ended <- m.FS.Unmount(t.Context()) }() // tries again
	reached(t, hold)
	time.Sleep(2100 * time.Millisecond) // what was asked before is old then
	if err := afero.WriteFile(server.Fs(), "/file", []byte("somebody else's"), 0o644); err != nil {
		t.Fatal(err)
	}
	hold.Release()
	<-ended
	if got := served(t, server, "/file"); got != "somebody else's" {
		t.Errorf("the server has %q", got)
	}
}

// Bytes that take long to compare do not keep an unmount that is to wait for nothing.
func TestUnmountWhileBytesAreCompared(t *testing.T) {
	t.Parallel()
	server, m := loseAnswer(t, string(random(100_000)))
	server.DripData("RETR", 1000, ftptest.Always)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	m.FS.Unmount(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.FS.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("unmounted without a word")
		}
	case <-time.After(endsIn):
		t.Error("it goes on")
		server.DropAll()
		<-ended
	}
}
