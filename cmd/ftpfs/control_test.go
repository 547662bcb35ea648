package main

import (
	"encoding/gob"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

func TestUmountTellsOfFailedUploads(t *testing.T) {
	files := afero.NewMemMapFs()
	if err := files.Mkdir("/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{Fs: files})
	dir := testMount(t, server)
	server.Refuse("STOR", "451 The disk is on holiday.", -1)
	shell(t, dir, "echo data > precious 2>/dev/null; true")
	pid := daemonOf(t, dir)
	var p program
	code, _, stderr := run(&p, "umount", dir)
	if code != exitUnmount || !strings.Contains(stderr, "precious could not be uploaded: ") || !strings.Contains(stderr, "451 The disk is on holiday.") {
		t.Errorf("%d %s", code, stderr)
	}
	if thisHost().mounted(dir).ours() {
		t.Error("still mounted")
	}
	waitProcess(t, pid)
}

// testEntry is a mount whose device no other test or real mount has.
func testEntry(t *testing.T) mountEntry {
	return mountEntry{kind: "fuse.ftpfs", device: "test:" + strconv.Itoa(os.Getpid()) + t.Name(), owner: strconv.Itoa(os.Getuid())}
}

func TestLastWords(t *testing.T) {
	m := testEntry(t)
	for _, said := range []error{nil, fail(exitUnmount, "The mount ended.")} {
		words := listen(m, answers{}, quiet())
		first, second := processOf(m), processOf(m)
		if first == nil || second == nil {
			t.Fatal("nobody answers")
		}
		words.end(said)
		for _, p := range []*process{first, second} {
			err := p.wait()
			p.conn.Close()
			if said == nil && err != nil || said != nil && (err == nil || err.Error() != said.Error() || exitCode(err) != exitUnmount) {
				t.Errorf("%v instead of %v", err, said)
			}
		}
		if processOf(m) != nil {
			t.Error("still listens")
		}
	}
}

// The kernel gives the number of a mount that has gone to the next one, at once.
func TestNumberOfAMountThatHasGone(t *testing.T) {
	m := testEntry(t)
	gone := listen(m, answers{}, quiet())
	going := time.AfterFunc(50*time.Millisecond, func() { gone.end(nil) })
	next := listen(m, answers{}, quiet())
	defer next.end(nil)
	if going.Stop() || next.listener == nil {
		t.Error("does not listen when the one before has ended")
	}
}

func TestLastWordsOfStrangers(t *testing.T) {
	m := testEntry(t)
	words := listen(m, answers{}, quiet())
	defer words.end(nil)
	other := m
	other.owner = strconv.Itoa(os.Getuid() + 1)
	if processOf(other) != nil {
		t.Error("another user's process is believed")
	}
	// The name is taken: the mount works without.
	listen(m, answers{}, quiet()).end(nil)
	listen(mountEntry{}, answers{}, quiet()).end(nil)
}

func TestProcessDiesWithoutAWord(t *testing.T) {
	m := testEntry(t)
	l, err := net.ListenUnix("unix", socketOf(m))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	died := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = gob.NewEncoder(c).Encode(report{})
			c.Close()
		}
		died <- err
	}()
	p := processOf(m)
	if err := <-died; err != nil || p == nil {
		t.Fatal(err, p)
	}
	defer p.conn.Close()
	expect(t, "died", p.wait(), exitUnmount, "The process of the mount ended without a word: what it has not uploaded is kept for the next mount of the same directory.")
}
