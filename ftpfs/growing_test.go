package ftpfs_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"

	"github.com/spf13/afero"
)

// Who has a file open that others append to sees what they add when the listing
// has expired.
func TestGrowingFileIsFollowed(t *testing.T) {
	t.Parallel()
	log := bytes.Repeat([]byte("an old line\n"), 1000)
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 50 * time.Millisecond}, map[string]string{"/log": string(log)})
	local := t.TempDir() + "/copy"
	tail := start(t, m, "exec tail -c +1 -s 0.05 -f log > "+local)
	for i := range 4 {
		eventually(t, 10*time.Second, "what was added", func() error {
			got, err := os.ReadFile(local)
			if err == nil && !bytes.Equal(got, log) {
				err = fmt.Errorf("%d bytes of %d", len(got), len(log))
			}
			return err
		})
		log = fmt.Appendf(log, "new line %d\n", i)
		if err := afero.WriteFile(server.Fs(), "/log", log, 0o644); err != nil {
			t.Fatal(err)
		}
		m.Run("tail -n 1 log") // somebody else opens it
	}
	select {
	case <-tail.done:
		t.Errorf("tail has ended: %s", tail.out.String())
	default:
	}
}

// Who reads a large file while it grows gets it as it is then; one that was
// replaced by a longer one gives no byte of that to who has it open.
func TestFileGrowsWhileItIsRead(t *testing.T) {
	for name, c := range map[string]struct{ then, want string }{
		"appended": {strings.Repeat("A", 24<<20) + "more", `
assert got[:24 << 20] == b"A" * (24 << 20) and got[24 << 20:] == b"more", len(got)
`},
		"replaced": {strings.Repeat("B", 25<<20), `
assert got == b"A" * len(got) and failed == errno.ESTALE, (len(got), failed)
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, map[string]string{"/file": strings.Repeat("A", 24<<20)})
			python(t, m, `
f = os.open("file", os.O_RDONLY)
got, failed = os.read(f, 1 << 20), 0
others()
time.sleep(2.1) # and it is known to be as it was for some moments
os.stat("file")
try:
    while part := os.read(f, 1 << 20):
        got += part
except OSError as e:
    failed = e.errno
`+c.want+`
assert slurp("file")[-4:] == `+fmt.Sprintf("b%q", c.then[len(c.then)-4:]), func() { replaceBy(t, server, "/file", c.then) })
		})
	}
}

// A longer version may have another beginning although it ends like the shorter
// one: nobody gets bytes of both, and who may write gets no further.
func TestGrowingFileThatChangesAtItsBeginning(t *testing.T) {
	for name, c := range map[string]struct{ mode, want string }{
		"read": {"O_RDONLY", `
assert again == b"B" * 4096 and failed == 0, (again[:10], failed)
assert slurp("file") == b"B" * 4096 + b"t" * (64 << 10) + b"more"
`},
		"written": {"O_RDWR", `
assert again == b"A" * 4096 and failed == 0, (again[:10], failed)
def change():
    os.pwrite(f, b"mine", 4)
    os.fsync(f)
fails(errno.ESTALE, change)
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tail := strings.Repeat("t", 64<<10)
			server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 10 * time.Millisecond}, map[string]string{"/file": strings.Repeat("A", 4096) + tail})
			python(t, m, `
f = os.open("file", os.`+c.mode+`)
while os.read(f, 1 << 20):
    pass
others()
time.sleep(0.1)
again, failed = b"", 0
try:
    os.stat("file")
    again = os.pread(f, 4096, 0)
except OSError as e:
    failed = e.errno
`+c.want, func() { replaceBy(t, server, "/file", strings.Repeat("B", 4096)+tail+"more") })
			m.Unmount()
			got, err := afero.ReadFile(server.Fs(), "/file")
			if err != nil || string(got) != strings.Repeat("B", 4096)+tail+"more" {
				t.Errorf("the server has %.10q… (%v)", got, err)
			}
		})
	}
}
