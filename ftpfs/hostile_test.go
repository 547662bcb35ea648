package ftpfs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// nonsenseEnv is how long TestNonsense lasts, as in 10m.
const nonsenseEnv = "FTPFS_TEST_NONSENSE"

// useAtWill uses the mount for some seconds in any way, whatever fails. It follows no link,
// and tells of links that would lead out of the mount.
const useAtWill = `
import random
rng, until, did, failed = random.Random(seed), time.time() + seconds, 0, 0
def path():
    try:
        names = os.listdir(b".")
    except OSError:
        names = []
    name = rng.choice(names + [b"made", b"dir"])
    if rng.random() < 0.3:
        try:
            name += b"/" + rng.choice(os.listdir(name) or [b"made"])
        except OSError:
            name += b"/made"
    return name
def read(p):
    f = os.open(p, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fstat(f); os.pread(f, 100000, rng.choice([0, 0, 0, 50000, 1 << 40, (1 << 62) - 1])); os.read(f, 1000)
    finally:
        os.close(f)
def write(p):
    f = os.open(p, os.O_WRONLY | os.O_NOFOLLOW | rng.choice([0, os.O_TRUNC, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_APPEND | os.O_CREAT]), 0o644)
    try:
        os.write(f, b"x" * rng.choice([1, 5000])); os.fsync(f)
    finally:
        os.close(f)
def link(p):
    to = os.readlink(p)
    here = os.path.normpath(os.path.join(b"/", os.path.dirname(p), to))
    depth = p.count(b"/")
    for part in to.split(b"/"):
        depth += -1 if part == b".." else 0 if part in (b"", b".") else 1
        assert depth >= 0 and not to.startswith(b"/"), (p, to)
def attributes(p):
    os.getxattr(p, "user.ftp." + rng.choice(["facts", "sha256", "unique"]), follow_symlinks=False)
ways = [os.lstat, os.listdir, read, read, read, write, write, link, link, attributes, os.unlink, os.rmdir, os.mkdir,
    lambda p: os.rename(p, path()), lambda p: os.symlink(path(), p), lambda p: os.truncate(os.open(p, os.O_WRONLY | os.O_NOFOLLOW), 3),
    lambda p: os.utime(p, (5, 5), follow_symlinks=False), lambda p: os.statvfs(b"."), lambda p: [os.lstat(n) for n in os.listdir(b".")]]
while time.time() < until:
    did += 1
    try:
        rng.choice(ways)(path())
    except OSError as e:
        failed += 1
for fd in range(5, 1000):
    try:
        os.close(fd)
    except OSError:
        pass
print(did, "calls,", failed, "failed")
`

// A server that talks nonsense, more or less, whatever it is asked.
func TestNonsense(t *testing.T) {
	t.Parallel()
	lasts := 3 * time.Second
	if text := os.Getenv(nonsenseEnv); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const eras = 3 // mounts, the later ones of which meet more nonsense
	for era := range eras {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		n := &nonsense{rng: rand.New(rand.NewPCG(seed, 0)), share: []float64{0.03, 0.2, 0.6}[era]}
		server := ftptest.StartLiar(t, ftptest.Lies{
			Features: []string{" MLST type*;size*;modify*;unique*;UNIX.mode*;", " REST STREAM", " SIZE", " MDTM", " MFMT", " UTF8", " XSHA256"}[:7*(era%2)],
			Reply:    n.reply, Data: n.data,
		})
		var log lockedBuffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		m := fusetest.Server(t, ftpclient.Config{
			Addr: server.Addr(), User: "user", Password: "secret", Timeout: 100 * time.Millisecond, Logger: logger,
		}, ftpfs.Options{DirTTL: 100 * time.Millisecond, Patience: 200 * time.Millisecond, Xattr: true, Logger: logger})
		n.begin()
		script := filepath.Join(t.TempDir(), "program.py")
		program := fmt.Sprintf("import errno, os, time\nseed, seconds = %d, %f\n", seed>>1, lasts.Seconds()/eras) + useAtWill
		if err := os.WriteFile(script, []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*child{start(t, m, "exec /usr/bin/python3 "+script), start(t, m, "exec /usr/bin/python3 "+script)} {
			out, err := c.wait(lasts + time.Minute)
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			t.Log(out)
		}
		n.end()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		m.FS.Unmount(ctx) // what could not be uploaded is not this test's matter
		cancel()
		ended := make(chan struct{})
		go func() { m.FS.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the mount does not end")
		}
		if said := log.String(); strings.Contains(said, "internal error") {
			t.Errorf("logged: %s", said)
		}
	}
}

// A lockedBuffer may be written to by many.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// nonsense makes up replies and listings.
type nonsense struct {
	share float64 // of the answers

	mu  sync.Mutex
	rng *rand.Rand
	on  bool
}

func (n *nonsense) begin() { n.set(true) }
func (n *nonsense) end()   { n.set(false) }

func (n *nonsense) set(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on = on
}

func (n *nonsense) pick(of ...string) string { return of[n.rng.IntN(len(of))] }

// reply never names a port that something may listen on.
func (n *nonsense) reply(verb, arg string) io.Reader {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.on || n.rng.Float64() >= n.share {
		return nil
	}
	text := n.pick("ok", "", "\x00\xff\x1b[2J", "(|||0|)", "(|||1|)", "(|||99999|)", "(127,0,0,1,0,0)", "(127,0,0,1,0,1)", "(256,1,1,1,1,1)",
		`"/"`, `"/../.."`, `"/a""b`, `"relative"`, "No such file", "Permission denied", "file exists", "quota exceeded", "use TLS", "-1", "0", "3", "9223372036854775807",
		"9223372036854775808", "20060102150405", "00000000000000", "99991231235959.999", "100000 MLSD", strings.Repeat("long ", n.rng.IntN(4000)), " type=dir;size=x; /../x")
	code := n.pick("000", "100", "150", "200", "211", "213", "220", "226", "227", "229", "230", "250", "257", "331", "350", "421", "425", "426", "450", "451", "452",
		"500", "502", "530", "550", "551", "552", "553", "999", "abc", "")
	switch n.rng.IntN(8) {
	case 0: // for more than one command
		return strings.NewReader(code + " " + text + "\r\n" + n.pick("200", "226", "550") + " again\r\n")
	case 1:
		return strings.NewReader(code + "-" + text + "\r\n" + text + "\r\n" + code + " end\r\n")
	case 2: // without an end
		return strings.NewReader(n.pick(code+"-"+text+"\r\n", code, text))
	case 3: // or nothing
		return strings.NewReader("")
	}
	return strings.NewReader(code + " " + text + "\r\n")
}

// data is a listing, or what could be one.
func (n *nonsense) data(verb, path string) io.Reader {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.on {
		return strings.NewReader("")
	}
	if verb == "RETR" {
		return strings.NewReader(strings.Repeat("data ", n.rng.IntN(40000)))
	}
	var text strings.Builder
	for range n.rng.IntN(20) {
		name := n.pick("a", "b", "c", "made", "dir", "dir", "..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "nu\x00l", "\x1b[31m", "\xff\xfe", "a\nb", "a\rb", " ", "", "-rf", "*",
			strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 10000), ".ftpfs-aaaaaaaaaaaaaaaa.part", "x -> y", "x -> ../../etc")
		if verb == "MLSD" {
			fmt.Fprintf(&text, "type=%s;size=%s;modify=%s;unique=%s;UNIX.mode=%s; %s\r\n",
				n.pick("file", "file", "dir", "dir", "cdir", "pdir", "OS.unix=symlink", "OS.unix=slink:a", "OS.unix=slink:/etc/passwd", "OS.unix=slink:../../..", "OS.unix=slink:", "OS.unix=chr", "", "what"),
				n.pick("0", "3", "100000", "-1", "9223372036854775807", "9223372036854775808", "4611686018427387904", "x", ""),
				n.pick("20200101000000", "00000101000000", "99991231235959", "10000000101000000", "20200230000000", "20200101000000.123456789123456789", "", "-1"),
				n.pick("1", "1U2", "", strings.Repeat("u", 300)), n.pick("0644", "7777", "0000", "0o755", "-1", ""), name)
			continue
		}
		fmt.Fprintf(&text, "%s 1 %s %s %s %s %s\r\n", n.pick("-rw-r--r--", "drwxr-xr-x", "lrwxrwxrwx", "crw-rw-rw-", "-rwsr-sr-t", "?", "d---------"),
			n.pick("0", "user", "-1"), n.pick("0", "group"), n.pick("0", "3", "100000", "9223372036854775808", "-5"),
			n.pick("Jan 01 2020", "Feb 30 12:00", "Jan 01 0000", "Jan 01 1000000", "Foo 99 99:99", "Feb 29 00:00"), name)
	}
	data := []byte(text.String())
	for range n.rng.IntN(3) {
		if len(data) > 0 && n.rng.IntN(4) == 0 {
			data[n.rng.IntN(len(data))] = byte(n.rng.IntN(256))
		}
	}
	return bytes.NewReader(data)
}
