package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// What waits in a directory that is renamed goes where the server has the directory, at whatever
// moment the mount is killed.
func TestKillWhileADirectoryIsRenamed(t *testing.T) {
	for _, c := range []struct {
		name, verb string // of the command whose answer does not come; "": the rename has ended
		class      int
		meanwhile  func(afero.Fs) error // what others do before the next mount
		then       string               // and what is done there
		want       string               // where the file is then
	}{
		{name: "refused", verb: "RNTO", class: 5, want: "old/sub/file"},
		{name: "done", verb: "RNTO", class: 2, want: "new/sub/file"},
		{name: "seen", want: "new/sub/file"},
		{name: "made again", verb: "RNTO", class: 2, meanwhile: func(fs afero.Fs) error { return fs.MkdirAll("/old/sub", 0o755) }, want: "old/sub/file"},
		{name: "gone", verb: "RNTO", class: 2, meanwhile: func(fs afero.Fs) error { return fs.RemoveAll("/new") }, then: "mkdir -p old/sub", want: "old/sub/file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := ftptest.Start(t, ftptest.Options{})
			m := keep(t, "ftp://user:secret@"+server.Addr()+"/", "--write-back=1h")
			shell(t, m.dir, "mkdir -p old/sub; echo text > old/sub/file")
			if c.verb == "" {
				shell(t, m.dir, "mv old new")
				m.kill()
			} else {
				if c.class == 5 {
					server.Refuse(c.verb, "550 No.", 1)
				}
				hold := server.HoldReply(c.verb, c.class)
				m.beside("mv old new")
				await(t, hold)
				m.kill()
				hold.Release()
			}
			if c.meanwhile != nil {
				if err := c.meanwhile(server.Fs()); err != nil {
					t.Fatal(err)
				}
			}
			m.mount()
			shell(t, m.dir, c.then+"\ntest \"$(cat "+c.want+")\" = text")
			m.unmount()
			wantFiles(t, server, c.want)
		})
	}
}

// The temporary file of an upload, too.
func TestKillDuringAnUploadIntoARenamedDirectory(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{})
	m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret")
	shell(t, m.dir, "mkdir old")
	hold := server.HoldReply("STOR", 2)
	m.beside("cp " + source + " old/file")
	await(t, hold)
	shell(t, m.dir, "mv old new")
	m.kill()
	hold.Release()
	m.mount()
	eventually(t, "the upload", func() bool { return len(m.left("j*")) == 0 })
	m.unmount()
	wantFiles(t, server, "new/file")
}

// wantFiles checks which files the server has, each with a line of text.
func wantFiles(t *testing.T, server *ftptest.Embedded, want string) {
	t.Helper()
	found := false
	err := afero.Walk(server.Fs(), "/", func(path string, info fs.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		if text, err := afero.ReadFile(server.Fs(), path); path != filepath.Join("/", want) || string(text) != "text\n" {
			t.Errorf("the server has %q as %s (%v)", text, path, err)
			return nil
		}
		found = true
		return nil
	})
	if err == nil && !found {
		err = errors.New("it is missing")
	}
	if err != nil {
		t.Errorf("%s: %v", want, err)
	}
}
