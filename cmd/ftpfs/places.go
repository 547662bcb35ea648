package main

import (
	"os"
	"runtime"
)

// leastPlaces is how many goroutines may run at a time, at least. Who is in a system call for some
// microseconds has to give up its place unless another one is free, and to find one when it comes
// back: on two processors that happened to every read, and to the transfer that brings it.
const leastPlaces = 4

// makePlaces makes it so, unless the user has another wish.
func makePlaces() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastPlaces {
		runtime.GOMAXPROCS(leastPlaces)
	}
}
