package main

import (
	"errors"
	"os"
)

// atHand is more memory than a turn on loopback needs: the page cache may have three copies of
// its file, that of the mount, that of the mount's cache and that of the server.
const atHand = 1 << 30

// takeMemory has the machine find memory for its page cache, which is then free and at hand. A
// virtual machine gets memory when it uses it first, at a tenth of the speed, and may lose it
// again while it is free: the contestant who comes first would pay for all.
func takeMemory(dir string) error {
	f, err := os.CreateTemp(dir, "memory-")
	if err != nil {
		return err
	}
	piece := make([]byte, 1<<20)
	for n := 0; n < atHand && err == nil; n += len(piece) {
		_, err = f.Write(piece)
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
