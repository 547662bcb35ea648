package ftpfs_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// The benchmarks compare with the same file system in memory, served by
// bazil.org/fuse/fs, in the same run and in turns with it: the machine's own
// speed is in both. Shares are worth more than times.

const (
	lookupDirs  = 64
	lookupNames = 1000 // in each directory
	fileSize    = 64 << 20
	benchDirs   = 100
)

// BenchmarkLookup measures a LOOKUP of the kernel's that the cached listing
// answers. Every name is asked for once, so that the kernel does not know it.
func BenchmarkLookup(b *testing.B) {
	server := ftptest.Start(b, ftptest.Options{})
	for d := range lookupDirs {
		for f := range lookupNames {
			if err := afero.WriteFile(server.Fs(), fmt.Sprintf("/d%d/f%d", d, f), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	c := startWorker(b)
	var ours, theirs time.Duration
	var m *fusetest.Mount
	var memory string
	for i := range b.N {
		if i%lookupDirs == 0 {
			if m != nil {
				m.Unmount()
			}
			m = benchMount(b, server.Addr(), "user", "secret")
			m.Run("find . > /dev/null") // fills our cache, not the kernel's
			memory = serveMemory(b)
		}
		dir := fmt.Sprintf("d%d", i%lookupDirs)
		ours += c.do("stat", filepath.Join(m.Dir, dir), lookupNames)
		theirs += c.do("stat", filepath.Join(memory, dir), lookupNames)
	}
	n := float64(b.N * lookupNames)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours.Microseconds())/n, "µs/lookup")
	b.ReportMetric(float64(theirs.Microseconds())/n, "µs/lookup-by-fs.Serve")
	b.ReportMetric(100*float64(ours)/float64(theirs), "%-of-fs.Serve")
}

// BenchmarkRead measures sequential reading, without the kernel's own cache,
// of what our cache has and of what only the server has.
func BenchmarkRead(b *testing.B) {
	overServers(b, func(b *testing.B, m *fusetest.Mount, store func(name string, data []byte)) {
		c, memory := startWorker(b), serveMemory(b)
		data := pattern("read", fileSize)
		var cold, cached, ceiling time.Duration
		for i := range b.N {
			name := fmt.Sprintf("d%d/f", i%benchDirs)
			store(name, data)
			path := filepath.Join(m.Dir, name)
			cold += c.do("read", path, fileSize)
			cached += c.do("read", path, fileSize)
			ceiling += c.do("read", filepath.Join(memory, "file"), fileSize)
		}
		report(b, ceiling, "cold", cold)
		report(b, ceiling, "cached", cached)
	})
}

// BenchmarkWrite measures sequential writing of a new file, into our cache
// and until the server has it.
func BenchmarkWrite(b *testing.B) {
	overServers(b, func(b *testing.B, m *fusetest.Mount, _ func(string, []byte)) {
		for _, size := range []int{4 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
				c, memory := startWorker(b), serveMemory(b)
				var written, closed, ceiling time.Duration
				for range b.N {
					w, all := c.write(filepath.Join(m.Dir, "new"), size)
					m.Run("rm new")
					written += w
					closed += all
					_, all = c.write(filepath.Join(memory, "file"), size)
					ceiling += all
				}
				report(b, ceiling, "written", written)
				report(b, ceiling, "closed", closed)
			})
		}
	})
}

// report says how fast files were moved, and as a share of the ceiling.
func report(b *testing.B, ceiling time.Duration, name string, took time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N)*fileSize/1e6/took.Seconds(), "MB/s-"+name)
	b.ReportMetric(float64(b.N)*fileSize/1e6/ceiling.Seconds(), "MB/s-memory")
	b.ReportMetric(100*float64(ceiling)/float64(took), "%-"+name)
}

// overServers runs f on the embedded server and on vsftpd, each with empty
// directories d0, d1, ..., whose listings nobody has yet.
func overServers(b *testing.B, f func(b *testing.B, m *fusetest.Mount, store func(name string, data []byte))) {
	b.Run("embedded", func(b *testing.B) {
		server := ftptest.Start(b, ftptest.Options{})
		for i := range benchDirs {
			if err := server.Fs().MkdirAll(fmt.Sprintf("/d%d", i), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		f(b, benchMount(b, server.Addr(), "user", "secret"), func(name string, data []byte) {
			if err := afero.WriteFile(server.Fs(), "/"+name, data, 0o644); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("vsftpd", func(b *testing.B) {
		server := ftptest.Real(b, "vsftpd", ftptest.RealOptions{})
		for i := range benchDirs {
			if err := os.Mkdir(filepath.Join(server.Root, fmt.Sprintf("d%d", i)), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		f(b, benchMount(b, server.Addr, server.User, server.Password), func(name string, data []byte) {
			if err := os.WriteFile(filepath.Join(server.Root, name), data, 0o644); err != nil {
				b.Fatal(err)
			}
			if err := server.Own(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func benchMount(b *testing.B, addr, user, password string) *fusetest.Mount {
	b.Helper()
	quiet := slog.New(slog.DiscardHandler)
	return fusetest.Server(b, ftpclient.Config{Addr: addr, User: user, Password: password},
		ftpfs.Options{Logger: quiet, DirTTL: time.Hour})
}
