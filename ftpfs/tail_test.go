package ftpfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// verbs collects what a client sends.
type verbs struct {
	mu   sync.Mutex
	sent []string
}

func (v *verbs) trace(l ftpclient.TraceLine) {
	if l.Sent {
		v.mu.Lock()
		defer v.mu.Unlock()
		verb, _, _ := strings.Cut(l.Line, " ")
		v.sent = append(v.sent, verb)
	}
}

// count is how often a command was sent.
func (v *verbs) count(verb string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(v.sent), func(s string) bool { return s != verb }))
}

// To a large file only what is new is sent, and nothing of it is fetched.
func TestTailIsAppended(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			log := random(3 << 20)
			put(t, server, map[string][]byte{"log": log})
			var said verbs
			m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Trace: said.trace}, ftpfs.Options{})
			m.Run(`echo one >> log; test $(stat -c %s log) = 3145732
echo two >> log; dd if=/dev/zero of=log bs=1 seek=3145736 count=100000 status=none
touch -d '2001-01-01 UTC' log; echo three >> log; chmod 640 log`)
			if n := said.count("RETR") + said.count("STOR"); n > 0 {
				t.Errorf("%d RETR and STOR", n)
			}
			m.Run(`test "$(tail -c 6 log)" = three; test "$(tail -c +3145729 log | head -c 8)" = "$(echo one; echo two)"`)
			want := string(log) + "one\ntwo\n" + strings.Repeat("\x00", 100_000) + "three\n"
			got, err := os.ReadFile(filepath.Join(server.Root, "log"))
			if err != nil || string(got) != want {
				t.Errorf("the server has %d bytes of %d, or others (%v)", len(got), len(want), err)
			}
			info, err := os.Stat(filepath.Join(server.Root, "log"))
			if err != nil || time.Since(info.ModTime()) > time.Minute {
				t.Errorf("its time is %v (%v)", info.ModTime(), err)
			}
		})
	}
}

// Where appending is not allowed the whole file is stored.
func TestServerDoesNotAppend(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
	before := served(t, server, "/log")
	m.Run("echo first >> log")
	server.Refuse("APPE", "550 log: Operation not permitted.", ftptest.Always)
	m.Run("echo second >> log")
	if got := served(t, server, "/log"); got != before+"first\nsecond\n" {
		t.Errorf("the server has %d bytes", len(got))
	}
	wantNames(t, server, "/", "log")
}

// A server that does not append as it should is found out by a file of ours.
func TestServerAppendsBadly(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
	before := served(t, server, "/log")
	server.EndData("APPE", 3, ftptest.Always)
	m.Run("echo line >> log; echo line >> log")
	if got := served(t, server, "/log"); got != before+"line\nline\n" {
		t.Errorf("the server has %d bytes", len(got))
	}
	wantNames(t, server, "/", "log")
}

// Of a tail whose upload breaks off no byte comes twice.
func TestAppendIsBrokenOff(t *testing.T) {
	const goodOrder = "in good order"
	for name, fault := range map[string]func(*ftptest.Embedded){
		"before it begins":   func(s *ftptest.Embedded) { s.DropCommand("APPE", 1) },
		"in the middle":      func(s *ftptest.Embedded) { s.DropData("APPE", 300_000, 1) },
		goodOrder:            func(s *ftptest.Embedded) { s.EndData("APPE", 300_000, 1) },
		"before the verdict": func(s *ftptest.Embedded) { s.DropReply("APPE", 0, 2) },
		"after the verdict":  func(s *ftptest.Embedded) { s.DropReply("SIZE", 0, 1) },
		"because it is full": func(s *ftptest.Embedded) { s.Replace("APPE", "452 Insufficient storage space.", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
			before := served(t, server, "/log")
			m.Run("echo first >> log; cat log > /dev/null")
			fault(server)
			tail := string(random(600_000))
			local := filepath.Join(t.TempDir(), "tail")
			if err := os.WriteFile(local, []byte(tail), 0o644); err != nil {
				t.Fatal(err)
			}
			server.Log().Reset()
			if out, err := m.Try("cat " + local + " >> log"); err != nil && name == goodOrder {
				t.Errorf("the rest was not sent: %v %s", err, out)
			}
			m.Run("cat log > /dev/null")
			eventually(t, retries, "the upload", func() error {
				if m.FS.Stats().Waiting > 0 {
					return errors.New("it waits for another try")
				}
				return nil
			})
			if got := served(t, server, "/log"); got != before+"first\n"+tail {
				t.Errorf("the server has %d bytes of %d, or others", len(got), len(before)+6+len(tail))
			}
			for _, c := range server.Log().Commands() {
				if strings.HasPrefix(c, "STOR") {
					t.Error("the whole file was stored")
				}
			}
		})
	}
}

// What others append meanwhile stays, before or behind what is appended here.
func TestOthersAppendToo(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
	before := served(t, server, "/log")
	m.Run("echo first >> log")
	theirs := func() {
		f, err := server.Fs().OpenFile("/log", os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Error(err)
			return
		}
		f.WriteString("theirs\n")
		f.Close()
	}
	python(t, m, `
f = os.open("log", os.O_WRONLY | os.O_APPEND)
g = os.open("log", os.O_RDONLY)
os.write(f, b"ours\n")
others()
os.fsync(f)
os.write(f, b"more\n")
os.close(f)
assert slurp("log").endswith(b"first\ntheirs\nours\nmore\n"), slurp("log")[-50:]
others()
time.sleep(2.1)
f = os.open("log", os.O_WRONLY | os.O_APPEND)
os.write(f, b"again\n")
others()
time.sleep(2.1)
os.close(f)
`, theirs, theirs, theirs)
	if got, want := served(t, server, "/log"), before+"first\ntheirs\nours\nmore\ntheirs\ntheirs\nagain\n"; got != want {
		t.Errorf("the server's file ends in %q", got[len(before):])
	}
	wantNames(t, server, "/", "log")
}

// What is written at a place does not come to another one.
func TestOthersAppendToWhatIsExtended(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
	before := served(t, server, "/log")
	python(t, m, `
f = os.open("log", os.O_WRONLY)
os.pwrite(f, b"ours", 2 << 20)
time.sleep(2.1)
others()
fails(errno.ESTALE, os.close, f)
`, func() {
		if err := afero.WriteFile(server.Fs(), "/log", []byte(before+"theirs\n"), 0o644); err != nil {
			t.Error(err)
		}
	})
	m.Unmount()
	conflict := ""
	infos, err := afero.ReadDir(server.Fs(), "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if strings.HasPrefix(info.Name(), "log.conflict-") {
			conflict = served(t, server, "/"+info.Name())
		}
	}
	if got := served(t, server, "/log"); got != before+"theirs\n" || conflict != "ours" {
		t.Errorf("the server has %d bytes, and beside them %q", len(got), conflict)
	}
}

// A tail whose verdict is lost is not appended once more when somebody else has
// appended meanwhile.
func TestOthersAppendBehindATailThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/log": string(random(2 << 20))})
	before := served(t, server, "/log")
	m.Run("echo first >> log")
	hold := server.HoldReply("APPE", 2)
	defer hold.Release()
	c := start(t, m, "exec sh -c 'echo ours >> log'")
	reached(t, hold)
	f, err := server.Fs().OpenFile("/log", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("theirs\n")
	f.Close()
	server.DropAll()
	hold.Release()
	if out, err := c.wait(endsIn); err != nil {
		t.Logf("%v: %s", err, out) // it is tried again
	}
	m.Run("echo more >> log")
	eventually(t, retries, "the upload", func() error {
		if m.FS.Stats().Waiting > 0 {
			return errors.New("it waits for another try")
		}
		return nil
	})
	if got := served(t, server, "/log"); got != before+"first\nours\ntheirs\nmore\n" {
		t.Errorf("the server's file ends in %q", got[len(before):])
	}
	wantNames(t, server, "/", "log")
	m.Run("test \"$(tail -c 23 log | tr '\\n' ' ')\" = 'first ours theirs more '")
}
