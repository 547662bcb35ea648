package ftpfs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
)

// A directory is renamed, and another one with the same names gets its name, between the question
// what there is and the command that changes it: the other one stays as it is.
func TestDirectoryIsReplacedDuringAnUpload(t *testing.T) {
	ours, theirs := strings.Repeat("ours", 1<<20), strings.Repeat("them", 1<<20)
	for _, c := range []struct {
		name   string
		opts   ftpfs.Options
		hold   func(*ftptest.Embedded) *ftptest.Hold
		change string
		want   string
	}{
		{"completed", ftpfs.Options{}, func(s *ftptest.Embedded) *ftptest.Hold { return s.StallData("RETR", 100_000) }, "printf X | dd of=old/file conv=notrunc status=none", "X" + ours[1:]},
		{"in place", ftpfs.Options{InPlace: true}, func(s *ftptest.Embedded) *ftptest.Hold { return s.StallData("RETR", 100_000) }, "printf X | dd of=old/file conv=notrunc status=none", "X" + ours[1:]},
		{"appended to", ftpfs.Options{}, func(s *ftptest.Embedded) *ftptest.Hold { return s.HoldReply("DELE", 2) }, "echo X >> old/file", ours + "X\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, m := mountConnected(t, several, c.opts, map[string]string{"/old/file": ours, "/other/file": theirs})
			m.Run("ls -l old other")
			hold := c.hold(server)
			defer hold.Release()
			writer := start(t, m, c.change)
			reached(t, hold)
			m.Run("mv old new; mv other old")
			hold.Release()
			if out, err := writer.wait(endsIn); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			m.Unmount()
			if got := served(t, server, "/old/file"); got != theirs {
				t.Errorf("the other directory's file has %d bytes, %.5q to %q", len(got), got, got[max(0, len(got)-5):])
			}
			if got := served(t, server, "/new/file"); got != c.want {
				t.Errorf("the file has %d bytes, %.5q to %q", len(got), got, got[max(0, len(got)-5):])
			}
			wantNames(t, server, "/old", "file")
			wantNames(t, server, "/new", "file")
		})
	}
}

// The same while a connection is awaited for the command itself.
func TestDirectoryIsReplacedBeforeAnUpload(t *testing.T) {
	ours, theirs := strings.Repeat("ours", 1<<20), strings.Repeat("them", 1<<20)
	for _, c := range []struct {
		name   string
		opts   ftpfs.Options
		change string
		want   string
	}{
		{"in place", ftpfs.Options{InPlace: true}, "echo new > old/file", "new\n"},
		{"appended to", ftpfs.Options{}, "echo X >> old/file", ours + "X\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, m := mountConnected(t, 2, c.opts, map[string]string{"/big": ours, "/log": ours, "/old/file": ours, "/other/file": theirs})
			m.Run("ls -l old other; echo X >> log") // it is known whether the server appends
			read := server.StallData("RETR", 100_000)
			defer read.Release()
			big := start(t, m, "cat big > /dev/null")
			reached(t, read)
			writer := start(t, m, c.change)
			eventually(t, endsIn, "the upload", func() error {
				if !m.Client.Contended() {
					return errors.New("not begun")
				}
				return nil
			})
			m.Run("mv old new; mv other old")
			read.Release()
			if out, err := writer.wait(endsIn); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if out, err := big.wait(endsIn); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			m.Unmount()
			if got := served(t, server, "/old/file"); got != theirs {
				t.Errorf("the other directory's file has %d bytes, %.5q to %q", len(got), got, got[max(0, len(got)-5):])
			}
			if got := served(t, server, "/new/file"); got != c.want {
				t.Errorf("the file has %d bytes, %.5q to %q", len(got), got, got[max(0, len(got)-5):])
			}
			wantNames(t, server, "/old", "file")
			wantNames(t, server, "/new", "file")
		})
	}
}

// Nor is the other one's file taken for ours by who reads.
func TestDirectoryIsReplacedBeforeARead(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, 2, ftpfs.Options{}, map[string]string{"/big": strings.Repeat("0123456789abcdef", 1<<18), "/old/file": "ours", "/other/file": "them"})
	m.Run("ls -l old other")
	read := server.StallData("RETR", 100_000)
	defer read.Release()
	big := start(t, m, "cat big > /dev/null")
	reached(t, read)
	reader := start(t, m, "cat old/file")
	eventually(t, endsIn, "the read", func() error {
		if !m.Client.Contended() {
			return errors.New("not begun")
		}
		return nil
	})
	m.Run("mv old new; mv other old")
	read.Release()
	if out, err := reader.wait(endsIn); err != nil || out != "ours" {
		t.Errorf("read %q (%v)", out, err)
	}
	if out, err := big.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	m.Run("test $(cat new/file) = ours; test $(cat old/file) = them")
}

// What was sent ahead is gone on with in its own directory only.
func TestDirectoryIsReplacedBeforeASenderGoesOn(t *testing.T) {
	t.Parallel()
	ours := strings.Repeat("ours", 1<<20)
	server, m := mountConnected(t, 2, ftpfs.Options{}, map[string]string{"/big": ours, "/log": ours, "/old/x": "x", "/other/y": "y"})
	m.Run("ls -l old other; echo X >> log") // it is known that the server appends
	read := server.StallData("RETR", 100_000)
	defer read.Release()
	var big *child
	python(t, m, `
f = os.open("old/file", os.O_WRONLY | os.O_CREAT)
os.write(f, b"a" * 3000000)
others()
os.write(f, b"b" * 3000000)
others()
os.close(f)
`, func() {
		big = start(t, m, "cat big > /dev/null")
		reached(t, read)
	}, func() {
		eventually(t, endsIn, "the sender", func() error {
			if !m.Client.Contended() {
				return errors.New("it does not go on")
			}
			return nil
		})
		m.Run("mv old new; mv other old")
		read.Release()
	})
	if out, err := big.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	m.Unmount()
	if got := served(t, server, "/new/file"); got != strings.Repeat("a", 3000000)+strings.Repeat("b", 3000000) {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	wantNames(t, server, "/new", "file", "x")
	wantNames(t, server, "/old", "y")
}

// What of a tail has arrived is not looked for in the other one's file.
func TestDirectoryIsReplacedBeforeATailIsSettled(t *testing.T) {
	t.Parallel()
	ours, theirs := strings.Repeat("ours", 1<<20), strings.Repeat("them", 2<<20)
	server, m := mountConnected(t, 2, ftpfs.Options{}, map[string]string{"/big": ours, "/log": ours, "/old/file": ours, "/other/file": theirs})
	m.Run("ls -l old other; echo X >> log") // it is known that the server appends
	appended := server.StallData("APPE", 100_000)
	defer appended.Release()
	read := server.StallData("RETR", 100_000)
	defer read.Release()
	server.DropReply("APPE", 0, 1)
	writer := start(t, m, "head -c 1000000 /dev/zero >> old/file")
	reached(t, appended)
	big := start(t, m, "cat big > /dev/null")
	eventually(t, endsIn, "the read", func() error {
		if !m.Client.Contended() {
			return errors.New("not begun")
		}
		return nil
	})
	appended.Release()
	reached(t, read)
	eventually(t, endsIn, "the comparison", func() error {
		if !m.Client.Contended() {
			return errors.New("not begun")
		}
		return nil
	})
	m.Run("mv old new; mv other old")
	read.Release()
	if out, err := writer.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := big.wait(endsIn); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	m.Unmount()
	if got := served(t, server, "/new/file"); got != ours+strings.Repeat("\x00", 1000000) {
		t.Errorf("the server has %d bytes, or others", len(got))
	}
	if got := served(t, server, "/old/file"); got != theirs {
		t.Errorf("the other directory's file has %d bytes", len(got))
	}
}

// What has stepped aside is not looked for beside the other one's file.
func TestDirectoryIsReplacedBeforeAFileComesBack(t *testing.T) {
	t.Parallel()
	server, m := mountConnected(t, several, ftpfs.Options{}, map[string]string{"/from": "new", "/old/file": "original", "/other/file": "them"})
	m.Run("ls -l old other")
	hold := server.HoldReply("RNTO", 0)
	server.Refuse("RNTO", "553 Rename failed.", 1)
	writer := start(t, m, "exec cp from old/file")
	reached(t, hold) // the refusal of the direct way
	second := server.HoldReply("RNTO", 0)
	hold.Release()
	reached(t, second) // the original has stepped aside
	server.Refuse("RNTO", "553 Rename failed.", ftptest.Always)
	second.Release()
	if out, err := writer.wait(endsIn); err == nil {
		t.Errorf("it was stored: %s", out)
	}
	server.ClearFaults()
	asked := server.HoldReply("MLST", 0)
	defer asked.Release()
	reached(t, asked) // the next try
	m.Run("mv old new; mv other old")
	asked.Release()
	m.Unmount()
	if got := served(t, server, "/new/file") + served(t, server, "/old/file"); got != "newthem" {
		t.Errorf("the server has %q", got)
	}
	infos, err := afero.ReadDir(server.Fs(), "/new")
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos { // the new one may have been kept twice
		if got := served(t, server, "/new/"+info.Name()); got != "new" {
			t.Errorf("%s has %q", info.Name(), got)
		}
	}
	wantNames(t, server, "/old", "file")
}
