package ftpfs_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
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

// retrievals are the offsets at which files were asked for.
func retrievals(server *ftptest.Embedded) (offsets []string) {
	offset := "0"
	for _, line := range server.Log().Commands() {
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "REST":
			offset = arg
		case "RETR":
			offsets = append(offsets, offset)
			offset = "0"
		}
	}
	return offsets
}

// Each way of reading brings the right bytes, by few transfers.
func TestWaysToRead(t *testing.T) {
	const size = 6 << 20
	for name, c := range map[string]struct {
		program   string
		transfers int // at most
	}{
		"forward": {`
got = b"".join(os.pread(f, 4096, at) for at in range(0, size, 4096))
`, 1},
		"backward": {`
got = b"".join(reversed([os.pread(f, 4096, at) for at in reversed(range(0, size, 4096))]))
`, 24},
		"two readers in turns": {`
parts = [], []
for at in range(0, size // 2, 65536):
    parts[0].append(os.pread(f, 65536, at))
    parts[1].append(os.pread(f, 65536, size // 2 + at))
got = b"".join(parts[0] + parts[1])
`, 3},
		"steps with gaps": {`
pieces = [os.pread(f, 4096, at) for at in range(0, size, 100_000)]
assert pieces == [original[at:at + 4096] for at in range(0, size, 100_000)]
got = original
`, 3},
		"mmap": {`
import mmap, random
with mmap.mmap(f, 0, prot=mmap.PROT_READ) as m:
    for at in random.Random(1).sample(range(size), 20):
        assert m[at] == original[at]
    got = m[:]
`, 45},
		"O_DIRECT": {`
import mmap
g = os.open("big", os.O_RDONLY | os.O_DIRECT)
room, got = mmap.mmap(-1, 1 << 20), b""
while n := os.readv(g, [room]):
    got += room[:n]
os.close(g)
`, 1},
		"sendfile": {`
with open("/dev/shm/ftpfs-test-%d" % os.getpid(), "w+b") as out:
    os.unlink(out.name)
    at = 0
    while n := os.sendfile(out.fileno(), f, at, 1 << 20):
        at += n
    got = os.pread(out.fileno(), size + 1, 0)
`, 1},
		"splice": {`
into, out = os.pipe()
got, at = b"", 0
while n := os.splice(f, out, 65536, offset_src=at):
    at += n
    while len(got) < at:
        got += os.read(into, at - len(got))
`, 1},
		"20 readers": {`
import threading
parts = [b""] * 20
def read(i):
    at, end = size * i // 20, size * (i + 1) // 20
    while at < end:
        parts[i] += os.pread(f, min(32768, end - at), at)
        at = size * i // 20 + len(parts[i])
threads = [threading.Thread(target=read, args=(i,)) for i in range(20)]
for t in threads: t.start()
for t in threads: t.join()
got = b"".join(parts)
`, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := string(random(size))
			server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/big": data})
			original := t.TempDir() + "/original"
			if err := os.WriteFile(original, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			server.Log().Reset()
			python(t, m, fmt.Sprintf(`
original, size = slurp(%q), %d
f = os.open("big", os.O_RDONLY)
%s
assert got == original, "wrong bytes"
`, original, size, c.program))
			if at := retrievals(server); len(at) > c.transfers {
				t.Errorf("%d transfers began, at %s", len(at), at)
			}
		})
	}
}

// Who is killed while reading leaves nothing at work, though the file stays
// open elsewhere.
func TestKilledReaderLeavesNoTransfer(t *testing.T) {
	t.Parallel()
	server, m := patient(t, map[string]string{"/file": string(random(16 << 20))})
	other := start(t, m, "exec 3<file; echo; exec sleep 1000")
	hold := server.StallData("RETR", 100_000)
	reader := start(t, m, "exec cat file")
	reached(t, hold)
	reader.signal(syscall.SIGKILL)
	if _, err := reader.wait(freed); err == nil {
		t.Error("it was not killed")
	}
	hold.Release()
	eventually(t, 10*time.Second, "all connections to be idle", func() error {
		if s := m.FS.Stats().Client; s.Idle != s.Open || s.BytesIn > 12<<20 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	other.signal(syscall.SIGKILL)
	other.wait(freed)
}

// A slow connection is one whose bytes come at a given rate.
type slowConn struct {
	net.Conn
	rate  float64 // bytes a second
	ready time.Time
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), 64<<10)])
	if now := time.Now(); c.ready.Before(now) {
		c.ready = now
	}
	c.ready = c.ready.Add(time.Duration(float64(n) / c.rate * float64(time.Second)))
	time.Sleep(time.Until(c.ready))
	return n, err
}

// Where each connection is slow, several bring one file.
func TestSeveralTransfersOfOneFile(t *testing.T) {
	t.Parallel()
	const size = 12 << 20
	data := random(size)
	server := ftptest.Start(t, ftptest.Options{})
	if err := afero.WriteFile(server.Fs(), "/big", data, 0o644); err != nil {
		t.Fatal(err)
	}
	config := embeddedConfig(server, silence)
	config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil || addr == server.Addr() {
			return conn, err
		}
		return &slowConn{Conn: conn, rate: 1 << 20}, nil
	}
	config.Mode = ftpclient.ModeEPSV
	m := fusetest.Server(t, config, ftpfs.Options{})
	local := t.TempDir() + "/copy"
	m.Run("cat big > " + local)
	if got, err := os.ReadFile(local); err != nil || !bytes.Equal(got, data) {
		t.Errorf("wrong bytes, %d of them (%v)", len(got), err)
	}
	at := retrievals(server)
	if len(at) < 4 || len(at) > 16 || at[0] != "0" {
		t.Errorf("transfers began at %s", at)
	}
	if got := m.FS.Stats().Client.BytesIn; got > size*13/10 {
		t.Errorf("%d bytes were transferred", got)
	}
	if s := m.FS.Stats().Client; s.Open > 6 {
		t.Errorf("%d connections", s.Open)
	}
}
