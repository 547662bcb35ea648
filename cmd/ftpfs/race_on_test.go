//go:build race

package main

// raceMemory is how much more memory a program takes under the race detector.
const raceMemory = 6
