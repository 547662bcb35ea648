package main

import (
	"os"
	"runtime"
	"runtime/debug"
	heap "runtime/metrics"
)

// headroomBytes is how much garbage may come together before the collector runs, in a small mount.
// Every byte that programs read through the mount is garbage a moment later: the mount itself lives
// in so little memory that the collector would run for every 4 MB of them, which took half of the
// time of a fast reading.
const headroomBytes = 24 << 20

// garbagePercent is how much it may be in a large one, of the memory in use.
const garbagePercent = 10

// largeBytes is the memory from which on the collector runs more often still: directories of
// millions of names are kept in so much.
const largeBytes = 512 << 20

// limitGarbage makes it so, unless the user has another wish.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		keepHeadroom()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(largeBytes)
	}
}

// keepHeadroom sets how much garbage there may be by what is in use now, and again after each run of
// the collector. Memory that counts as being in use and is never touched would be simpler, but in
// one start of four the runtime clears it, and has it then.
func keepHeadroom() {
	live := []heap.Sample{{Name: "/gc/heap/live:bytes"}}
	heap.Read(live)
	debug.SetGCPercent(headroomPercent(live[0].Value.Uint64()))
	collected := new(*byte) // a pointer, since small things without one are not collected one by one
	runtime.AddCleanup(collected, func(struct{}) { keepHeadroom() }, struct{}{})
}

// headroomPercent is headroomBytes as a share of what is in use, or of the 4 MB that the runtime
// counts at least.
func headroomPercent(live uint64) int {
	return int(max(garbagePercent, headroomBytes*100/max(live, 4<<20)))
}
