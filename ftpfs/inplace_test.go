package ftpfs_test

import (
	"errors"
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

// On a server that renames nothing files are written all the same, also when an
// upload breaks off at first.
func TestStoredInPlace(t *testing.T) {
	t.Parallel()
	old := string(random(3 << 20))
	server, m := mountConnected(t, several, ftpfs.Options{InPlace: true, CacheBytes: 1 << 20}, map[string]string{"/old": old})
	for _, verb := range []string{"RNFR", "RNTO"} {
		server.Refuse(verb, "550 Permission denied.", ftptest.Always)
	}
	m.Run("echo new > new; head -c 3000000 /dev/zero > big; printf X | dd of=old bs=1 seek=10 conv=notrunc status=none")
	server.DropData("STOR", 1<<20, 1)
	m.Run("! (printf Y | dd of=old bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null; cmp -n 10 old old; test $(stat -c %s old) = 3145728")
	want := old[:10] + "X" + old[11:2_000_000] + "Y" + old[2_000_001:]
	eventually(t, retries, "the next try", func() error {
		if got := served(t, server, "/old"); got != want {
			return fmt.Errorf("%d bytes, or others", len(got))
		}
		return nil
	})
	m.Unmount()
	if got := served(t, server, "/new"); got != "new\n" {
		t.Errorf("the server has %q", got)
	}
	for _, c := range server.Log().Commands() {
		if strings.HasPrefix(c, "RN") || strings.Contains(c, ".part") {
			t.Errorf("%q", c)
		}
	}
	wantNames(t, server, "/", "big", "new", "old")
}

// A file that the server refuses for its permissions is stored when somebody gives it others.
func TestStoredInPlaceAfterChmod(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	file := filepath.Join(server.Root, "file")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o444), server.Own()); err != nil {
		t.Fatal(err)
	}
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{InPlace: true})
	python(t, m, `
fails(errno.EACCES, spit, "file", b"newer")
os.chmod("file", 0o644)
f = os.open("file", os.O_RDWR)
os.fsync(f)
os.close(f)
`)
	if got, err := os.ReadFile(file); err != nil || string(got) != "newer" {
		t.Errorf("the server has %q: %v", got, err)
	}
}

// What broke off while it was stored in place is stored by the next mount: half
// of it on the server is nobody else's version.
func TestStoredInPlaceByTheNextMount(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	old := string(random(3 << 20))
	if err := afero.WriteFile(server.Fs(), "/file", []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	opts := ftpfs.Options{InPlace: true, CacheDir: t.TempDir()}
	mount := func() *fusetest.Mount { return fusetest.Server(t, embeddedConfig(server, silence), opts) }
	m := mount()
	server.DropData("STOR", 1<<20, ftptest.Always)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	if err := m.FS.Unmount(t.Context()); err == nil {
		t.Fatal("unmounted with nothing left to do")
	}
	if half := served(t, server, "/file"); len(half) >= len(old) {
		t.Fatalf("the server has %d bytes", len(half))
	}
	server.ClearFaults()
	m = mount()
	eventually(t, endsIn, "the upload", func() error {
		if m.FS.Stats().Waiting > 0 {
			return errors.New("it waits")
		}
		return nil
	})
	if got := served(t, server, "/file"); got != old[:2_000_000]+"X"+old[2_000_001:] {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	wantNames(t, server, "/", "file")
}

// What somebody else has stored there meanwhile stays, and ours goes beside it.
func TestStoredInPlaceWhereSomebodyElseHas(t *testing.T) {
	for name, theirs := range map[string]string{"shorter": "theirs", "longer": strings.Repeat("theirs", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := ftpfs.Options{InPlace: true, CacheDir: t.TempDir()}
			server, m := mountEmbedded(t, opts, map[string]string{"/file": string(random(3 << 20))})
			server.DropData("STOR", 1<<20, ftptest.Always)
			m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
			if err := m.FS.Unmount(t.Context()); err == nil {
				t.Fatal("unmounted with nothing left to do")
			}
			server.ClearFaults()
			if err := afero.WriteFile(server.Fs(), "/file", []byte(theirs), 0o644); err != nil {
				t.Fatal(err)
			}
			m = fusetest.Server(t, embeddedConfig(server, silence), opts)
			m.Unmount()
			wantBeside(t, server, theirs, func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
		})
	}
}

// Nothing is fetched to compare where that cannot tell whose it is.
func TestStoredInPlaceWhereNobodyCanTell(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{InPlace: true}, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, ftptest.Always)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null; (printf Y | dd of=file bs=1 seek=10 conv=notrunc status=none) 2> /dev/null || true")
	server.ClearFaults()
	before := count(server, "RETR")
	m.Unmount() // tries again
	if n := count(server, "RETR") - before; n != 0 {
		t.Errorf("%d RETRs", n)
	}
	if got := served(t, server, "/file"); len(got) != 3<<20 || got[10] != 'Y' || got[2_000_000] != 'X' {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	wantNames(t, server, "/", "file")
}

// What somebody else has stored is not stored over by who only opens the file again, and closes it.
func TestStoredInPlaceAtAnotherClose(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{InPlace: true}, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, ftptest.Always)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	server.ClearFaults()
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Run("true >> file || true")
	m.Unmount()
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
}

// Nor by who renames it: the name it gets is for what the server has.
func TestStoredInPlaceAtARename(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{InPlace: true}, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, ftptest.Always)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	server.ClearFaults()
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Run("mv file renamed && mv renamed file") // the kernel tries again after ESTALE
	m.Unmount()
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
}

// Of what goes beside another's file no part stays when that breaks off.
func TestStoredInPlaceBesideAtTheSecondTry(t *testing.T) {
	t.Parallel()
	opts := ftpfs.Options{InPlace: true, CacheDir: t.TempDir()}
	server, m := mountEmbedded(t, opts, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, ftptest.Always)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.FS.Unmount(t.Context()); err == nil {
		t.Fatal("unmounted with nothing left to do")
	}
	server.ClearFaults()
	m = fusetest.Server(t, embeddedConfig(server, silence), opts)
	m.Unmount()
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
}

// Nor stays an empty one whose upload nobody has seen begin.
func TestNothingStaysBesideWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{InPlace: true}, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, 1)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	server.Fail("STOR", ftptest.OnBegin, ftptest.Reset, 1)
	m.Run("true >> file || true")
	m.Unmount()
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
}

// A part beside another's file whose removal nobody has seen gives its name to nothing else before it is gone.
func TestPartBesideIsRemovedOnce(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{InPlace: true}, map[string]string{"/file": string(random(3 << 20))})
	server.DropData("STOR", 1<<20, 2)
	m.Run("! (printf X | dd of=file bs=1 seek=2000000 conv=notrunc status=none) 2> /dev/null")
	if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	server.DropReply("DELE", 0, 1)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second + 20*time.Millisecond)))
	m.Run("true >> file || true; true >> file || true")
	m.Unmount()
	wantBeside(t, server, "theirs", func(s string) bool { return len(s) == 3<<20 && s[2_000_000] == 'X' })
}

// count is how many commands of a verb the server has got.
func count(server *ftptest.Embedded, verb string) (n int) {
	for _, c := range server.Log().Commands() {
		if strings.HasPrefix(c, verb+" ") {
			n++
		}
	}
	return n
}
