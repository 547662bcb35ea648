package ftpfs_test

import (
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// Where no download can begin at an offset, files can be read and changed all the same, in any
// order.
func TestServerWithoutRestart(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Unknown: []string{"REST"}}})
	const size = 6 << 20
	data := strings.Repeat("0123456789abcdef", size/16)
	for _, path := range []string{"/big", "/changed"} {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
	if got := m.Run("head -c 16 big; tail -c 17 big; dd if=big bs=16 skip=200000 count=1 status=none; cat big | wc -c"); got != "0123456789abcdeff0123456789abcdef0123456789abcdef6291456" {
		t.Errorf("%q", got)
	}
	m.Run("printf X | dd of=changed bs=1 seek=3000000 conv=notrunc status=none")
	if got := served(t, server, "/changed"); got != data[:3000000]+"X"+data[3000001:] {
		t.Errorf("%d bytes", len(got))
	}
	if m.Client.CanRestart() != ftpclient.No {
		t.Error("the server has REST")
	}
}

// A server that agrees to begin at an offset, and does not, passes no wrong bytes.
func TestServerThatIgnoresRestart(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Hidden: []string{"REST"}}})
	server.Refuse("REST", "350 Restarting.", ftptest.Always)
	data := string(random(3 << 20))
	if err := afero.WriteFile(server.Fs(), "/big", []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{})
	python(t, m, `
with open("big", "rb") as f:
    f.seek(2000000)
    open("part", "wb").write(f.read(1000))
`)
	if got := served(t, server, "/part"); got != data[2000000:2001000] {
		t.Error("wrong bytes")
	}
}
