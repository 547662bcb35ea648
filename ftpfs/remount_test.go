package ftpfs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// retrieved lists the files that were asked for.
func retrieved(server *ftptest.Embedded) (paths []string) {
	for _, command := range server.Log().Commands() {
		if path, ok := strings.CutPrefix(command, "RETR "); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestReadAgainAfterARemount(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	big := string(random(5_000_000))
	for path, data := range map[string]string{"/big": big, "/small": "small", "/changed": "old version", "/recent": "may have changed since"} {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Minute)
		if path == "/recent" {
			long = time.Now()
		}
		if err := server.Fs().Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	opts := ftpfs.Options{CacheDir: t.TempDir()}
	mount := func() *fusetest.Mount { return fusetest.Server(t, embeddedConfig(server, silence), opts) }
	m := mount()
	sum := m.Run("cat changed recent > /dev/null; head -c 3000000 /dev/urandom > written; cat big small written | sha256sum")
	m.Unmount()

	if err := afero.WriteFile(server.Fs(), "/changed", []byte("a new version"), 0o644); err != nil {
		t.Fatal(err)
	}
	server.Log().Reset()
	m = mount()
	if got := m.Run("cat big small written | sha256sum; cat changed recent"); got != sum+"\na new versionmay have changed since" {
		t.Errorf("%s\nwant %s", got, sum)
	}
	if got := retrieved(server); !slices.Equal(got, []string{"/changed", "/recent"}) {
		t.Errorf("retrieved %v", got)
	}
	if st := m.FS.Stats().Files; st.Damaged != 0 {
		t.Errorf("%+v", st)
	}
}

// Without a disk cache, or a directory for it, all works but for what does not
// fit into memory.
func TestCacheInMemory(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	big := random(3_000_000)
	if err := afero.WriteFile(server.Fs(), "/big", big, 0o644); err != nil {
		t.Fatal(err)
	}
	m := fusetest.Server(t, embeddedConfig(server, silence), ftpfs.Options{CacheBytes: -1})
	want := m.Run("sha256sum < big")
	server.Log().Reset()
	if got := m.Run("cat big | sha256sum; cp big copy; sha256sum < copy; printf XYZ | dd of=big bs=1 seek=1000000 conv=notrunc 2> /dev/null; dd if=big bs=1 skip=1000000 count=3 2> /dev/null"); got != want+"\n"+want+"\nXYZ" {
		t.Errorf("%s", got)
	}
	if got := retrieved(server); slices.Contains(got, "/big") {
		t.Errorf("retrieved %v", got)
	}
	copy(big[1_000_000:], "XYZ")
	if got := served(t, server, "/big"); got != string(big) {
		t.Errorf("the server has %d bytes", len(got))
	}
}
