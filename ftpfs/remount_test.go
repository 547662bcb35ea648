package ftpfs_test

import (
	"slices"
	"strings"
	"testing"

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
	for path, data := range map[string]string{"/big": big, "/small": "small", "/changed": "old version"} {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	opts := ftpfs.Options{CacheDir: t.TempDir()}
	mount := func() *fusetest.Mount { return fusetest.Server(t, embeddedConfig(server, silence), opts) }
	m := mount()
	sum := m.Run("cat changed > /dev/null; head -c 3000000 /dev/urandom > written; cat big small written | sha256sum")
	m.Unmount()

	if err := afero.WriteFile(server.Fs(), "/changed", []byte("a new version"), 0o644); err != nil {
		t.Fatal(err)
	}
	server.Log().Reset()
	m = mount()
	if got := m.Run("cat big small written | sha256sum; cat changed"); got != sum+"\na new version" {
		t.Errorf("%s\nwant %s", got, sum)
	}
	if got := retrieved(server); !slices.Equal(got, []string{"/changed"}) {
		t.Errorf("retrieved %v", got)
	}
	if st := m.FS.Stats().Files; st.Damaged != 0 {
		t.Errorf("%+v", st)
	}
}
