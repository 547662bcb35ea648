package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"pgregory.net/rapid"

	"ftpfs/internal/ftptest"
)

// The number of checks that TestCrashModel makes with each server, and which of
// its servers it uses, with commas between them.
const (
	crashChecksEnv  = "FTPFS_CRASH_CHECKS"
	crashServersEnv = "FTPFS_CRASH_SERVERS"
)

// TestCrashModel writes files through a mount whose process is killed and whose
// connections break, at any moment. What a close or fsync has acknowledged is on
// the server, what a write has returned for is there after the next mount, and
// under its name a file is never a mixture of two states.
func TestCrashModel(t *testing.T) {
	checks, only := 3, "embedded,in-place"
	if text := os.Getenv(crashChecksEnv); text != "" {
		checks, _ = strconv.Atoi(text)
		only = ""
	}
	if text := os.Getenv(crashServersEnv); text != "" {
		only = text
	}
	for _, c := range []struct {
		name    string
		real    string
		opts    ftptest.RealOptions
		flags   []string
		inPlace bool // files are stored under their names
	}{
		{name: "embedded"},
		{name: "vsftpd", real: "vsftpd"},
		{name: "proftpd", real: "proftpd"},
		{name: "pure-ftpd", real: "pure-ftpd"},
		{name: "behind", flags: []string{"--write-back=100ms"}},
		{name: "vsftpd-behind", real: "vsftpd", flags: []string{"--write-back=1s"}},
		{name: "keeping", real: "proftpd", opts: ftptest.RealOptions{NoOverwrite: true}},
		{name: "in-place", flags: []string{"--no-temp"}, inPlace: true},
		{name: "small-cache", flags: []string{"--cache-size=1M"}},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+c.name+",") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &crashModel{t: t, most: checks, inPlace: c.inPlace, keeping: c.opts.NoOverwrite, behind: strings.Contains(c.name, "behind"), root: t.TempDir()}
			opts, sessions := ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), m.root)}, func() int { return 0 }
			if c.real != "" {
				server := ftptest.Real(t, c.real, c.opts)
				sessions = server.Sessions
				m.root, opts = server.Root, ftptest.Options{Upstream: server.Addr, User: server.User, Password: server.Password}
			}
			m.server = ftptest.Start(t, opts)
			m.sessions = func() int { return m.server.Sessions() + sessions() }
			m.mount = keep(t, "ftp://user:secret@"+m.server.Addr()+"/", append(c.flags, "--connections=4")...)
			m.pid = daemonOf(t, m.mount.dir)
			rapid.Check(t, m.check)
			t.Logf("%d checks, %d steps, %d kills, %d faults that happened; failed: %d closes, %d syncs, %d others; left behind: %d temporary files", m.checks, m.steps, m.kills, m.met, m.failed["close"], m.failed["fsync"], m.others, m.litter)
		})
	}
}

var (
	crashName   = rapid.SampledFrom([]string{"a", "b", "c", "sub/d", "sub/e"})
	crashOffset = rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, 20_000), rapid.Int64Range(0, 2<<20))
	crashLength = rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1, 20_000), rapid.IntRange(1, 20_000), rapid.IntRange(1, 1<<20))
	crashSeed   = rapid.Uint64()
	crashDelay  = rapid.OneOf(rapid.IntRange(0, 500), rapid.IntRange(0, 5_000), rapid.IntRange(0, 50_000)) // microseconds
	crashVerb   = rapid.SampledFrom([]string{"STOR", "STOR", "APPE", "RETR", "RNFR", "RNTO", "RNTO", "SIZE", "DELE", "MLSD", "LIST", "EPSV", ""})
)

func (m *crashModel) check(t *rapid.T) {
	if m.checks >= m.most && !m.broken {
		return
	}
	m.checks++
	m.begin(t)
	t.Repeat(m.actions())
	m.end(t)
}

// actions are what may come next.
func (m *crashModel) actions() map[string]func(*rapid.T) {
	all := make(map[string]func(*rapid.T))
	for name, op := range map[string]func(*rapid.T){
		"open": m.opens, "open again": m.opens, "write": m.write, "write more": m.write, "append": m.appends, "truncate": m.truncate,
		"fsync": m.fsync, "close": m.closes, "close again": m.closes, "rename": m.rename, "unlink": m.unlink, "look": m.look, "fault": m.fault,
	} {
		all[name] = func(t *rapid.T) {
			m.maybe(func() { op(t) })
		}
	}
	inner := []func(*rapid.T){m.opens, m.write, m.appends, m.truncate, m.fsync, m.fsync, m.closes, m.closes, m.rename, m.unlink}
	all["kill"] = func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.IntRange(0, len(inner)-1), 1, 4).Draw(t, "meanwhile")
		m.killDuring(t, crashDelay.Draw(t, "after µs"), func(i int) bool {
			if i < len(ops) {
				m.maybe(func() { inner[ops[i]](t) })
			}
			return i < len(ops)
		})
	}
	return all
}

// slot draws a handle that is open or not.
func (m *crashModel) slot(t *rapid.T, open bool) int {
	var slots []int
	for i, h := range m.open {
		if (h != nil) == open {
			slots = append(slots, i)
		}
	}
	if len(slots) == 0 {
		m.skip()
	}
	return rapid.SampledFrom(slots).Draw(t, "slot")
}

// path draws the name of a file that is there.
func (m *crashModel) path(t *rapid.T) string {
	names := m.names()
	if len(names) == 0 {
		m.skip()
	}
	return rapid.SampledFrom(names).Draw(t, "path")
}

// content draws bytes like no others.
func (m *crashModel) content(t *rapid.T, n int) []byte {
	rng := rand.NewChaCha8([32]byte(bytes.Repeat(fmt.Appendf(nil, "%08x", uint32(crashSeed.Draw(t, "seed"))), 4)))
	p := make([]byte, n)
	rng.Read(p)
	return p
}
