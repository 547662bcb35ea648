package ftpfs_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// What a mount does not have in common with a local disk, and why. The model
// leaves it out; all else is the same.
//
//	links, foreign owners, device nodes  FTP has no command for them
//	renameat2 with RENAME_EXCHANGE       FTP renames one file at a time
//	link counts, access times            no listing tells them
//	fractions of seconds                 the commands that set times have none
//	sizes of directories                 mean something else on every file system
//	times of directories                 an upload is a new name and a rename, which change them
//	permissions, by MLSD without mode    a default is shown
//	permissions that lock the owner out  here the local disk is used by root, the server is not

const modelSlots = 4 // files open at a time

// A model says which operations come next.
type model struct {
	t      *testing.T
	worker *modelWorker
	checks int
	count  int      // operations
	names  []string // what is there now
	log    []string // of the check
	failed bool
}

// modelRealEnv names real servers, with commas between them, to run the model on.
const modelRealEnv = "FTPFS_MODEL_SERVERS"

// TestModel does the same random operations in a mount and on the local disk.
// To go on for longer: -rapid.checks=1000, or -rapid.steps.
func TestModel(t *testing.T) {
	noMLSD := ftptest.Quirks{Unknown: []string{"MLSD", "MLST"}}
	forgetful := ftpfs.Options{DirTTL: 5 * time.Millisecond, CacheBytes: -1}
	for name, c := range map[string]struct {
		quirks ftptest.Quirks
		opts   ftpfs.Options
	}{
		"MLSD":            {},
		"LIST":            {quirks: noMLSD},
		"MLSD, forgetful": {opts: forgetful},
		"LIST, forgetful": {quirks: noMLSD, opts: forgetful},
		"MLSD, behind":    {opts: ftpfs.Options{WriteBack: 2 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			server := ftptest.Start(t, ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), root), Quirks: c.quirks})
			runModel(t, fusetest.Server(t, embeddedConfig(server, time.Minute), c.opts), root, c.quirks.Unknown != nil)
		})
	}
	for name := range strings.FieldsFuncSeq(os.Getenv(modelRealEnv), func(r rune) bool { return r == ',' }) {
		for _, ttl := range []time.Duration{0, 5 * time.Millisecond} {
			t.Run(fmt.Sprint(name, ttl), func(t *testing.T) {
				server := ftptest.Real(t, name, ftptest.RealOptions{})
				m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{DirTTL: ttl})
				runModel(t, m, server.Root, name != "pyftpdlib")
			})
		}
	}
}

// runModel runs checks in a mount of the server's directory root.
func runModel(t *testing.T, mount *fusetest.Mount, root string, modes bool) {
	m := &model{t: t, worker: startModelWorker(t, modelSetup{Mount: mount.Dir, Local: t.TempDir(), Server: root, Modes: modes})}
	rapid.Check(t, m.check)
	t.Logf("%d operations", m.count)
}

func (m *model) check(t *rapid.T) {
	m.checks++
	m.log = nil
	m.do(t, modelOp{Verb: "begin", Path: fmt.Sprint("check", m.checks)})
	open := make(map[int]bool)
	t.Repeat(m.actions(open))
	for slot := range modelSlots {
		if open[slot] {
			m.do(t, modelOp{Verb: "close", Slot: slot})
		}
	}
	m.do(t, modelOp{Verb: "tree"})
	m.do(t, modelOp{Verb: "served"})
}

// do fails t unless an operation has the same outcome everywhere, and returns
// whether it was carried out.
func (m *model) do(t *rapid.T, op modelOp) bool {
	t.Helper()
	m.count++
	v, err := m.worker.do(op)
	if err != nil {
		t.Fatal(err)
	}
	outcome := v.Text
	if v.Errno != 0 {
		outcome = v.Errno.Error()
	}
	m.log = append(m.log, fmt.Sprintf("%v: %s", op, outcome))
	t.Log(m.log[len(m.log)-1])
	m.names = v.Names
	if v.Differ != "" && !m.failed {
		m.failed = true // what depends on time as well may not fail again
		m.t.Logf("%s\nbut in the mount or on the server: %s", strings.Join(m.log, "\n"), v.Differ)
	}
	if v.Differ != "" {
		t.Fatalf("but in the mount or on the server: %s", v.Differ)
	}
	return v.Errno == 0
}

var (
	modelName   = rapid.SampledFrom([]string{"a", "b", "c"})
	modelOffset = rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, 20_000), rapid.Int64Range(0, 3<<20))
	modelLength = rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(0, 20_000), rapid.IntRange(0, 1<<20))
	modelFill   = rapid.ByteRange('a', 'z')
	modelTime   = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1_000_000_000, 1_000_000_100))
	modelMode   = rapid.SampledFrom([]uint32{0o644, 0o600, 0o755, 0o444}) // of new files
	modelChmod  = rapid.SampledFrom([]uint32{0o744, 0o700, 0o755})        // of files and directories
	modelDir    = rapid.SampledFrom([]uint32{0o755, 0o700})
	modelAccess = rapid.SampledFrom([]int{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_RDWR})
)

// path draws a path, more often of what is there than not.
func (m *model) path(t *rapid.T, label string) string {
	if len(m.names) > 0 && rapid.IntRange(0, 3).Draw(t, label+" is new") > 0 {
		return rapid.SampledFrom(m.names).Draw(t, label)
	}
	return strings.Join(rapid.SliceOfN(modelName, 1, 3).Draw(t, label), "/")
}

// actions are the operations that may come next.
func (m *model) actions(open map[int]bool) map[string]func(*rapid.T) {
	// slot draws a handle that is open or not.
	slot := func(t *rapid.T, isOpen bool) int {
		var slots []int
		for i := range modelSlots {
			if open[i] == isOpen {
				slots = append(slots, i)
			}
		}
		if len(slots) == 0 {
			t.Skip()
		}
		return rapid.SampledFrom(slots).Draw(t, "slot")
	}
	byPath := func(op modelOp) func(*rapid.T) {
		return func(t *rapid.T) {
			op.Path = m.path(t, "path")
			m.do(t, op)
		}
	}
	onHandle := func(verb string) func(*rapid.T) {
		return func(t *rapid.T) { m.do(t, modelOp{Verb: verb, Slot: slot(t, true)}) }
	}
	rename := func(flags int) func(*rapid.T) {
		return func(t *rapid.T) {
			m.do(t, modelOp{Verb: "rename", Path: m.path(t, "from"), To: m.path(t, "to"), Flags: flags})
		}
	}
	store := func(verb string) func(*rapid.T) {
		return func(t *rapid.T) {
			m.do(t, modelOp{
				Verb: verb, Slot: slot(t, true), Off: modelOffset.Draw(t, "off"), N: modelLength.Draw(t, "n"), Fill: modelFill.Draw(t, "fill"),
			})
		}
	}
	return map[string]func(*rapid.T){
		"open": func(t *rapid.T) {
			op := modelOp{Verb: "open", Slot: slot(t, false), Path: m.path(t, "path"), Flags: modelAccess.Draw(t, "access"), Mode: modelMode.Draw(t, "mode")}
			for _, flag := range []int{syscall.O_CREAT, syscall.O_TRUNC, syscall.O_APPEND} {
				if rapid.Bool().Draw(t, fmt.Sprintf("flag %#x", flag)) {
					op.Flags |= flag
				}
			}
			m.opens(t, op, open)
		},
		"create": func(t *rapid.T) {
			m.opens(t, modelOp{
				Verb: "open", Slot: slot(t, false), Path: m.path(t, "path"), Mode: modelMode.Draw(t, "mode"),
				Flags: modelAccess.Draw(t, "access") | syscall.O_CREAT | syscall.O_EXCL,
			}, open)
		},
		"close": func(t *rapid.T) {
			op := modelOp{Verb: "close", Slot: slot(t, true)}
			delete(open, op.Slot)
			m.do(t, op)
		},
		"pread": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "pread", Slot: slot(t, true), Off: modelOffset.Draw(t, "off"), N: modelLength.Draw(t, "n")})
		},
		"pwrite":   store("pwrite"),
		"write":    store("write"),
		"mapwrite": store("mapwrite"),
		"mapread":  onHandle("mapread"),
		"fsync":    onHandle("fsync"),
		"fstat":    onHandle("fstat"),
		"seekend":  onHandle("seekend"),
		"forget":   onHandle("forget"),
		"ftruncate": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "ftruncate", Slot: slot(t, true), Off: modelOffset.Draw(t, "size")})
		},
		"fchmod": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "fchmod", Slot: slot(t, true), Mode: modelChmod.Draw(t, "mode")})
		},
		"futimes": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "futimes", Slot: slot(t, true), Time: modelTime.Draw(t, "time")})
		},
		"mkdir": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "mkdir", Path: m.path(t, "path"), Mode: modelDir.Draw(t, "mode")})
		},
		"truncate": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "truncate", Path: m.path(t, "path"), Off: modelOffset.Draw(t, "size")})
		},
		"chmod": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "chmod", Path: m.path(t, "path"), Mode: modelChmod.Draw(t, "mode")})
		},
		"utimes": func(t *rapid.T) {
			m.do(t, modelOp{Verb: "utimes", Path: m.path(t, "path"), Time: modelTime.Draw(t, "time")})
		},
		"rmdir":    byPath(modelOp{Verb: "rmdir"}),
		"unlink":   byPath(modelOp{Verb: "unlink"}),
		"stat":     byPath(modelOp{Verb: "stat"}),
		"readdir":  byPath(modelOp{Verb: "readdir"}),
		"tree":     func(t *rapid.T) { m.do(t, modelOp{Verb: "tree"}) },
		"rename":   rename(0),
		"move new": rename(unix.RENAME_NOREPLACE),
	}
}

// opens carries out op and notes the handle.
func (m *model) opens(t *rapid.T, op modelOp, open map[int]bool) {
	if m.do(t, op) {
		open[op.Slot] = true
	}
}
