package ftpclient

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// lateCommands delivers commands later than data that was sent after them. Only what the
// client does not wait for can tell the difference.
type lateCommands struct {
	net.Conn
	late func() bool

	mu    sync.Mutex
	group sync.WaitGroup
	last  chan struct{} // closed when the write before is done
}

func (c *lateCommands) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.late() {
		return c.Conn.Write(p)
	}
	before, done := c.last, make(chan struct{})
	c.last = done
	text := append([]byte(nil), p...)
	c.group.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		time.Sleep(2 * time.Millisecond)
		c.Conn.Write(text)
	})
	return len(p), nil
}

func (c *lateCommands) Close() error {
	c.group.Wait()
	return c.Conn.Close()
}

// dialLate makes the commands of control connections late.
func dialLate(addr string) func(ctx context.Context, network, to string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, to)
		if err != nil || to != addr {
			return nc, err
		}
		return &lateCommands{Conn: nc, late: func() bool { return true }}, nil
	}
}

var earlySizes = []int{0, 1, 4096, maxEarly, maxEarly + 1, 5 << 20}

// Data that arrives with the command or before it is never lost.
func TestRealEarlyData(t *testing.T) {
	contents := map[int][]byte{}
	sums := map[int][32]byte{}
	for _, size := range earlySizes {
		contents[size] = random(size)
		sums[size] = sha256.Sum256(contents[size])
	}
	for _, name := range ftptest.RealNames {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, late), func(t *testing.T) {
				s := ftptest.Real(t, name, ftptest.RealOptions{})
				cfg := Config{Addr: s.Addr, User: s.User, Password: s.Password, Connections: 2}
				if late {
					cfg.Dial = dialLate(s.Addr)
				}
				cl := testClient(t, cfg)
				if _, err := cl.List(context.Background(), "/"); err != nil {
					t.Fatal(err)
				}
				early, hastened := 0, 0
				for i := range 40 {
					for _, size := range earlySizes {
						if size == 5<<20 && i%10 > 0 {
							continue
						}
						settled(t, cl)
						w := store(t, cl, "/f")
						if w.unanswered {
							early++
						}
						if _, err := w.Write(contents[size]); err != nil {
							t.Fatalf("%d bytes: %v", size, err)
						}
						if err := w.Close(); err != nil {
							t.Fatalf("%d bytes: %v", size, err)
						}
						if w.hastened {
							hastened++
						}
						got, err := os.ReadFile(filepath.Join(s.Root, "f"))
						if err != nil || sha256.Sum256(got) != sums[size] {
							t.Fatalf("%d bytes: stored %d, %v", size, len(got), err)
						}
					}
				}
				if bears := name != "pyftpdlib"; bears != (early > 200) {
					t.Errorf("%d uploads began without the server's answer", early)
				}
				if lingers := name == "vsftpd"; lingers != cl.server.lingers() || lingers != (hastened > 100) {
					t.Errorf("the end of %d uploads was hastened", hastened)
				}
			})
		}
	}
}

// A refused upload in the middle of others gives its error and harms none of them.
func TestRealEarlyRefusal(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s, cl := real(t, name, ftptest.RealOptions{}, Config{Connections: 2})
			for _, dir := range []string{"closed", "dir"} {
				if err := os.Mkdir(filepath.Join(s.Root, dir), 0o555); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := cl.List(ctx, "/"); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				for _, path := range []string{"/closed/f", "/dir", "/missing/f"} {
					for _, size := range []int{0, 4096, 1 << 20} {
						settled(t, cl)
						w, err := cl.Store(ctx, path)
						if err == nil {
							_, err = w.Write(random(size))
							if closeErr := w.Close(); err == nil {
								err = closeErr
							}
						}
						var e *Error
						if !errors.As(err, &e) || e.Command != "STOR" || e.Code < 500 {
							t.Fatalf("%s, %d bytes: %v", path, size, err)
						}
						if name != "vsftpd" && path == "/missing/f" && e.Kind() != KindNotExist {
							t.Errorf("%v", err)
						}
						text := fmt.Sprint("content", i)
						w = store(t, cl, "/t")
						io.WriteString(w, text)
						if got, err := w.Commit(ctx, Commit{Path: "/f"}); err != nil || got.Size != int64(len(text)) {
							t.Fatalf("%+v, %v", got, err)
						}
						if got := read(t, cl, "/f", -1); string(got) != text {
							t.Fatalf("%q", got)
						}
					}
				}
			}
			if n := cl.Stats().Logins; n > 2 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// An upload given up before the answer leaves the server in step.
func TestRealEarlyAbort(t *testing.T) {
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			_, cl := real(t, name, ftptest.RealOptions{}, Config{Connections: 1, Timeout: 5 * time.Second})
			if _, err := cl.List(context.Background(), "/"); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				settled(t, cl)
				w := store(t, cl, "/t")
				w.Write(random(i * 200))
				w.Abort()
				w = store(t, cl, "/f")
				io.WriteString(w, strings.Repeat("x", i))
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if got := read(t, cl, "/f", -1); len(got) != i {
					t.Errorf("%d bytes of %d", len(got), i)
				}
			}
			t.Logf("%+v", cl.Stats())
		})
	}
}

// A full disk is an error, whether the data was early or not, and harms nothing else.
func TestRealDiskFull(t *testing.T) {
	for _, name := range ftptest.RealNames {
		if name == "pyftpdlib" {
			continue // falls into a busy loop
		}
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s, cl := real(t, name, ftptest.RealOptions{}, Config{Connections: 1})
			small := filepath.Join(s.Root, "small")
			if err := os.Mkdir(small, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k,mode=777"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			if _, err := cl.List(ctx, "/"); err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1 << 20, 4096} { // the first fills the disk
				settled(t, cl)
				w := store(t, cl, fmt.Sprint("/small/", size))
				_, err := w.Write(random(size))
				if closeErr := w.Close(); err == nil {
					err = closeErr
				}
				var e *Error
				if !errors.As(err, &e) || e.Code < 400 { // proftpd says one time "No space left on device", another "Input/output error"
					t.Errorf("%d bytes: %v", size, err)
				}
			}
			w := store(t, cl, "/f")
			io.WriteString(w, "content")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
