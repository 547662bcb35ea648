package ftpfs_test

import (
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
)

// With a single connection all that a mount does takes turns: streams that are
// paused or long give way, to listings, uploads, changes and each other.
func TestSingleConnection(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 8<<20), strings.Repeat("b", 8<<20)
	server, m := mountConnected(t, 1, ftpfs.Options{}, map[string]string{
		"/a": a, "/b": b, "/x/1/file": "1", "/x/2/file": "2", "/x/3/4/file": "4",
	})
	python(t, m, `
a, b = os.open("a", os.O_RDONLY), os.open("b", os.O_RDONLY)
got = os.read(a, 1 << 20), os.read(b, 1 << 20) # and their streams run ahead
assert sorted(os.listdir("x")) == ["1", "2", "3"]
spit("x/new", b"new" * 1000000)
assert sorted(os.listdir("x")) == ["1", "2", "3", "new"]
for i in range(1, 8):
    got = got[0] + os.read(a, 1 << 20), got[1] + os.pread(b, 1 << 20, i << 20)
    os.mkdir("x/dir%d" % i)
    spit("x/dir%d/file" % i, b"%d" % i)
    os.rename("x/dir%d" % i, "x/moved%d" % i)
    assert slurp("x/moved%d/file" % i) == b"%d" % i
assert got == (b"a" * (8 << 20), b"b" * (8 << 20))
assert sum(len(files) for _, _, files in os.walk("x")) == 3 + 1 + 7
f = os.open("a", os.O_RDWR)
os.pwrite(f, b"X", 5 << 20)
os.close(f)
`)
	const script = "find x -type f -exec cat {} + | wc -c; cat a b | wc -c; "
	writer, reader := start(t, m, "for i in $(seq 3); do cp b copy$i; done"), start(t, m, strings.Repeat(script, 2))
	for _, c := range []*child{writer, reader} {
		if out, err := c.wait(time.Minute); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	if want := a[:5<<20] + "X" + a[:3<<20-1]; served(t, server, "/a") != want || served(t, server, "/copy3") != b {
		t.Error("the server has other bytes")
	}
	for _, e := range server.Log().Entries() {
		if e.Conn != 1 {
			t.Fatal("another connection was opened")
		}
	}
}
