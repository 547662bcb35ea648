package ftpfs_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// A vandal changes the server's directory behind the mount's back. Each file
// gets a time of its own: two versions of one size and second look the same.
type vandal struct {
	root string
	rng  *rand.Rand
	time int64
}

// paths are what is below the root.
func (v *vandal) paths() (paths []string) {
	filepath.WalkDir(v.root, func(path string, _ os.DirEntry, err error) error {
		if path != v.root {
			paths = append(paths, path)
		}
		return err
	})
	return paths
}

// pick returns a path that is there or not.
func (v *vandal) pick() string {
	if paths := v.paths(); len(paths) > 0 && v.rng.IntN(3) > 0 {
		return paths[v.rng.IntN(len(paths))]
	}
	return filepath.Join(v.root, string(rune('a'+v.rng.IntN(3))), string(rune('a'+v.rng.IntN(3))))
}

// change makes one change, or none where the server's disk refuses it.
func (v *vandal) change() string {
	path := v.pick()
	switch v.rng.IntN(8) {
	case 0:
		os.Mkdir(filepath.Dir(path), 0o755)
		return "mkdir " + filepath.Dir(path)
	case 1:
		os.RemoveAll(path)
		return "rm -r " + path
	case 2:
		to := v.pick()
		os.Rename(path, to)
		return "mv " + path + " " + to
	case 3:
		os.RemoveAll(path)
		os.Mkdir(path, 0o755)
		return "a directory instead of " + path
	default:
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			os.RemoveAll(path)
		}
		v.time++
		when := time.Unix(1_000_000_000+v.time, 0)
		os.WriteFile(path, fmt.Appendf(nil, "%*d", v.rng.IntN(20), v.time), 0o644)
		os.Chtimes(path, when, when)
		return "write " + path
	}
}

// Whatever others do on the server is seen when the listings have expired.
func TestChangesOfOthersAreSeen(t *testing.T) {
	t.Parallel()
	const ttl = 20 * time.Millisecond
	root := t.TempDir()
	server := ftptest.Start(t, ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), root)})
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{DirTTL: ttl})
	worker := startModelWorker(t, modelSetup{Mount: m.Dir, Local: root, Server: root})
	if err := os.Mkdir(filepath.Join(root, "-"), 0o755); err != nil { // where workers are before their first check
		t.Fatal(err)
	}
	seed := rand.Uint64()
	v := &vandal{root: filepath.Join(root, "-"), rng: rand.New(rand.NewPCG(seed, 0))}
	for range 60 {
		var changes []string
		for range 1 + v.rng.IntN(5) {
			changes = append(changes, v.change())
		}
		time.Sleep(2 * ttl) // the kernel's and our memory expires, nobody tells
		verdict, err := worker.do(modelOp{Verb: "tree"})
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Differ != "" {
			t.Fatalf("seed %d, after\n%s\nthe server has\n%sand the mount\n%s", seed, strings.Join(changes, "\n"), verdict.Text, verdict.Differ)
		}
	}
}

// Who opens a file gets what others have stored some moments before, though the
// listing is good for longer, and all of it.
func TestOpenedFileIsTheLatest(t *testing.T) {
	for _, name := range []string{"vsftpd", "proftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			old, long, short := strings.Repeat("old\n", 50_000), strings.Repeat("newer\n", 50_000), strings.Repeat("new\n", 10)
			files := make(map[string][]byte)
			for _, file := range []string{"same", "longer", "shorter", "read", "gone", "dir", "both"} {
				files[file] = []byte(old)
			}
			put(t, server, files)
			m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{DirTTL: time.Hour})
			python(t, m, `
assert len(os.listdir(".")) == 7
for name in "read", "gone", "dir":
    assert slurp(name) == b"old\n" * 50000
f = os.open("both", os.O_RDONLY)
assert os.pread(f, 4, 0) == b"old\n"
others()
time.sleep(2.1)
assert slurp("longer") == slurp("read") == slurp("both") == b"newer\n" * 50000
assert slurp("shorter") == b"new\n" * 10
assert slurp("same") == b"NEW\n" * 50000
for name, size in ("longer", 300000), ("read", 300000), ("shorter", 40), ("same", 200000):
    assert os.stat(name).st_size == size, (name, os.stat(name).st_size)
fails(errno.ENOENT, open, "gone")
fails(errno.EISDIR, open, "dir")
`, func() {
				put(t, server, map[string][]byte{
					"same": []byte(strings.Repeat("NEW\n", 50_000)), "longer": []byte(long), "read": []byte(long), "both": []byte(long), "shorter": []byte(short),
				})
				when := time.Now().Add(-time.Hour)
				for _, err := range []error{
					os.Chtimes(filepath.Join(server.Root, "same"), when, when),
					os.Remove(filepath.Join(server.Root, "gone")),
					os.Remove(filepath.Join(server.Root, "dir")),
					os.Mkdir(filepath.Join(server.Root, "dir"), 0o755),
				} {
					if err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
