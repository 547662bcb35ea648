package ftpfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// killed are the real servers that die in these tests: one without MLSD and
// without reasons, one with both.
var killed = []string{"vsftpd", "proftpd"}

// endsIn bounds what a program may take that meets a dying server: some tries,
// each of which may meet silence.
const endsIn = 15 * time.Second

// retries is the time in which a failed upload is tried twice again.
const retries = 25 * time.Second

// random returns size bytes that no other place of the same file has.
func random(size int) []byte {
	rng := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)})
	data := make([]byte, size)
	rng.Read(data)
	return data
}

// put writes files into a real server's directory.
func put(t *testing.T, server *ftptest.Server, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(server.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Own(); err != nil {
		t.Fatal(err)
	}
}

func overKilled(t *testing.T, f func(t *testing.T, name string)) {
	for _, name := range killed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, name)
		})
	}
}

func TestServerKilledDuringRead(t *testing.T) {
	overKilled(t, func(t *testing.T, name string) {
		data := random(24 << 20)
		server, m, k := mountKiller(t, name, map[string][]byte{"big": data})
		local := t.TempDir() + "/copy"
		dead := k.arm(moment{received: 5 << 20})
		out, err := start(t, m, "exec cat big > "+local).wait(endsIn)
		died(t, dead)
		wantOutage(t, out, err)
		got, err := os.ReadFile(local)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) >= len(data) || !bytes.Equal(got, data[:len(got)]) {
			t.Errorf("%d bytes were read, which are not the beginning of the file", len(got))
		}
		k.revive(t, m)
		m.Run("exec cmp big " + filepath.Join(server.Root, "big"))
	})
}

func TestServerKilledDuringUpload(t *testing.T) {
	overKilled(t, func(t *testing.T, name string) {
		server, m, k := mountKiller(t, name, map[string][]byte{"old": []byte("old content")})
		data := random(12 << 20)
		local := t.TempDir() + "/source"
		if err := os.WriteFile(local, data, 0o644); err != nil {
			t.Fatal(err)
		}
		dead := k.arm(moment{sent: 5 << 20})
		out, err := start(t, m, "exec cp "+local+" old").wait(endsIn)
		died(t, dead)
		wantOutage(t, out, err)
		published := filepath.Join(server.Root, "old")
		if now, err := os.ReadFile(published); err != nil || string(now) != "old content" {
			t.Errorf("after a failed upload the server has %d bytes under the real name (%v)", len(now), err)
		}
		m.Run("cmp old " + local) // kept, without a server
		k.revive(t, m)
		eventually(t, retries, "the next try of the upload", func() error {
			k.keepUp(t)
			now, err := os.ReadFile(published)
			if err == nil && string(now) != "old content" && !bytes.Equal(now, data) {
				t.Fatalf("a reader on the server sees %d bytes of a file that is on its way", len(now))
			}
			if err == nil && !bytes.Equal(now, data) {
				err = errors.New("still the old content")
			}
			return err
		})
		m.Run("cmp old " + local)
	})
}

func TestServerKilledWhenTheUploadIsPublished(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, name := range killed {
			t.Run(fmt.Sprintf("%s/sent=%v", name, after), func(t *testing.T) {
				t.Parallel()
				server, m, k := mountKiller(t, name, map[string][]byte{"file": []byte("old")})
				local := t.TempDir() + "/source"
				if err := os.WriteFile(local, []byte("new content"), 0o644); err != nil {
					t.Fatal(err)
				}
				dead := k.arm(moment{command: "RNTO", after: after})
				out, err := start(t, m, "exec cp "+local+" file").wait(endsIn)
				died(t, dead)
				if !after || err != nil { // its answer may have been faster than the kill
					wantOutage(t, out, err)
				}
				path := filepath.Join(server.Root, "file")
				if now, err := os.ReadFile(path); err != nil || string(now) != "old" && string(now) != "new content" {
					t.Errorf("the server has %q (%v)", now, err)
				}
				k.revive(t, m)
				m.Run(`test "$(cat file)" = "new content"`)
				eventually(t, retries, "the next try of the upload", func() error {
					k.keepUp(t)
					now, err := os.ReadFile(path)
					if err == nil && string(now) != "new content" {
						err = fmt.Errorf("the server has %q", now)
					}
					return err
				})
				m.Unmount() // tries once more
				if beside, _ := filepath.Glob(path + ".conflict*"); len(beside) > 0 {
					t.Errorf("our own upload was taken for somebody else's: %q", beside)
				}
			})
		}
	}
}

func TestServerKilledDuringListing(t *testing.T) {
	overKilled(t, func(t *testing.T, name string) {
		files := make(map[string][]byte)
		for i := range 2000 {
			files[fmt.Sprintf("many/%s%d", strings.Repeat("n", 100), i)] = nil
		}
		_, m, k := mountKiller(t, name, files)
		when := moment{received: 1}
		if name == "vsftpd" { // lists over the control connection
			when = moment{command: "STAT", after: true}
		}
		dead := k.arm(when)
		out, err := start(t, m, "exec ls many").wait(endsIn)
		died(t, dead)
		wantOutage(t, out, err)
		out, err = start(t, m, "exec ls many").wait(endsIn)
		wantOutage(t, out, err)
		out, err = start(t, m, "exec stat many/"+strings.Repeat("n", 100)+"1999").wait(endsIn)
		wantOutage(t, out, err)
		k.revive(t, m)
		if n := m.Run("ls many | wc -l"); n != "2000" {
			t.Errorf("%s of 2000 entries are there", n)
		}
	})
}

func TestServerKilledDuringCopyOfATree(t *testing.T) {
	overKilled(t, func(t *testing.T, name string) {
		server, m, k := mountKiller(t, name, nil)
		source := t.TempDir()
		for i := range 20 {
			sub := fmt.Sprintf("%s/dir%d", source, i%4)
			if err := os.MkdirAll(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(fmt.Sprintf("%s/file%d", sub, i), random(10_000+i), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dead := k.arm(moment{command: "STOR", nth: 9, after: true})
		out, err := start(t, m, "exec cp -r "+source+" tree").wait(6 * endsIn)
		died(t, dead)
		wantOutage(t, out, err)
		onlyWholeFiles(t, filepath.Join(server.Root, "tree"), source)
		k.revive(t, m)
		m.Run("cp -r " + source + "/. tree; diff -r " + source + " tree")
		onlyWholeFiles(t, filepath.Join(server.Root, "tree"), source)
	})
}

// onlyWholeFiles fails when a file of the copy is not that of the source.
// Temporary files do not have their real name yet.
func onlyWholeFiles(t *testing.T, replica, source string) {
	t.Helper()
	err := filepath.WalkDir(replica, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".ftpfs-") {
			return err
		}
		rel, _ := filepath.Rel(replica, path)
		got, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(filepath.Join(source, rel))
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes of %d under its real name", rel, len(got), len(want))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestServerKilledDuringRemovalOfATree(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, name := range killed {
			t.Run(fmt.Sprintf("%s/sent=%v", name, after), func(t *testing.T) {
				t.Parallel()
				_, m, k := mountKiller(t, name, nil)
				m.Run("mkdir -p tree/sub other; for i in $(seq 10); do echo $i > tree/sub/file$i; done; echo keep > other/keep")
				dead := k.arm(moment{command: "DELE", nth: 4, after: after})
				out, err := start(t, m, "exec rm -r tree").wait(6 * endsIn)
				died(t, dead)
				wantOutage(t, out, err)
				k.revive(t, m)
				m.Run(`for f in tree/sub/*; do cat $f > /dev/null; done`)
				m.Run(`test -d tree/sub; rm -r tree; test ! -e tree; test "$(cat other/keep)" = keep`)
			})
		}
	}
}

func TestServerKilledDuringRename(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, name := range killed {
			t.Run(fmt.Sprintf("%s/sent=%v", name, after), func(t *testing.T) {
				t.Parallel()
				_, m, k := mountKiller(t, name, nil)
				m.Run("echo content > from")
				dead := k.arm(moment{command: "RNTO", after: after})
				out, err := start(t, m, "exec mv from to").wait(endsIn)
				died(t, dead)
				if !after || err != nil { // its answer may have been faster than the kill
					wantOutage(t, out, err)
				}
				k.revive(t, m)
				// Done or not, but one of the two, and whole.
				eventually(t, 5*time.Second, "finding the file under one name", func() error {
					_, err := m.Try(`test "$(cat from to 2> /dev/null || true)" = content; test ! -e from -o ! -e to`)
					return err
				})
			})
		}
	}
}

func TestServerDownIsNeverAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{DirTTL: 50 * time.Millisecond}, nil)
	m.Run("mkdir dir; echo x > dir/file; ls dir > /dev/null")
	time.Sleep(60 * time.Millisecond) // what was listed has become too old
	server.Down()
	for _, script := range []string{
		"exec ls dir", "exec ls .", "exec stat dir/file", "exec cat dir/file", "exec stat dir/nothing", "exec mkdir new",
		"exec rm -f dir/file", "exec mv dir/file dir/other", "exec touch dir/new", "exec rmdir dir", "exec truncate -s 0 dir/file",
	} {
		out, err := start(t, m, script).wait(endsIn)
		if wantOutage(t, out, err); t.Failed() {
			t.Fatal(script)
		}
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "using the mount again", func() error {
		out, err := m.Try(`test "$(cat dir/file)" = x; test "$(ls dir)" = file`)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

func TestDownInTheMiddleOfAnUpload(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, nil)
	local := t.TempDir() + "/source"
	if err := os.WriteFile(local, make([]byte, 3_000_000), 0o644); err != nil {
		t.Fatal(err)
	}
	hold := server.StallData("STOR", 1<<20)
	c := start(t, m, "exec cp "+local+" file")
	reached(t, hold)
	server.Down()
	out, err := c.wait(endsIn)
	wantOutage(t, out, err)
	if ok, _ := afero.Exists(server.Fs(), "/file"); ok {
		t.Error("a half file has the real name")
	}
	m.Run("test $(stat -c %s file) = 3000000; cmp file " + local)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, retries, "the next try of the upload", func() error {
		data, err := afero.ReadFile(server.Fs(), "/file")
		if err == nil && !bytes.Equal(data, make([]byte, 3_000_000)) {
			t.Fatalf("%d bytes have the real name", len(data))
		}
		return err
	})
}

// A listing, or a file, that ends early by an ordinary end of the data and
// without the server's word that it is whole is an outage.
func TestDataThatEndsEarly(t *testing.T) {
	t.Parallel()
	data := random(300_000)
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/dir/file": string(data)})
	server.EndData("MLSD", 0, ftptest.Always)
	server.Replace("MLSD", "426 Connection closed; transfer aborted.", ftptest.Always)
	out, err := start(t, m, "exec ls dir").wait(endsIn)
	wantOutage(t, out, err)
	server.ClearFaults()
	m.Run("ls dir > /dev/null")
	server.EndData("RETR", 100_000, ftptest.Always)
	local := t.TempDir() + "/copy"
	start(t, m, "exec cat dir/file > "+local).wait(endsIn)
	got, err := os.ReadFile(local)
	if err != nil || !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("wrong bytes among the %d that came (%v)", len(got), err)
	}
	server.ClearFaults()
	if sum := m.Run("wc -c < dir/file"); sum != "300000" {
		t.Errorf("%s bytes afterwards", sum)
	}
}

// An upload that breaks off is an outage, also if the server blames the file without a reason.
func TestUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	server, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/old": "old"})
	local := t.TempDir() + "/source"
	if err := os.WriteFile(local, random(300_000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "old"} {
		server.DropData("STOR", 100_000, ftptest.Always)
		out, err := start(t, m, "exec cp "+local+" "+name).wait(endsIn)
		wantOutage(t, out, err)
		server.ClearFaults()
	}
	m.Unmount() // tries once more
	wantNames(t, server, "/", "new", "old")
}

// Nobody sends a signal: silence itself ends what waits.
func TestSilenceEndsByItself(t *testing.T) {
	for script, verb := range map[string]string{
		"exec cat dir/file > /dev/null": "RETR",
		"exec ls dir":                   "MLSD",
		"exec stat dir/file":            "MLSD",
		"exec cp /bin/true .":           "STOR",
		"exec mv file moved":            "RNTO",
		"exec rm file":                  "DELE",
		"exec mkdir new":                "MKD",
	} {
		t.Run(verb+"/"+strings.TrimPrefix(script, "exec "), func(t *testing.T) {
			t.Parallel()
			server := ftptest.Start(t, ftptest.Options{})
			for path, data := range map[string][]byte{"/dir/file": random(300_000), "/file": []byte("x")} {
				if err := afero.WriteFile(server.Fs(), path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := fusetest.Server(t, embeddedConfig(server, time.Second), ftpfs.Options{})
			m.Run("cat file > /dev/null")
			for range 8 { // also those of the tries that follow
				if verb == "RETR" {
					defer server.StallData(verb, 0).Release()
				} else {
					defer server.HoldReply(verb, 0).Release()
				}
			}
			out, err := start(t, m, script).wait(endsIn)
			if verb == "RETR" || verb == "MLSD" || err != nil { // a look later may show that a change was made
				wantOutage(t, out, err)
			}
			server.ClearFaults()
			m.Run("ls -l . dir > /dev/null; test $(wc -c < dir/file) = 300000")
		})
	}
}
