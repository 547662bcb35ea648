package ftpfs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// A logText keeps what is written to it from several goroutines.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// A full disk under the cache costs nobody his bytes, and is told once.
func TestCacheDiskThatIsFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "128k")
	server := ftptest.Start(t, ftptest.Options{})
	files := map[string][]byte{"a": random(9 << 20), "b": random(5 << 20), "c": random(100_000)}
	for name, data := range files {
		if err := afero.WriteFile(server.Fs(), "/"+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said := new(logText)
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheDir: disk, Logger: slog.New(slog.NewTextHandler(said, nil))})
	local := t.TempDir()
	for range 2 {
		m.Run("for f in a b c; do cat $f > " + local + "/$f & done; wait; head -c 4096 a | cmp -n 4096 - " + local + "/a")
		for name, data := range files {
			sameFile(t, local+"/"+name, data)
		}
	}
	m.Unmount()
	said.mu.Lock()
	defer said.mu.Unlock()
	if n := strings.Count(said.text.String(), "level=WARN"); n != 1 {
		t.Errorf("it was told %d times:\n%s", n, &said.text)
	}
}

// Two mounts of one server on one cache directory keep out of each other's way, and leave
// what they have read to a third one.
func TestTwoMountsOnOneCacheDirectory(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	data := random(6 << 20)
	if err := afero.WriteFile(server.Fs(), "/file", data, 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := server.Fs().Chtimes("/file", old, old); err != nil {
		t.Fatal(err)
	}
	opts := ftpfs.Options{CacheDir: t.TempDir()}
	local := t.TempDir()
	read := func(m *fusetest.Mount, to int) *child {
		return start(t, m, fmt.Sprintf("exec cat file > %s/%d", local, to))
	}
	first := fusetest.Server(t, embeddedConfig(server, silence), opts)
	second := fusetest.Server(t, embeddedConfig(server, silence), opts)
	for i, c := range []*child{read(first, 0), read(second, 1)} {
		if out, err := c.wait(time.Minute); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sameFile(t, fmt.Sprintf("%s/%d", local, i), data)
	}
	second.Unmount()
	first.Unmount()
	server.Log().Reset()
	third := fusetest.Server(t, embeddedConfig(server, silence), opts)
	third.Run("cat file > " + local + "/2")
	sameFile(t, local+"/2", data)
	if got := retrieved(server); len(got) > 0 {
		t.Errorf("retrieved %v once more", got)
	}
}

func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has other bytes, %d of them (%v)", path, len(got), err)
	}
}
