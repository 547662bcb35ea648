package ftpfs_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// freed is how soon a signal must free a program: the grace, and what a busy
// machine adds.
const freed = 4 * time.Second

// patient mounts an embedded server whose silence is borne much longer than
// any test here lasts.
func patient(t *testing.T, files map[string]string) (*ftptest.Embedded, *fusetest.Mount) {
	t.Helper()
	server := ftptest.Start(t, ftptest.Options{})
	for path, data := range files {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return server, fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
}

// frees sends a signal to a program that waits for a silent server.
func frees(t *testing.T, c *child, sig syscall.Signal, hold *ftptest.Hold) {
	t.Helper()
	reached(t, hold)
	c.signal(sig)
	if out, err := c.wait(freed); err == nil {
		t.Errorf("succeeded without an answer: %s", out)
	}
}

var signals = map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL}

func TestSignalFreesWhoAsks(t *testing.T) {
	for name, sig := range signals {
		for script, verb := range map[string]string{
			"exec cat dir/file":          "RETR",
			"exec ls dir":                "MLSD",
			"exec stat dir/file":         "MLSD",
			"exec cp dir/file /dev/null": "RETR",
			"exec rm dir/file":           "MLSD",
			"exec touch dir/new":         "MLSD",
		} {
			t.Run(name+"/"+verb+"/"+strings.TrimPrefix(script, "exec "), func(t *testing.T) {
				t.Parallel()
				server, m := patient(t, map[string]string{"/dir/file": string(random(300_000))})
				var hold *ftptest.Hold
				if verb == "RETR" {
					hold = server.StallData("RETR", 100)
				} else {
					hold = server.HoldReply(verb, 0)
				}
				defer hold.Release()
				frees(t, start(t, m, script), sig, hold)
				hold.Release()
				if n := m.Run("cat dir/file | wc -c"); n != "300000" {
					t.Errorf("%s bytes afterwards", n)
				}
			})
		}
	}
}

// After the fsync(2) comes the close of who ends, which gets a moment for the upload.
func TestSignalFreesWhoWaitsForFsync(t *testing.T) {
	for name, sig := range signals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := patient(t, nil)
			m.Run("ls")
			hold := server.HoldReply("STOR", 2)
			defer hold.Release()
			frees(t, start(t, m, `exec python3 -c '
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
f = os.open("file", os.O_CREAT | os.O_WRONLY)
os.write(f, b"content")
os.fsync(f)
'`), sig, hold)
			hold.Release()
			m.Run("sync file; test \"$(cat file)\" = content")
			if got := served(t, server, "/file"); got != "content" {
				t.Errorf("the server has %q", got)
			}
		})
	}
}

func TestSignalDoesNotEndWhatHasBegun(t *testing.T) {
	for name, sig := range signals {
		for _, c := range []struct{ script, verb, then string }{
			{"exec mkdir new", "MKD", "test -d new; rmdir new"},
			{"exec rm file", "DELE", "test ! -e file; test -z \"$(ls)\""},
			{"exec mv file moved", "RNTO", "test \"$(cat moved)\" = content; test ! -e file"},
			{"exec cp file copy", "STOR", "cmp file copy"},
			{"exec touch -d 2001-01-01 file", "MFMT", "test \"$(date -r file +%Y)\" = 2001"},
		} {
			t.Run(name+"/"+c.verb, func(t *testing.T) {
				t.Parallel()
				server, m := patient(t, map[string]string{"/file": "content"})
				m.Run("cat file > /dev/null; touch file")
				hold := server.HoldReply(c.verb, 2)
				defer hold.Release()
				frees(t, start(t, m, c.script), sig, hold)
				hold.Release()
				eventually(t, 5*time.Second, "the end of what had begun", func() error {
					_, err := m.Try(c.then)
					return err
				})
				m.Unmount()
				m = fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
				if c.verb != "MKD" {
					m.Run(c.then)
				}
			})
		}
	}
}

// What is interrupted while it looks whether the name is free must not leave
// a file behind that nobody will ever close.
func TestInterruptedCreateLeavesNoGhost(t *testing.T) {
	t.Parallel()
	server, m := patient(t, map[string]string{"/dir/file": "content"})
	m.Run("ls dir > /dev/null; test ! -e dir/lock; sleep 2.1") // the listing is too old to decide for O_EXCL
	hold := server.HoldReply("MLSD", 0)
	defer hold.Release()
	frees(t, start(t, m, "exec python3 -c 'import os; os.close(os.open(\"dir/lock\", os.O_CREAT|os.O_EXCL|os.O_WRONLY))'"), syscall.SIGKILL, hold)
	hold.Release()
	eventually(t, 5*time.Second, "the end of what had begun", func() error {
		_, err := m.Try("mkdir dir/probe; rmdir dir/probe")
		return err
	})
	ls := m.Run("ls -A dir | tr '\\n' ' '")
	there, err := afero.Exists(server.Fs(), "/dir/lock")
	if shown := strings.Contains(ls, "lock"); err != nil || shown != there {
		t.Errorf("shown: %q, on the server: %v", ls, there)
	}
}

// What waits for an upload has not begun: a signal undoes it.
func TestSignalEndsWhatWaitsForAnUpload(t *testing.T) {
	for name, script := range map[string]string{
		"rm":       "exec rm file",
		"mv":       "exec mv file moved",
		"mv over":  "exec mv other file",
		"truncate": "exec python3 -c 'import os; os.truncate(\"file\", 1)'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := patient(t, map[string]string{"/other": "other"})
			m.Run("cat other > /dev/null")
			truncate := name == "truncate" // waits for none but later tries: else the file is open for writing
			if truncate {
				server.Refuse("STOR", "452 Insufficient storage space.", 1)
				m.Run("! cp /bin/true file 2> /dev/null")
			}
			hold := server.HoldReply("STOR", 2)
			defer hold.Release()
			if !truncate {
				start(t, m, "exec cp /bin/true file")
			}
			reached(t, hold)
			c := start(t, m, script)
			time.Sleep(500 * time.Millisecond) // nobody sees that it waits
			c.signal(syscall.SIGINT)
			if out, err := c.wait(freed); err == nil {
				t.Errorf("succeeded: %s", out)
			}
			hold.Release()
			m.Run("sync file; cmp file /bin/true; test $(cat other) = other; test ! -e moved")
			m.Unmount()
			wantNames(t, server, "/", "file", "other")
		})
	}
}

// A directory whose maker has left is made all the same, and known to nobody.
func TestInterruptedMkdirLeavesNoNode(t *testing.T) {
	t.Parallel()
	server, m := patient(t, nil)
	m.Run("ls")
	nodes := m.FS.Nodes()
	hold := server.HoldReply("MKD", 0)
	defer hold.Release()
	frees(t, start(t, m, "exec mkdir new"), syscall.SIGKILL, hold)
	hold.Release()
	eventually(t, 5*time.Second, "the end of what had begun", func() error {
		if n := m.Client.Stats(); n.Idle != n.Open {
			return fmt.Errorf("%d connections are in use", n.Open-n.Idle)
		}
		return nil
	})
	if got := m.FS.Nodes(); got != nodes {
		t.Errorf("%d nodes, %d before", got, nodes)
	}
	m.Run("test -d new; rmdir new")
}

// panicky is a log that panics when it is told certain words.
type panicky struct{ slog.Handler }

func (panicky) Enabled(context.Context, slog.Level) bool { return true }

func (panicky) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Value.String()
		return true
	})
	if r.Message != "internal error" && strings.Contains(text, "fatal") {
		panic(text)
	}
	return nil
}

// A panic ends the request that it happens in, and nothing else.
func TestPanic(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	config := embeddedConfig(server, silence)
	config.Logger = slog.New(slog.DiscardHandler)
	m := fusetest.Server(t, config, ftpfs.Options{Logger: slog.New(panicky{slog.DiscardHandler}), TraceFUSE: true})
	server.Refuse("STOR", "452 A fatal lack of space.", 1)
	python(t, m, `
fails(errno.EIO, os.stat, "fatal") # while the request is read
f = os.open("file", os.O_CREAT | os.O_WRONLY)
os.write(f, b"content")
fails(errno.EIO, os.close, f) # while it is carried out
with open("file", "ab") as f:
    f.write(b" and more")
assert slurp("file") == b"content and more"
`)
	if got := served(t, server, "/file"); got != "content and more" {
		t.Errorf("the server has %q", got)
	}
}

const intervalTimer = `exec python3 -c '
import os, signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
for i in range(4):
    assert os.stat("dir%d/file" % i).st_size == 7
os.mkdir("made")
os.rename("made", "dir0/made")
with open("dir0/new", "w") as f:
    f.write("x")
signal.setitimer(signal.ITIMER_REAL, 0)
'`

func TestIntervalTimersDoNotBreakSystemCalls(t *testing.T) {
	t.Parallel()
	files := make(map[string]string)
	for _, dir := range []string{"dir0", "dir1", "dir2", "dir3"} {
		files["/"+dir+"/file"] = "content"
	}
	server, m := patient(t, files)
	server.DelayReply("", 100*time.Millisecond, ftptest.Always)
	if out, err := start(t, m, intervalTimer).wait(30 * time.Second); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestMountPointIsAnsweredWithoutTheServer(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: time.Millisecond}, nil)
	for _, state := range []string{"silent", "down"} {
		if state == "down" {
			server.Down()
		} else {
			defer server.HoldReply("", 0).Release()
		}
		// Bash itself enters the mount by a stat of it.
		if out, err := start(t, m, "stat . > /dev/null; stat -f . > /dev/null").wait(2 * time.Second); err != nil {
			t.Errorf("%s: %v: %s", state, err, out)
		}
	}
}

// A dead server keeps nobody from unmounting, whatever is going on.
func TestUnmountOfADeadServer(t *testing.T) {
	for _, state := range []string{"silent", "down"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Start(t, ftptest.Options{})
			if err := afero.WriteFile(server.Fs(), "/file", random(300_000), 0o644); err != nil {
				t.Fatal(err)
			}
			m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{})
			c := start(t, m, "exec 3< file; exec 4> unfinished; echo data >&4; exec sleep 100")
			eventually(t, 5*time.Second, "the open file", func() error {
				_, err := m.Try("test -s unfinished")
				return err
			})
			if state == "down" {
				server.Down()
			} else {
				defer server.HoldReply("", 0).Release()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began := time.Now()
			if err := m.FS.Unmount(ctx); err == nil {
				t.Error("nobody is told that what was written is lost")
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("unmounting took %v", took)
			}
			c.signal(syscall.SIGKILL)
			c.wait(freed)
			ended := make(chan error, 1)
			go func() { ended <- m.FS.Wait() }()
			select {
			case <-ended: // with the same error, which the test's end would take for another one
			case <-time.After(20 * time.Second):
				t.Error("the mount does not end")
			}
		})
	}
}
