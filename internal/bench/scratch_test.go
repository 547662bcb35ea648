package main

import (
	"os"
	"testing"
)

// What a killed run has left goes away, what a running one uses stays.
func TestScratch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead, lock, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	running, lock, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	_, own, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := os.Stat(dead); err == nil {
		t.Error("the directory of a run that was killed is still there")
	}
	if _, err := os.Stat(running); err != nil {
		t.Error(err)
	}
}
