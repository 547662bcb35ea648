package ftpfs_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// What is set while the file is being published holds afterwards.
func TestAttributesSetDuringAnUpload(t *testing.T) {
	t.Parallel()
	server, m := patient(t, nil)
	m.Run("echo 1 > warm; touch -d 2001-01-01 warm; chmod 600 warm") // what the server can do is known
	hold := server.HoldReply("RNTO", 0)
	defer hold.Release()
	c := start(t, m, "exec cp warm file")
	reached(t, hold)
	time.AfterFunc(300*time.Millisecond, hold.Release)
	m.Run(`touch -c -d '2002-02-02 00:00:00 UTC' file; chmod 640 file`)
	if out, err := c.wait(endsIn); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.Run(`test $(stat -c %Y,%a file) = 1012608000,640`)
	m.Unmount()
	if info, err := server.Fs().Stat("/file"); err != nil || info.ModTime().Unix() != 1012608000 || info.Mode().Perm() != 0o640 {
		t.Errorf("the server has %v, %v (%v)", info.ModTime(), info.Mode(), err)
	}
}

// A file that does not fit into the cache is completed for its upload over the
// one connection that may move data.
func TestBigFileThroughASmallCache(t *testing.T) {
	t.Parallel()
	data := random(24 << 20)
	server := ftptest.Start(t, ftptest.Options{})
	if err := afero.WriteFile(server.Fs(), "/big", data, 0o644); err != nil {
		t.Fatal(err)
	}
	config := embeddedConfig(server, silence)
	config.Connections = 2
	m := fusetest.Server(t, config, ftpfs.Options{CacheBytes: 8 << 20})
	if out, err := start(t, m, "printf X | exec dd of=big bs=1 seek=12000000 conv=notrunc status=none").wait(30 * time.Second); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data[12_000_000] = 'X'
	if served(t, server, "/big") != string(data) {
		t.Error("the server has other bytes")
	}
}

// slowLink is a connection that receives no more than 10 MB in a second.
type slowLink struct{ *net.TCPConn }

func (c slowLink) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p[:min(len(p), 128<<10)])
	time.Sleep(time.Duration(n) * 100)
	return n, err
}

// Long transfers take turns with others when there are too few connections.
func TestLongReadsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	server := ftptest.Start(t, ftptest.Options{})
	long := bytes.Repeat([]byte("o"), 96<<20)
	for name, data := range map[string][]byte{"/a": long, "/b": long, "/c": []byte("content")} {
		if err := afero.WriteFile(server.Fs(), name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := embeddedConfig(server, time.Minute)
	config.Connections = 3
	config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return slowLink{nc.(*net.TCPConn)}, nil
	}
	m := fusetest.Server(t, config, ftpfs.Options{})
	var readers []*child
	for _, name := range []string{"a", "b"} {
		readers = append(readers, start(t, m, "head -c 1 "+name+" > /dev/null; exec 3> reads-"+name+"; exec cat "+name+" > /dev/null"))
	}
	eventually(t, endsIn, "both readers", func() error {
		_, err := m.Try("test -e reads-a -a -e reads-b")
		return err
	})
	m.Run("test $(cat c) = content; echo new > new")
	for _, c := range readers {
		select {
		case <-c.done:
			t.Error("a file of some bytes had to wait for the end of a long one")
		default:
			c.signal(syscall.SIGKILL)
		}
	}
}

// Neither an upload nor a rename that waits for it keeps another rename.
func TestRenamesDoNotWaitForOtherUploads(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/a": "a", "/dir/b": "b"})
	m.Run("cat a dir/b > /dev/null")
	hold := server.HoldReply("STOR", 2)
	defer hold.Release()
	upload := start(t, m, "exec cp /bin/true dir/upload")
	reached(t, hold)
	if out, err := start(t, m, "mv dir/b dir/c; exec mv dir/c dir/d").wait(freed); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rename := start(t, m, "exec mv dir/upload dir/moved")
	if out, err := start(t, m, "exec mv a b").wait(freed); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hold.Release()
	for _, c := range []*child{upload, rename} {
		if out, err := c.wait(freed); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	m.Run("cmp dir/moved /bin/true; test $(cat b dir/d) = ab")
	wantNames(t, server, "/dir", "d", "moved")
}

// A file that is cut while another process closes it is published as it is
// then, and nobody gets an error.
func TestFileIsCutDuringItsUpload(t *testing.T) {
	t.Parallel()
	server, m := patient(t, nil)
	hold := server.StallData("STOR", 1<<20)
	defer hold.Release()
	local := t.TempDir() + "/source"
	if err := os.WriteFile(local, make([]byte, 24<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	c := start(t, m, "exec cp "+local+" file")
	reached(t, hold)
	eventually(t, endsIn, "all that cp writes", func() error {
		_, err := m.Try("test $(stat -c %s file) = 25165824")
		return err
	})
	time.AfterFunc(300*time.Millisecond, hold.Release)
	m.Run("printf y > file")
	if out, err := c.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if got := served(t, server, "/file"); got != "y" {
		t.Errorf("the server has %d bytes", len(got))
	}
}

func TestFailedUploadIsTriedAgainWhileOthersRead(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old"})
	server.Refuse("STOR", "452 Insufficient storage space.", ftptest.Always)
	start(t, m, "exec 3< file; ! (echo new > file) 2> /dev/null; exec sleep 100")
	waits := func(want int) func() error {
		return func() error {
			if got := m.FS.Stats().Waiting; got != want {
				return errors.New("another number of files waits for an upload")
			}
			return nil
		}
	}
	eventually(t, endsIn, "the failure", waits(1))
	server.ClearFaults()
	eventually(t, retries, "the next try", waits(0))
	if got := served(t, server, "/file"); got != "new\n" {
		t.Errorf("the server has %q", got)
	}
	m.Run("test $(cat file) = new")
}

// What is written to a file while its older state is kept beside a newer version
// of somebody else is kept there, too, and the close tells of it.
func TestFileIsWrittenWhileItIsKeptBeside(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/file": "old"})
	var hold *ftptest.Hold
	server.Refuse("STOR", "452 Insufficient storage space.", 1)
	python(t, m, `
f = os.open("file", os.O_RDWR)
os.pwrite(f, b"ours", 0)
fails(errno.ENOSPC, os.close, f)
others()
f = os.open("file", os.O_RDWR)
others()
os.pwrite(f, b"more", 4)
others()
fails(errno.ESTALE, os.close, f)
`, func() {
		eventually(t, endsIn, "the last close", func() error {
			if m.FS.Stats().Waiting == 0 {
				return errors.New("nothing waits")
			}
			return nil
		})
	}, func() {
		if err := afero.WriteFile(server.Fs(), "/file", []byte("theirs"), 0o644); err != nil {
			t.Error(err)
		}
		hold = server.HoldReply("STOR", 2)
		reached(t, hold)
	}, func() { hold.Release() })
	m.Unmount()
	infos, err := afero.ReadDir(server.Fs(), "/")
	if err != nil {
		t.Fatal(err)
	}
	beside := ""
	for _, info := range infos {
		if strings.HasPrefix(info.Name(), "file.conflict-") {
			beside = served(t, server, "/"+info.Name()) // the last one
		}
	}
	if got := served(t, server, "/file"); got != "theirs" || beside != "oursmore" {
		t.Errorf("the server has %q, and beside it %q", got, beside)
	}
}

// A new file whose upload went through unnoticed does not come back when it is
// removed.
func TestFileIsRemovedAfterItsUploadWasLost(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, nil)
	hold := server.HoldReply("RNTO", 0)
	defer hold.Release()
	c := start(t, m, "exec cp /bin/true file")
	reached(t, hold)
	server.Down()
	hold.Release()
	out, err := c.wait(endsIn)
	wantOutage(t, out, err)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, endsIn, "the removal", func() error {
		_, err := m.Try("rm file")
		return err
	})
	m.Run("test ! -e file")
	m.Unmount()
	wantNames(t, server, "/")
}

// A file that is being written when another one replaces it is never seen half written.
func TestReplacedWhileItIsWritten(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/file": "old", "/new": "new"})
	server.Log().Reset()
	python(t, m, `
f = os.open("file", os.O_WRONLY | os.O_TRUNC)
os.write(f, b"half")
os.rename("new", "file")
os.write(f, b"whole")
os.close(f)
assert slurp("file") == b"new"
`)
	for _, line := range server.Log().Commands() {
		if strings.HasPrefix(line, "STOR") {
			t.Errorf("stored: %s", line)
		}
	}
	wantNames(t, server, "/", "file")
}
