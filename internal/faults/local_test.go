package faults

import (
	"context"
	"testing"
	"time"
)

// What needs nothing of the server is done also when there is none.
func TestWithoutTheServer(t *testing.T) {
	for _, f := range []fault{refused, unreachable, silence} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			op := operation{calls: []call{{Verb: "statfs"}, {Verb: "stat"}}}
			w := newWorld(t, op)
			w.begin()
			w.server.Log().Reset()
			w.cut()
			w.dialer.spoil(true, f)
			ctx, cancel := context.WithTimeout(t.Context(), hangs)
			defer cancel()
			if err := w.mount.FS.Refresh(ctx, ""); err != nil {
				t.Errorf("telling the kernel to forget: %v", err)
			}
			begin := time.Now()
			if errno, _ := w.run(); errno != 0 {
				t.Error(errno)
			}
			if took := time.Since(begin); took > hangs/2 {
				t.Errorf("after %v", took)
			}
			if n := w.hits(); n > 0 {
				t.Errorf("%d connections were tried", n)
			}
			w.heal()
			w.finish()
		})
	}
}
