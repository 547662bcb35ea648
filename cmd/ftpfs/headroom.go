package main

import (
	"os"
	"runtime/debug"
)

// headroomBytes is what the collector of garbage may let come together before it runs.
const headroomBytes = 24 << 20

// newHeadroom makes memory that counts as being in use and is never touched, so that the
// machine does not give it. Every byte that programs read through the mount is garbage a moment
// later: the mount itself lives in so little memory that the collector would run for every
// 4 MB of them, which took half of the time of a fast reading.
func newHeadroom() []byte { return make([]byte, headroomBytes) }

// largeBytes is the memory from which on the collector of garbage runs more often, rather than
// when it has doubled: directories of millions of names are kept in so much.
const largeBytes = 512 << 20

// limitGarbage makes it so, unless the user has another wish.
func limitGarbage() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(largeBytes)
	}
}
