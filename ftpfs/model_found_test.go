package ftpfs_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

const create = syscall.O_RDWR | syscall.O_CREAT

// found are cases in which the mount was not like the local disk once.
var found = map[string][]modelOp{
	"attributes of an unlinked file": {
		{Verb: "open", Path: "a", Flags: create, Mode: 0o644}, {Verb: "fsync"}, {Verb: "unlink", Path: "a"},
		{Verb: "fchmod", Mode: 0o600}, {Verb: "futimes", Time: 1_000_000_000}, {Verb: "fstat"}, {Verb: "write", N: 1, Fill: 'x'}, {Verb: "fstat"},
	},
	"attributes of a directory that was removed": {
		{Verb: "mkdir", Path: "a", Mode: 0o755}, {Verb: "open", Path: "a"}, {Verb: "rmdir", Path: "a"},
		{Verb: "futimes", Time: 1_000_000_000}, {Verb: "fchmod", Mode: 0o700}, {Verb: "fstat"},
	},
	"a resize to the same size changes the time": {
		{Verb: "open", Path: "a", Flags: create, Mode: 0o644}, {Verb: "write", N: 5, Fill: 'x'}, {Verb: "close"},
		{Verb: "utimes", Path: "a", Time: 1_000_000_000}, {Verb: "truncate", Path: "a", Off: 5}, {Verb: "stat", Path: "a"},
		{Verb: "utimes", Path: "a", Time: 1_000_000_000}, {Verb: "open", Path: "a", Flags: syscall.O_RDWR}, {Verb: "ftruncate", Off: 5}, {Verb: "fstat"},
	},
	"a directory over one with an unpublished file": {
		{Verb: "mkdir", Path: "a", Mode: 0o755}, {Verb: "mkdir", Path: "b", Mode: 0o755},
		{Verb: "open", Path: "b/c", Flags: create, Mode: 0o644}, {Verb: "rename", Path: "a", To: "b"},
	},
	"a file over an open one that is not here": {
		{Verb: "open", Path: "a", Flags: create, Mode: 0o644}, {Verb: "write", N: 100_000, Fill: 'x'}, {Verb: "close"},
		{Verb: "mkdir", Path: "b", Mode: 0o755}, {Verb: "rename", Path: "a", To: "b/a"},
		{Verb: "open", Path: "c", Flags: create, Mode: 0o644, Slot: 1}, {Verb: "close", Slot: 1},
		{Verb: "open", Path: "b/a"}, {Verb: "forget"}, {Verb: "rename", Path: "c", To: "b/a"}, {Verb: "pread", N: 100_000},
	},
	"a file in memory that was empty among empty files": {
		{Verb: "open", Path: "a", Flags: create, Mode: 0o644}, {Verb: "close"}, {Verb: "open", Path: "b", Flags: create, Mode: 0o644}, {Verb: "close"},
		{Verb: "open", Path: "a"}, {Verb: "truncate", Path: "a", Off: 5}, {Verb: "mapread"},
	},
	"exact times below a renamed directory": {
		{Verb: "mkdir", Path: "a", Mode: 0o755}, {Verb: "open", Path: "a/b", Flags: create, Mode: 0o644}, {Verb: "close"},
		{Verb: "utimes", Path: "a/b", Time: 1_000_000_001}, {Verb: "rename", Path: "a", To: "b"},
		{Verb: "chmod", Path: "b/b", Mode: 0o600}, {Verb: "stat", Path: "b/b"}, // the kernel asks again
	},
}

func TestCasesOfTheModel(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	server := ftptest.Start(t, ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), root), Quirks: ftptest.Quirks{Unknown: []string{"MLSD", "MLST"}}})
	m := fusetest.Server(t, embeddedConfig(server, time.Minute), ftpfs.Options{CacheBytes: -1})
	worker := startModelWorker(t, modelSetup{Mount: m.Dir, Local: t.TempDir(), Server: root, Modes: true})
	dirs := 0
	for name, ops := range found {
		t.Run(name, func(t *testing.T) {
			dirs++
			begin := modelOp{Verb: "begin", Path: fmt.Sprint("case", dirs)}
			for _, op := range slices.Concat([]modelOp{begin}, ops, []modelOp{{Verb: "close"}, {Verb: "tree"}, {Verb: "served"}}) {
				v, err := worker.do(op)
				if err != nil {
					t.Fatal(err)
				}
				if v.Differ != "" {
					t.Errorf("%v: %q on the local disk (%v), in the mount %q", op, v.Text, v.Errno, v.Differ)
				}
			}
		})
	}
}
