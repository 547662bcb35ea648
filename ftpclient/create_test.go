package ftpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ftpfs/internal/ftptest"
)

func create(t *testing.T, cl *Client, path string) *Writer {
	t.Helper()
	w, err := cl.Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// vsftpd appends to files that are not there, unless it is told not to. All servers have them whole.
func TestRealCreate(t *testing.T) {
	sizes := []int{10, 0, 3 << 20}
	for name, want := range map[string]string{
		"vsftpd": "APPE APPE APPE", "vsftpd denied": "APPE STOR STOR STOR", "vsftpd denied large": "APPE STOR STOR STOR",
		"proftpd": "STOR STOR STOR", "pure-ftpd": "STOR STOR STOR", "pyftpdlib": "STOR STOR STOR",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, denied, _ := strings.Cut(name, " ")
			var opts ftptest.RealOptions
			if denied != "" {
				opts.Directives = []string{"cmds_denied=APPE"}
			}
			sizes := slices.Clone(sizes)
			if strings.HasSuffix(denied, "large") { // refused before all was sent
				slices.Reverse(sizes)
			}
			s := ftptest.Real(t, name, opts)
			var mu sync.Mutex
			var verbs []string
			cl := testClient(t, Config{Addr: s.Addr, User: s.User, Password: s.Password, Connections: 1, Trace: func(l TraceLine) {
				if verb, _, _ := strings.Cut(l.Line, " "); l.Sent && (verb == "STOR" || verb == "APPE") {
					mu.Lock()
					verbs = append(verbs, verb)
					mu.Unlock()
				}
			}})
			beginClient(t, cl)
			for _, size := range sizes {
				content := random(size)
				final := fmt.Sprintf("f%d", size)
				w := create(t, cl, "/f")
				if n, err := w.Write(content); n != size || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				e, err := w.Commit(t.Context(), Commit{Path: "/" + final})
				if err != nil || e.Size != int64(size) {
					t.Errorf("%+v, %v", e, err)
				}
				if got, err := os.ReadFile(filepath.Join(s.Root, final)); err != nil || !bytes.Equal(got, content) {
					t.Errorf("stored %d bytes of %d, %v", len(got), size, err)
				}
				settled(t, cl)
			}
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(verbs, " "); got != want {
				t.Errorf("%s instead of %s", got, want)
			}
		})
	}
}

// Any other refusal is that of the file.
func TestCreateIsRefused(t *testing.T) {
	s := startScript(t, func(p *peer) {
		data := p.beginLingering()
		p.expectOne("APPE /f")
		p.content(data, random(10))
		p.send("552 Disk full.")
		data = p.next()
		p.expectOne("APPE /f")
		p.content(data, random(10))
		p.send("150 go", "226 done")
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	for _, full := range []bool{true, false} {
		w := create(t, cl, "/f")
		w.Write(random(10))
		var e *Error
		if err := w.Close(); full && (!errors.As(err, &e) || e.Kind() != KindNoSpace) || !full && err != nil {
			t.Errorf("full: %v: %v", full, err)
		}
		settled(t, cl)
	}
}

// What is there is the new file and nothing else, or there is an error.
func TestCreateFindsAFile(t *testing.T) {
	s := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	cl := testClient(t, Config{Addr: s.Addr, User: s.User, Password: s.Password})
	beginClient(t, cl)
	if err := os.WriteFile(filepath.Join(s.Root, "f"), []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.Own(); err != nil {
		t.Fatal(err)
	}
	w := create(t, cl, "/f")
	w.Write([]byte("new"))
	if _, err := w.Commit(t.Context(), Commit{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
}
