package ftpfs_test

import (
	"bytes"
	"context"
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

// arrived waits until temporary files on the server have so many bytes.
func arrived(t *testing.T, server *ftptest.Embedded, size int64) {
	t.Helper()
	eventually(t, endsIn, "what is sent ahead", func() error {
		infos, err := afero.ReadDir(server.Fs(), "/")
		got := int64(0)
		for _, info := range infos {
			if strings.HasSuffix(info.Name(), ".part") {
				got += info.Size()
			}
		}
		if err != nil || got < size {
			return fmt.Errorf("%d bytes of %d (%v)", got, size, err)
		}
		return nil
	})
}

// A file is sent while it is written, in one piece.
func TestFileIsSentWhileWritten(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, nil)
	python(t, m, `
f = os.open("file", os.O_WRONLY | os.O_CREAT)
for i in range(64):
    os.write(f, bytes([i]) * 131072)
others()
os.write(f, b"end")
os.close(f)
`, func() { arrived(t, server, 8<<20) })
	var want []byte
	for i := range 64 {
		want = append(want, bytes.Repeat([]byte{byte(i)}, 131072)...)
	}
	if got := served(t, server, "/file"); got != string(want)+"end" {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	stores := 0
	for _, c := range server.Log().Commands() {
		if strings.HasPrefix(c, "STOR") || strings.HasPrefix(c, "APPE") {
			stores++
		}
	}
	if stores != 1 {
		t.Errorf("%d uploads of one file", stores)
	}
	wantNames(t, server, "/", "file")
}

// What is not written in order is right all the same, and nothing is left of
// what was sent in vain.
func TestSentAheadInVain(t *testing.T) {
	const written = `
data = bytearray(os.urandom(4 << 20))
f = os.open("file", os.O_RDWR | os.O_CREAT)
os.write(f, data)
others()
`
	const closed = `
os.close(f)
assert slurp("file") == data
`
	for name, program := range map[string]string{
		"rewritten":   `os.pwrite(f, b"head", 0); data[:4] = b"head"` + closed,
		"cut":         `os.ftruncate(f, 3 << 20); del data[3 << 20:]` + closed,
		"emptied":     `os.ftruncate(f, 0); os.pwrite(f, b"new" * 1000000, 0); data = b"new" * 1000000` + closed,
		"with a hole": `os.pwrite(f, b"end", 6 << 20); data += bytes(2 << 20) + b"end"` + closed,
		"by mmap": `
m = mmap.mmap(f, 4 << 20)
m[1000:1004] = data[1000:1004] = b"mmap"
m.close()` + closed,
		"unlinked":  `os.unlink("file"); assert os.pread(f, 10, 0) == data[:10]; os.close(f); spit("file", b"other")`,
		"renamed":   `os.rename("file", "new"); os.write(f, b"more"); os.close(f); assert slurp("new") == data + b"more"; os.rename("new", "file")`,
		"synced":    `os.fsync(f); os.write(f, b"more"); os.pwrite(f, b"head", 0); data[:4] = b"head"; data += b"more"` + closed,
		"replaced":  `os.mkdir("d"); spit("other", b"other"); os.rename("other", "file"); os.write(f, b"lost"); os.close(f); assert slurp("file") == b"other"; os.rmdir("d")`,
		"truncated": `os.truncate("file", 100); del data[100:]` + closed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := mountConnected(t, several, ftpfs.Options{}, nil)
			python(t, m, written+program, func() { arrived(t, server, 4<<20) })
			m.Unmount()
			wantNames(t, server, "/", "file")
		})
	}
}

// Whoever writes slowly keeps no connection, and sends nothing twice.
func TestWriterPauses(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			var said verbs
			m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Trace: said.trace}, ftpfs.Options{})
			python(t, m, `
f = os.open("file", os.O_WRONLY | os.O_CREAT)
os.write(f, b"a" * 3000000)
others()
os.write(f, b"b" * 3000000)
os.close(f)
`, func() {
				eventually(t, endsIn, "the connection", func() error {
					if s := m.Client.Stats(); said.count("STOR")+said.count("APPE") == 0 || s.Idle < s.Open {
						return errors.New("it is still used")
					}
					return nil
				})
			})
			got, err := os.ReadFile(filepath.Join(server.Root, "file"))
			if want := strings.Repeat("a", 3000000) + strings.Repeat("b", 3000000); err != nil || string(got) != want {
				t.Errorf("the server has %d bytes, or others (%v)", len(got), err)
			}
			stores := 1
			if name == "vsftpd" { // which also begins it by APPE
				stores = 0
			}
			if said.count("STOR") != stores || said.count("APPE") != 2-stores {
				t.Errorf("%d STOR, %d APPE", said.count("STOR"), said.count("APPE"))
			}
		})
	}
}

// A session that ends just before a file is to get its name, since it had nothing to do for
// too long, is not noticed: the server has renamed nothing.
func TestSessionEndsBeforeTheRename(t *testing.T) {
	for name, size := range map[string]int{"sent at its close": 1000, "sent while written": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := filepath.Join(t.TempDir(), "local")
			if err := os.WriteFile(local, pattern(name, size), 0o644); err != nil {
				t.Fatal(err)
			}
			server, m := mountConnected(t, several, ftpfs.Options{}, nil)
			server.Fail("MFMT", ftptest.OnCommand, ftptest.Leave, 1)
			m.Run("cp " + local + " file; cmp " + local + " file")
			if server.Met() != 1 {
				t.Error("the session has not ended")
			}
			m.Unmount()
			wantNames(t, server, "/", "file")
			if got := served(t, server, "/file"); got != string(pattern(name, size)) {
				t.Errorf("the server has %d bytes, or others", len(got))
			}
			if n := strings.Count(strings.Join(server.Log().Commands(), "\n"), "RNTO"); n != 2 {
				t.Errorf("renamed %d times", n)
			}
		})
	}
}

// What the server has lost meanwhile of a file that is sent is sent once more,
// before the file gets its name.
func TestServerLosesWhatWasSent(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/file": "old"})
	python(t, m, `
f = os.open("file", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(f, b"a" * 3000000)
others()
os.write(f, b"b" * 3000000)
os.close(f)
`, func() {
		eventually(t, endsIn, "the connection", func() error {
			if s := m.Client.Stats(); s.Idle < s.Open || !slices.ContainsFunc(server.Log().Commands(), func(c string) bool { return strings.HasPrefix(c, "DELE") }) {
				return errors.New("it is still used")
			}
			return nil
		})
		infos, err := afero.ReadDir(server.Fs(), "/")
		if err != nil {
			t.Error(err)
		}
		for _, info := range infos {
			if strings.HasSuffix(info.Name(), ".part") {
				if err := afero.WriteFile(server.Fs(), "/"+info.Name(), []byte("short"), 0o644); err != nil {
					t.Error(err)
				}
			}
		}
	})
	if got := served(t, server, "/file"); got != strings.Repeat("a", 3000000)+strings.Repeat("b", 3000000) {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	renames := 0
	for _, c := range server.Log().Commands() {
		if strings.HasPrefix(c, "RNTO") {
			renames++
		}
	}
	if renames != 1 {
		t.Errorf("%d uploads got the name", renames)
	}
	m.Unmount()
	wantNames(t, server, "/", "file")
}

// Many files at a time take turns, and leave room for others.
func TestManyFilesAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, 3, ftpfs.Options{}, map[string]string{"/d/f": "content"})
	python(t, m, `
files = [os.open("file%02d" % i, os.O_WRONLY | os.O_CREAT) for i in range(12)]
for turn in range(20):
    for i, f in enumerate(files):
        os.write(f, bytes([i, turn]) * 65536)
    if turn == 10:
        assert slurp("d/f") == b"content"
        spit("d/g", b"new")
for f in files:
    os.close(f)
for i in range(12):
    assert slurp("file%02d" % i) == b"".join(bytes([i, turn]) * 65536 for turn in range(20))
`)
	for i := range 12 {
		if got := served(t, server, fmt.Sprintf("/file%02d", i)); len(got) != 20*131072 || got[len(got)-1] != 19 {
			t.Errorf("file %d has %d bytes", i, len(got))
		}
	}
}

// A sender that loses its connection costs nothing but time.
func TestSendingAheadIsBrokenOff(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, nil)
	server.DropData("STOR", 3<<20, 1)
	data := random(6 << 20)
	local := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(local, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m.Run("cp " + local + " file")
	if got := served(t, server, "/file"); got != string(data) {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	m.Unmount()
	wantNames(t, server, "/", "file")
}

// Sending ahead and appending go over TLS, and in active mode, too.
func TestSendingByAllConnections(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd"} {
		for what, mode := range map[string]ftpclient.Mode{"TLS": ftpclient.ModeEPSV, "active": ftpclient.ModePORT} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				server := ftptest.Real(t, name, ftptest.RealOptions{TLS: what == "TLS"})
				data := random(5 << 20)
				put(t, server, map[string][]byte{"old": data})
				m := mountReal(t, server, mode)
				m.Run(`cat old > new; cat new >> old; echo end >> new; { head -c 2000000 old; sleep 2.5; tail -c +2000001 old; } > slow; cmp slow old`)
				m.Unmount()
				for path, want := range map[string]string{
					"new": string(data) + "end\n", "old": string(data) + string(data), "slow": string(data) + string(data),
				} {
					if got, err := os.ReadFile(filepath.Join(server.Root, path)); err != nil || string(got) != want {
						t.Errorf("%s: the server has %d bytes of %d, or others (%v)", path, len(got), len(want), err)
					}
				}
			})
		}
	}
}

// A server that is full is not sent the same once more, and the file stays.
func TestServerIsFullWhileSending(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, nil)
	server.Replace("STOR", "452 Insufficient storage space.", 1)
	python(t, m, `
data = os.urandom(4 << 20)
f = os.open("file", os.O_WRONLY | os.O_CREAT)
os.write(f, data)
fails(errno.ENOSPC, os.close, f)
assert slurp("file") == data
`)
	stores := 0
	for _, c := range server.Log().Commands() {
		if strings.HasPrefix(c, "STOR") {
			stores++
		}
	}
	if p := m.FS.Status().Pending; stores != 1 || len(p) != 1 || !strings.Contains(p[0].Err, "452") {
		t.Errorf("%d times STOR, and to be uploaded is %+v", stores, p)
	}
	m.Unmount() // tries once more
	wantNames(t, server, "/", "file")
}

// A server that falls silent while a sender gives its connection back does not
// keep an unmount that is to wait for nothing.
func TestUnmountWhileASenderWaits(t *testing.T) {
	t.Parallel()
	server, m := patient(t, nil)
	hold := server.HoldReply("STOR", 2)
	defer hold.Release()
	writer := start(t, m, `exec /usr/bin/python3 -c 'import time
f = open("file", "wb", buffering=0)
f.write(bytes(3000000))
time.sleep(100)'`)
	reached(t, hold)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- m.FS.Unmount(ctx) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("unmounted without a word")
		}
		writer.signal(syscall.SIGKILL) // where nothing else cuts the mount off
		if err := m.FS.Wait(); err == nil || !strings.Contains(err.Error(), "could not be uploaded") {
			t.Errorf("unmounted: %v", err)
		}
	case <-time.After(endsIn):
		t.Error("the unmount waits for the server")
		hold.Release()
		<-ended
	}
}

// What was sent ahead keeps its worth when its directory is renamed before the close.
func TestDirectoryIsRenamedWhileItsFileIsSent(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/old/file": "x"})
	m.Run("ls -l old")
	hold := server.StallData("STOR", 100_000)
	defer hold.Release()
	writer := start(t, m, "(head -c 3000000 /dev/zero; while [ -e old ]; do sleep 0.01; done) | cat > old/file")
	reached(t, hold)
	m.Run("mv old new")
	hold.Release()
	if out, err := writer.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	m.Unmount()
	if n := count(server, "STOR"); n != 1 {
		t.Errorf("%d STORs", n)
	}
	if got := served(t, server, "/new/file"); len(got) != 3_000_000 {
		t.Errorf("the server has %d bytes", len(got))
	}
	wantNames(t, server, "/new", "file")
}
