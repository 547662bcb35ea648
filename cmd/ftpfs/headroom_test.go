package main

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

func TestHeadroomPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 600, 4 << 20: 600, 24 << 20: 100, 48 << 20: 50, 240 << 20: 10, 1 << 40: 10} {
		if got := headroomPercent(live); got != want {
			t.Errorf("%d bytes: %d %%", live, got)
		}
	}
}

const headroomMark = "FTPFS_TEST_HEADROOM"

var kept, dropped []byte

// The collector runs for 24 MB of garbage, also when more is in use than at first. A process of its
// own is looked at, since there is one collector for all.
func TestCollectorKeepsTheHeadroom(t *testing.T) {
	if os.Getenv(headroomMark) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestCollectorKeepsTheHeadroom$")
		cmd.Env = append(os.Environ(), headroomMark+"=1", "GOGC=", "GOMEMLIMIT=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	limitGarbage()
	for _, live := range []int{1, 40 << 20} {
		kept = make([]byte, live)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const garbage = 20 * headroomBytes
		for i := range garbage >> 16 {
			dropped = make([]byte, 1<<16)
			if i%64 == 0 {
				time.Sleep(time.Millisecond) // as fast as programs read, not as memory is
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.NumGC - before.NumGC; n < 8 || n > 32 {
			t.Errorf("with %d bytes in use: %d collections for %d MiB", live, n, garbage>>20)
		} else {
			t.Logf("with %d bytes in use: %d collections for %d MiB", live, n, garbage>>20)
		}
	}
	runtime.KeepAlive(kept)
}
