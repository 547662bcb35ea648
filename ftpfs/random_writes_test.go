package ftpfs_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// The number of operations of each of these tests, and where they begin.
const (
	randomOpsEnv  = "FTPFS_RANDOM_OPS"
	randomSeedEnv = "FTPFS_RANDOM_SEED"
)

// TestRandomWrites does what fsx(8) does: random writes, cuts and reads of few
// files, by several handles at a time, compared with the local disk.
func TestRandomWrites(t *testing.T) {
	count := 250
	seed := rand.Uint64()
	if text := os.Getenv(randomOpsEnv); text != "" {
		count, _ = strconv.Atoi(text)
	}
	if text := os.Getenv(randomSeedEnv); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	for name, c := range map[string]struct {
		mmap bool
		opts ftpfs.Options
	}{
		"write":             {},
		"write, mmap":       {mmap: true},
		"behind, mmap":      {mmap: true, opts: ftpfs.Options{WriteBack: 2 * time.Millisecond}},
		"small cache, mmap": {mmap: true, opts: ftpfs.Options{CacheBytes: 1 << 20, DirTTL: 5 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			server := ftptest.Start(t, ftptest.Options{Fs: afero.NewBasePathFs(afero.NewOsFs(), root)})
			m := fusetest.Server(t, embeddedConfig(server, time.Minute), c.opts)
			x := &exerciser{
				t: t, rng: rand.New(rand.NewPCG(seed, 0)), mmap: c.mmap,
				worker: startModelWorker(t, modelSetup{Mount: m.Dir, Local: t.TempDir(), Server: root}),
			}
			x.run(count)
			if t.Failed() {
				t.Logf("seed %d, after %d operations:\n%s", seed, len(x.log), ftptest.Tail(strings.Join(x.log, "\n")))
			}
		})
	}
}

// An exerciser does random operations.
type exerciser struct {
	t      *testing.T
	rng    *rand.Rand
	mmap   bool
	worker *modelWorker
	log    []string
	open   [modelSlots]bool
}

func (x *exerciser) run(count int) {
	x.do(modelOp{Verb: "begin", Path: "fsx"})
	for i := range count {
		if !x.step() || i%100 == 99 && !x.rest() {
			return
		}
	}
	x.rest()
}

// rest closes everything and compares with the server.
func (x *exerciser) rest() bool {
	for slot := range x.open {
		if x.open[slot] && !x.do(modelOp{Verb: "close", Slot: slot}) {
			return false
		}
		x.open[slot] = false
	}
	return x.do(modelOp{Verb: "tree"}) && x.do(modelOp{Verb: "served"})
}

func (x *exerciser) step() bool {
	const most = 3 << 20 // bytes of a file
	op := modelOp{Slot: x.rng.IntN(modelSlots), Fill: byte('a' + x.rng.IntN(26)), Off: x.rng.Int64N(most), N: x.rng.IntN(64 << 10)}
	if x.rng.IntN(3) == 0 {
		op.N = x.rng.IntN(100)
	}
	if !x.open[op.Slot] {
		op.Verb, op.Path, op.Mode = "open", []string{"a", "b"}[x.rng.IntN(2)], 0o644
		op.Flags = syscall.O_RDWR | syscall.O_CREAT | []int{0, 0, syscall.O_APPEND, syscall.O_TRUNC}[x.rng.IntN(4)]
		x.open[op.Slot] = true
		return x.do(op)
	}
	switch n := x.rng.IntN(100); {
	case n < 25:
		op.Verb = "pwrite"
	case n < 50:
		op.Verb = "write" // where the handle is, or at the end
	case n < 60:
		op.Verb, op.N = "write", x.rng.IntN(1<<20)
	case n < 70:
		op.Verb = "pread"
	case n < 75 && x.mmap:
		op.Verb = "mapwrite"
	case n < 78 && x.mmap:
		op.Verb = "mapread"
	case n < 82:
		op.Verb = "ftruncate"
	case n < 85:
		op.Verb, op.Off = "ftruncate", 0
	case n < 89:
		op.Verb = "fsync"
	case n < 91:
		op.Verb = "seekend"
	default:
		op.Verb = "close"
		x.open[op.Slot] = false
	}
	return x.do(op)
}

// do fails the test when the outcomes differ.
func (x *exerciser) do(op modelOp) bool {
	v, err := x.worker.do(op)
	x.log = append(x.log, fmt.Sprintf("%v: %v %s", op, v.Errno, v.Text))
	switch {
	case err != nil:
		x.t.Error(err)
	case v.Differ != "":
		x.t.Errorf("%v: the local disk %v %.300s, the mount or the server %.300s", op, v.Errno, v.Text, v.Differ)
	default:
		return true
	}
	return false
}
