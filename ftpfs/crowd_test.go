package ftpfs_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// A directory of 100,000 files takes no more than 40 MB of memory besides the text of its listing,
// when it has been listed, and when every file of it has been looked at.
func TestMemoryOfLargeDirectories(t *testing.T) { // not in parallel: others would take memory meanwhile
	const files, most = 100_000, 40_000_000
	var text strings.Builder
	for i := range files {
		fmt.Fprintf(&text, "modify=20200101000000;size=%d;type=file;unique=801U%x;UNIX.mode=0644; file%05d\r\n", i, 0x100000+i, i)
	}
	server := ftptest.StartLiar(t, ftptest.Lies{
		Features: []string{" MLST type*;size*;modify*;unique*;UNIX.mode*;"},
		Data: func(_, path string) io.Reader {
			if path == "/" {
				return strings.NewReader("type=dir;modify=20200101000000; large\r\n")
			}
			return strings.NewReader(text.String())
		},
	})
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret"}, ftpfs.Options{})
	m.Run("ls -l")
	before := inUse()
	for _, list := range []string{"ls -f", "ls -l"} {
		if lines := strings.Count(m.Run(list+" large"), "\n"); lines < files {
			t.Errorf("%s: %d lines", list, lines)
		}
		took := inUse() - before
		t.Logf("%s: %.1f MB, and %.1f MB of text", list, float64(took)/1e6, float64(text.Len())/1e6)
		if took > most+text.Len() {
			t.Errorf("%s: %d bytes of memory for %d of text", list, took, text.Len())
		}
	}
}

// inUse is how much memory is in use, in bytes.
func inUse() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers kept the first time
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
