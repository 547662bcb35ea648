package ftpclient

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"ftpfs/internal/ftptest"
)

// cutOff is a connection whose end is lost: of what CloseWrite and Close with a reset send
// only the reset arrives.
type cutOff struct{ *net.TCPConn }

func (cutOff) CloseWrite() error { return nil }

// A reset is never the end of a file for vsftpd, before its command or after it.
func TestRealHastenedInVain(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
		dial := new(net.Dialer).DialContext
		if late {
			dial = dialLate(s.Addr)
		}
		cl := testClient(t, Config{
			Addr: s.Addr, User: s.User, Password: s.Password, Connections: 1,
			Dial: func(ctx context.Context, network, to string) (net.Conn, error) {
				nc, err := dial(ctx, network, to)
				if err != nil || to == s.Addr {
					return nc, err
				}
				return cutOff{nc.(*net.TCPConn)}, nil
			},
		})
		if _, err := cl.List(t.Context(), "/"); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			settled(t, cl)
			cl.server.mu.Lock()
			cl.server.lossy = false
			cl.server.mu.Unlock()
			content := random(i * 500)
			w := store(t, cl, "/f")
			w.Write(content)
			if err := w.Close(); err != nil {
				t.Fatalf("%d bytes: %v", len(content), err)
			}
			if got, err := os.ReadFile(filepath.Join(s.Root, "f")); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("stored %d bytes of %d, %v", len(got), len(content), err)
			}
			if cl.server.lingers() {
				t.Errorf("%d bytes: an upload without its end was believed", len(content))
			}
		}
	}
}
