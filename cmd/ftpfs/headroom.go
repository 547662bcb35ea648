package main

import (
	"os"
	"runtime/debug"
)

// headroomBytes is how much garbage may come together before the collector runs, in a small mount.
const headroomBytes = 24 << 20

// garbagePercent is how much it may be in a large one, of the memory in use: more besides.
const garbagePercent = 10

// ballastBytes is memory in use of which garbagePercent is the headroom.
const ballastBytes = headroomBytes * 100 / garbagePercent

// newHeadroom makes memory that counts as being in use and is never touched, so that the
// machine does not give it. Every byte that programs read through the mount is garbage a moment
// later: the mount itself lives in so little memory that the collector would run for every
// 4 MB of them, which took half of the time of a fast reading.
func newHeadroom() []byte { return make([]byte, ballastBytes) }

// largeBytes is the memory from which on the collector runs more often still: directories of
// millions of names are kept in so much.
const largeBytes = 512 << 20

// limitGarbage makes it so, unless the user has another wish.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(ballastBytes + largeBytes)
	}
}
