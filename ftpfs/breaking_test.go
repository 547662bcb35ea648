package ftpfs_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// breakingEnv is how long the tests of connections that break read, as in 10m.
const breakingEnv = "FTPFS_TEST_BREAKING"

func breakingTime(t *testing.T) time.Duration {
	t.Helper()
	long := os.Getenv(breakingEnv)
	if long == "" {
		return 2 * time.Second
	}
	length, err := time.ParseDuration(long)
	if err != nil {
		t.Fatal(err)
	}
	return length
}

// breakTransfers breaks the server's data connections after no more than four megabytes, in
// each of the ways in which they can, and now and then a control connection. It returns how many
// transfers began, and how many of them the server has seen end early.
func breakTransfers(server *ftptest.Embedded, rng *rand.Rand, length time.Duration) (begun, broken int) {
	defer server.ClearFaults()
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		server.ClearFaults()
		for range 4 {
			server.DropData("RETR", rng.Int64N(4<<20), 1)
			server.EndData("RETR", rng.Int64N(4<<20), 1)
		}
		if rng.IntN(10) == 0 {
			server.DropCommand("RETR", 1) // with the control connection
		}
		for _, e := range server.Log().Entries() {
			code, _, _ := strings.Cut(e.Line, " ")
			switch {
			case e.Sent && code == "RETR":
				begun++
			case !e.Sent && (code == "426" || code == "550"): // as vsftpd and ftpserverlib call it
				broken++
			}
		}
		server.Log().Reset()
	}
	return begun, broken
}

// readAtWill reads files in the mount for some seconds, from several threads
// in order, backward and at random, around the kernel's memory or through it, and
// compares all with the originals. It prints how many reads it did, and how many
// failed: those that met nothing but broken connections may.
const readAtWill = `
import random, threading
until, reads, errors, wrong = time.time() + seconds, [0] * 6, [0] * 6, []
def work(i):
    rng = random.Random(seed * 100 + i)
    while time.time() < until and not wrong:
        name = "f%d" % rng.randrange(files)
        direct = rng.random() < 0.3
        f = os.open(name, os.O_RDONLY | (os.O_DIRECT if direct else 0))
        with open(originals + "/" + name, "rb") as original:
            size = os.fstat(original.fileno()).st_size
            if os.fstat(f).st_size != size:
                wrong.append((name, "size", os.fstat(f).st_size))
            way, at, n = rng.randrange(3), rng.randrange(size), rng.choice([100, 4096, 65536, 1 << 20])
            for _ in range(rng.randrange(1, 200)):
                got, want = b"", os.pread(original.fileno(), n, at)
                try:
                    while part := os.pread(f, n - len(got), at + len(got)):
                        got += part
                        if len(got) == n:
                            break
                except OSError as e:
                    errors[i] += 1
                    want = want[:len(got)]
                if got != want:
                    wrong.append((name, at, n, len(got)))
                    break
                reads[i] += 1
                if time.time() > until:
                    break
                at = (at + n, at - n, rng.randrange(size))[way]
                if not 0 <= at < size:
                    break
        os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(f)
threads = [threading.Thread(target=work, args=(i,)) for i in range(len(reads))]
for t in threads: t.start()
for t in threads: t.join()
assert not wrong, wrong
print(sum(reads), "reads,", sum(errors), "errors")
`

// Data connections that break every few megabytes, in each of the ways in
// which they can, cost time but no byte.
func TestReadingOverBreakingConnections(t *testing.T) {
	t.Parallel()
	length := breakingTime(t)
	const files = 4
	root := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("f%d", i)), random(8<<20+i*12345), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := ftptest.Start(t, ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), root)})
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheBytes: 8 << 20})
	seed := rand.Uint32()
	m.Run("cat f0 > /dev/null")
	server.Log().Reset()
	script := filepath.Join(t.TempDir(), "read.py")
	program := fmt.Sprintf("import os, time\nseconds, seed, files, originals = %f, %d, %d, %q\n%s", length.Seconds(), seed, files, root, readAtWill)
	if err := os.WriteFile(script, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	worker := start(t, m, "exec /usr/bin/python3 "+script)
	begun, broken := breakTransfers(server, rand.New(rand.NewPCG(uint64(seed), 0)), length)
	out, err := worker.wait(length + time.Minute)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, out)
	}
	t.Logf("%s, %d transfers, %d of them ended early", strings.TrimSpace(out), begun, broken)
	if begun < 2 || broken == 0 {
		t.Errorf("%d transfers, %d of them ended early", begun, broken)
	}
}
