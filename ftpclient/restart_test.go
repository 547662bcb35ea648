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
