package ftpclient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ftpfs/internal/ftptest"
)

func TestRealFacts(t *testing.T) {
	ctx := context.Background()
	for _, name := range ftptest.RealNames {
		s, cl := real(t, name, ftptest.RealOptions{}, Config{})
		writeFile(t, s, "a; b", []byte("content"))
		facts, err := cl.Facts(ctx, "/a; b")
		if name == "vsftpd" {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %q, %v", name, facts, err)
			}
			continue
		}
		if err != nil || !strings.Contains(facts, "type=file;") || !strings.HasSuffix(facts, ";") || strings.Contains(facts, " ") {
			t.Errorf("%s: %q, %v", name, facts, err)
		}
		if facts, err := cl.Facts(ctx, "/missing"); err == nil {
			t.Errorf("%s: %q of nothing", name, facts)
		}
	}
}
