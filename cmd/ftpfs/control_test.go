package main

import (
	"encoding/gob"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/ftpfs"
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
		words := listen(m, nil, answers{}, quiet())
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

// The kernel gives the number of a mount that has gone to the next one, at once, also while files
// are still sent.
func TestNumberOfAMountThatHasGone(t *testing.T) {
	m := testEntry(t)
	named := func(name string) answers { return answers{status: func() status { return status{Source: name} }} }
	expectSource := func(p *process, want string) {
		t.Helper()
		if p == nil {
			t.Fatal("nobody answers")
		}
		if s, err := p.status(); err != nil || s.Source != want {
			t.Errorf("%s answers instead of %s (%v)", s.Source, want, err)
		}
	}
	left := make(chan struct{})
	first := listen(m, left, named("first"), quiet())
	asked := processOf(m)
	expectSource(asked, "first")
	defer asked.conn.Close()
	going := time.AfterFunc(50*time.Millisecond, func() { close(left) })
	second := listen(m, nil, named("second"), quiet())
	defer second.end(nil)
	if going.Stop() || second.listener == nil {
		t.Error("does not listen when the one before has gone")
	}
	p := processOf(m)
	expectSource(p, "second")
	p.conn.Close()
	expectSource(asked, "first")
	first.end(fail(exitUnmount, "Not all was sent."))
	if err := asked.wait(); err == nil || err.Error() != "Not all was sent." {
		t.Errorf("the end of the first is told as %v", err)
	}
}

// A mount that was taken away while files are still sent does not stand in for the next one
// on the same directory, nor end it.
func TestNextMountWhileFilesAreSent(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := server.Fs().Mkdir("/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	dir := testMount(t, server, "--timeout", "1m")
	server.Refuse("STOR", "451 Not yet.", -1)
	shell(t, dir, "echo data > precious 2>/dev/null; true")
	m, pid := thisHost().mounted(dir), daemonOf(t, dir)
	asked := processOf(m)
	if asked == nil {
		t.Fatal("nobody answers")
	}
	defer asked.conn.Close()
	server.ClearFaults()
	held := server.HoldReply("STOR", 1)
	defer held.Release()
	if err := ftpfs.Unmount(dir); err != nil {
		t.Fatal(err)
	}
	<-held.Reached()
	eventually(t, "the mount has gone", func() bool { return processOf(m) == nil })
	if s, err := asked.status(); err != nil || s.Pid != pid || len(s.Pending) != 1 {
		t.Errorf("who waits for the end is told %+v, %v", s.Pending, err)
	}

	p := program{mount: mountServer}
	if code, _, stderr := run(&p, "--cache-dir", t.TempDir(), "ftp://user@"+server.Addr()+"/sub", dir); code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	if s, err := thisHost().statusOn(dir); err != nil || s.Pid == pid {
		t.Errorf("of the next mount %+v is told, %v", s, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // whatever the signal does is done by then
	held.Release()
	if err := asked.wait(); err != nil {
		t.Error(err)
	}
	waitProcess(t, pid)
	if code, _, stderr := run(&p, "refresh", dir); code != 0 {
		t.Fatal("the next mount has gone, too: ", stderr)
	}
	if got := shell(t, dir, "cat precious"); got != "data\n" {
		t.Errorf("the next mount shows %q", got)
	}
}

func TestLastWordsOfStrangers(t *testing.T) {
	m := testEntry(t)
	words := listen(m, nil, answers{}, quiet())
	defer words.end(nil)
	other := m
	other.owner = strconv.Itoa(os.Getuid() + 1)
	if processOf(other) != nil {
		t.Error("another user's process is believed")
	}
	// The name is taken: the mount works without.
	listen(m, nil, answers{}, quiet()).end(nil)
	listen(mountEntry{}, nil, answers{}, quiet()).end(nil)
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
