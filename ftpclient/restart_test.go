package ftpclient

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/internal/ftptest"

	"github.com/spf13/afero"
)

// A server that does not announce REST is asked for the last byte of a file first: it may agree
// and send all.
func TestRestartIsLearned(t *testing.T) {
	for name, honest := range map[string]bool{"honest": true, "ignored": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Hidden: []string{"REST"}}})
			if !honest {
				e.Refuse("REST", "350 Restarting.", ftptest.Always)
			}
			content := random(10_000)
			if err := afero.WriteFile(e.Fs(), "/f", content, 0o644); err != nil {
				t.Fatal(err)
			}
			cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Timeout: time.Minute})
			for _, offset := range []int64{1, 9_999, 5_000} {
				r, err := cl.Retrieve(context.Background(), "/f", offset, 10_000)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || !slices.Equal(got, content[offset:]) {
					t.Errorf("%d bytes from %d on, %v", len(got), offset, err)
				}
				r.Close()
			}
			if want := map[bool]Capability{true: Yes, false: No}[honest]; cl.CanRestart() != want {
				t.Errorf("%v", cl.CanRestart())
			}
		})
	}
}

// Without REST a file is read from the start, and what comes before the offset is left out;
// the server is asked once.
func TestWithoutRestart(t *testing.T) {
	t.Parallel()
	e := ftptest.Start(t, ftptest.Options{Quirks: ftptest.Quirks{Unknown: []string{"REST"}}})
	content := random(200_000)
	if err := afero.WriteFile(e.Fs(), "/f", content, 0o644); err != nil {
		t.Fatal(err)
	}
	cl := testClient(t, Config{Addr: e.Addr(), User: "user", Password: "secret", Timeout: time.Minute})
	for _, size := range []int64{-1, 200_000} {
		for _, offset := range []int64{1, 100_000, 199_999} {
			r, err := cl.Retrieve(context.Background(), "/f", offset, size)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !slices.Equal(got, content[offset:]) {
				t.Errorf("%d bytes from %d of %d on, %v", len(got), offset, size, err)
			}
			r.Close()
		}
	}
	r, err := cl.Retrieve(context.Background(), "/f", 200_001, -1)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("behind the end: %d bytes, %v", n, err)
	}
	r.Close()
	asked := slices.DeleteFunc(e.Log().Commands(), func(k string) bool { return !strings.HasPrefix(k, "REST ") })
	if cl.CanRestart() != No || len(asked) != 1 {
		t.Errorf("%v: %q", cl.CanRestart(), asked)
	}
}
