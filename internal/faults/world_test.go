package faults

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

const (
	silent   = time.Second           // the silence that the client bears
	patience = 4 * time.Second       // for a request that changes nothing
	listed   = 50 * time.Millisecond // how long listings are believed
	hangs    = 60 * time.Second      // no operation takes so long: it is some timeouts, on a busy machine
	recovers = 15 * time.Second      // the mount works again when the server does
)

// A world is a server, a mount of it, and who uses the mount.
type world struct {
	t      *testing.T
	op     operation
	fs     afero.Fs // what the mount shows
	dir    string   // the same on a real server; "" otherwise
	server *ftptest.Embedded
	dialer *dialer
	mount  *fusetest.Mount
	worker *worker
	log    bytes.Buffer
}

// idle are the workers without a cell.
var idle = make(workers, 64)

func newWorld(t *testing.T, op operation) *world {
	t.Helper()
	w := &world{t: t, op: op, dialer: &dialer{}}
	timeout, limit := silent, patience
	opts, root := ftptest.Options{Fs: afero.NewMemMapFs(), User: "user", Password: "secret", TLS: op.tls}, ""
	w.fs = opts.Fs
	if op.server != "" {
		root = w.upstream(&opts)
		timeout, limit = 4*silent, 4*patience // it makes a process for each connection
	}
	w.fill()
	w.server = ftptest.Start(t, opts)
	w.dialer.control = w.server.Addr()
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: &w.log}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	config := ftpclient.Config{
		Addr: w.server.Addr(), User: opts.User, Password: opts.Password,
		Mode: cmp.Or(op.mode, ftpclient.ModePassive), Timeout: timeout, Dial: w.dialer.dial, Logger: logger,
	}
	if op.tls {
		config.TLS, config.Pins = ftpclient.TLSExplicit, []ftpclient.Pin{ftpclient.PinOf(w.server.CA())}
	}
	w.mount = fusetest.Server(t, config, ftpfs.Options{Root: root, DirTTL: listed, Patience: limit, Logger: logger})
	w.worker = idle.get(t)
	t.Cleanup(func() {
		if w.worker != nil {
			w.worker.end() // in a state that nobody knows
		}
		if t.Failed() {
			var said strings.Builder
			for _, e := range w.server.Log().Entries() {
				fmt.Fprintf(&said, "%d %v %s\n", e.Conn, e.Sent, e.Line)
			}
			t.Logf("log:\n%s\nsaid:\n%s", ftptest.Tail(w.log.String()), ftptest.Tail(said.String()))
		}
	})
	return w
}

// upstream makes opts those of a proxy before a real server, which all cells share, and
// returns the directory that this one has there.
func (w *world) upstream(opts *ftptest.Options) string {
	w.t.Helper()
	real := realServer(w.t, w.op.server)
	dir, err := os.MkdirTemp(real.Root, "cell")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	w.dir = dir
	w.fs = afero.NewBasePathFs(afero.NewOsFs(), dir)
	opts.Upstream, opts.User, opts.Password, opts.Fs = real.Addr, real.User, real.Password, w.fs
	return "/" + filepath.Base(dir)
}

// fill makes what the server has at first.
func (w *world) fill() {
	w.t.Helper()
	var err error
	for _, path := range []string{"dir", "dir/file", "dir/old", "dir/sub", "dir/link"} {
		content := initial[path]
		switch to, link := strings.CutPrefix(content, "link "); {
		case content == "dir":
			err = w.fs.MkdirAll("/"+path, 0o755)
		case link:
			if w.op.server == "proftpd" { // the only one with operations on links
				err = os.Symlink(to, filepath.Join(w.dir, path))
			}
		default:
			err = afero.WriteFile(w.fs, "/"+path, []byte(content), 0o644)
			if err == nil {
				err = w.fs.Chtimes("/"+path, time.Unix(900_000_000, 0), time.Unix(900_000_000, 0))
			}
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if w.dir != "" {
		w.own()
	}
}

// own gives everything to the user of the real server, whose login directory is above.
func (w *world) own() {
	w.t.Helper()
	info, err := os.Stat(filepath.Dir(w.dir))
	if err != nil {
		w.t.Fatal(err)
	}
	user := info.Sys().(*syscall.Stat_t)
	err = filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(user.Uid), int(user.Gid)))
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin makes the mount ready for the operation: a file is open, connections are idle, also
// those that were fetching ahead, and no name is known.
func (w *world) begin() {
	w.t.Helper()
	w.must(call{Verb: "stat", Path: "dir/old"})
	if w.op.open != "" {
		w.must(call{Verb: w.op.open, Path: cmp.Or(w.op.file, "dir/file")})
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), hangs)
	defer cancel()
	for idle := false; !idle; {
		time.Sleep(listed)
		s := w.mount.FS.Status().Client
		if idle = s.Open > 0 && s.Idle == s.Open; ctx.Err() != nil {
			w.t.Fatalf("of %d connections %d are idle", s.Open, s.Idle)
		}
	}
	if err := w.mount.FS.Refresh(ctx, ""); err != nil {
		w.t.Fatal(err)
	}
}

// cut resets all connections: the next ones are new.
func (w *world) cut() { w.server.DropAll() }

// run carries out the operation and returns the first errno.
func (w *world) run() (syscall.Errno, string) {
	w.t.Helper()
	text := ""
	for _, c := range w.op.calls {
		r := w.do(c)
		if r.Errno != 0 {
			return r.Errno, text
		}
		text = r.Text
	}
	return 0, text
}

func (w *world) mustRun() {
	w.t.Helper()
	if errno, text := w.run(); errno != 0 || w.op.want != "" && text != w.op.want {
		w.t.Fatalf("on a healthy server: errno %d (%v), %q", errno, errno, text)
	}
}

// do carries out one call, which must end.
func (w *world) do(c call) result {
	w.t.Helper()
	c.Dir = w.mount.Dir
	r, ended := w.worker.do(c, hangs)
	if !ended {
		w.t.Fatalf("%s %s does not end: %s", c.Verb, c.Path, r.Text)
	}
	return r
}

func (w *world) must(c call) result {
	w.t.Helper()
	r := w.do(c)
	if r.Errno != 0 {
		w.t.Fatalf("%s %s: %v", c.Verb, c.Path, r.Errno)
	}
	return r
}

// settle closes what the operation has left open.
func (w *world) settle() { w.do(call{Verb: "close"}) }

// shown is the tree in the mount, as soon as the server can be reached again. What was listed
// before that is too old by then.
func (w *world) shown() map[string]string {
	w.t.Helper()
	time.Sleep(listed)
	for deadline := time.Now().Add(recovers); ; time.Sleep(20 * time.Millisecond) {
		r := w.do(call{Verb: "tree", To: w.op.watch})
		if r.Errno == 0 {
			return r.Tree
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%v after the end of the fault: %v", recovers, r.Errno)
		}
	}
}

// served is the tree on the server. Names that only the mount uses are given apart.
func (w *world) served() (tree map[string]string, temporary []string) {
	w.t.Helper()
	tree = make(map[string]string)
	err := afero.Walk(w.fs, "/", func(path string, info os.FileInfo, err error) error {
		if err != nil || path == "/" {
			return err
		}
		rel := strings.TrimPrefix(path, "/")
		switch {
		case strings.HasPrefix(info.Name(), ".ftpfs-"):
			temporary = append(temporary, path)
			return nil
		case info.IsDir():
			tree[rel] = "dir"
		case info.Mode()&os.ModeSymlink != 0:
			to, err := w.fs.(afero.LinkReader).ReadlinkIfPossible(path)
			if err != nil {
				return err
			}
			tree[rel] = "link " + filepath.Base(to) // proftpd makes it absolute
		default:
			data, err := afero.ReadFile(w.fs, path)
			if err != nil {
				return err
			}
			tree[rel] = digest(data)
		}
		if rel == watched {
			switch w.op.watch {
			case watchMode:
				tree[watchMode] = strconv.FormatUint(uint64(info.Mode().Perm()), 8)
			case watchTime:
				tree[watchTime] = seconds(info)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return tree, temporary
}

// finish unmounts, after which the server must have what the mount has shown, and nothing else.
func (w *world) finish() {
	w.t.Helper()
	shown := w.shown()
	w.mount.Unmount()
	served, temporary := w.served()
	mode := served[watchMode]
	delete(served, watchMode)
	if !reflect.DeepEqual(shown, served) {
		w.t.Errorf("the mount has shown %s, the server has %s", text(shown), text(served))
	}
	if len(temporary) > 0 {
		w.t.Errorf("left on the server: %q", temporary)
	}
	if mode != "" {
		served[watchMode] = mode
	}
	idle.put(w.worker)
	w.worker = nil
}

func text(tree map[string]string) string {
	var lines []string
	for path, what := range tree {
		if was, same := before(path); !same || was != what {
			lines = append(lines, path+": "+what)
		}
	}
	for path := range initial {
		if _, there := tree[path]; !there {
			lines = append(lines, path+": none")
		}
	}
	return fmt.Sprintf("(but for what was there at first) %q", lines)
}

func before(path string) (string, bool) {
	content, ok := initial[path]
	if ok && content != "dir" && !strings.HasPrefix(content, "link ") {
		content = digest([]byte(content))
	}
	return content, ok
}

// A dialer makes the client's connections, or keeps it from making them.
type dialer struct {
	control string

	mu           sync.Mutex
	spoils       fault // "" none
	onlyControls bool
	met          int
}

func (d *dialer) spoil(controls bool, f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spoils, d.onlyControls = f, controls
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	f := d.spoils
	if d.onlyControls != (addr == d.control) {
		f = ""
	}
	if f != "" {
		d.met++
	}
	d.mu.Unlock()
	failed := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", errno)}
	}
	switch f {
	case refused:
		return nil, failed(syscall.ECONNREFUSED)
	case unreachable:
		return nil, failed(syscall.EHOSTUNREACH)
	case silence:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// hits is how often a fault has happened.
func (w *world) hits() int {
	w.dialer.mu.Lock()
	defer w.dialer.mu.Unlock()
	return w.dialer.met + w.server.Met()
}

// heal ends the fault.
func (w *world) heal() {
	w.dialer.spoil(false, "")
	w.server.ClearFaults()
}

// lockedWriter lets several goroutines log.
type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// start is the server's tree before the operation, as served gives it.
func (w *world) start() map[string]string {
	w.t.Helper()
	tree, _ := w.served()
	return maps.Clone(tree)
}
