package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ftpfs/internal/ftptest"
)

// A crashModel knows what files a mount must have, and may have, whatever happens
// to it.
type crashModel struct {
	t        *testing.T
	mount    *keptMount
	server   *ftptest.Embedded
	root     string     // the server's directory
	sessions func() int // of the server's
	most     int        // checks
	inPlace  bool       // files are stored under their own names
	keeping  bool       // the server overwrites nothing
	behind   bool       // closes do not wait

	pid    int
	reap   func() // waits for the kill
	dir    string // of this check, in the mount and on the server
	broken bool   // a check has failed: what follows makes it shorter
	down   bool   // the mount was killed, or is about to be
	killed bool   // it was, and what it has left is looked at
	shaky  bool   // a fault may happen, or has happened just now
	short  bool   // an upload may have ended too soon, in good order: until its next try the file is short
	files  map[string]*crashFile
	open   [4]*crashHandle
	states map[[32]byte]bool // that files have had
	recent []transition
	done   []string // in this check

	checks, steps, kills, met, others, litter int
	failed                                    map[string]int // operations
}

// A crashFile is a file with a name, or one that is open.
type crashFile struct {
	path   string // "": unlinked
	data   []byte
	unborn bool // it was created, and nothing more: a kill may take it
}

type crashHandle struct {
	fd      int
	file    *crashFile
	appends bool
}

// A transition is a change of one file's bytes. Of a write any part from its start
// on may be seen.
type transition struct {
	before []byte
	off    int
	p      []byte
	after  []byte
}

type skipped struct{}

// skip leaves an operation that cannot be done now; maybe and rapid go on.
func (m *crashModel) skip() { panic(skipped{}) }

func (m *crashModel) maybe(f func()) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(skipped); !ok {
				panic(r)
			}
		}
	}()
	f()
}

func (m *crashModel) names() (names []string) {
	for path := range m.files {
		names = append(names, path)
	}
	slices.Sort(names)
	return names
}

func (m *crashModel) at(path string) string { return filepath.Join(m.mount.dir, m.dir, path) }

func (m *crashModel) fatal(t *rapid.T, format string, args ...any) {
	t.Helper()
	m.broken = true
	t.Fatalf(format+"\nafter: %s\nthe mount has logged: %s", append(args, strings.Join(m.done, "; "), tail(m.mount.log(), 5000))...)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// begin makes an empty directory.
func (m *crashModel) begin(t *rapid.T) {
	m.reset()
	m.dir, m.short = fmt.Sprint("check", m.checks), false
	m.done = nil
	m.files, m.states, m.recent = make(map[string]*crashFile), make(map[[32]byte]bool), nil
	if m.failed == nil {
		m.failed = make(map[string]int)
	}
	m.mark(nil)
	err := m.patiently(func() error {
		return errors.Join(mkdir(m.at("")), mkdir(m.at("sub")))
	})
	if err != nil {
		m.fatal(t, "beginning: %v", err)
	}
}

func mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// reset ends what a check that failed has left.
func (m *crashModel) reset() {
	m.calm()
	if m.down {
		m.reap()
		m.down = false
	}
	if findDaemon(m.t, m.mount.dir) == 0 {
		m.pid = 0
	}
	m.closeAll()
	m.remount()
}

// remount mounts, unless it is mounted.
func (m *crashModel) remount() {
	m.t.Helper()
	if m.pid == 0 {
		m.mount.mount()
		m.pid = daemonOf(m.t, m.mount.dir)
	}
}

func (m *crashModel) closeAll() {
	for i, h := range m.open {
		if h != nil {
			syscall.Close(h.fd)
			m.open[i] = nil
		}
	}
}

// calm ends all faults.
func (m *crashModel) calm() {
	m.met += m.server.Met()
	m.server.ClearFaults()
}

// patiently tries until the mount works, which it may not do at once after a
// fault.
func (m *crashModel) patiently(f func() error) error {
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (m *crashModel) mark(data []byte) { m.states[sha256.Sum256(data)] = true }

// set makes data the bytes of f, by a write of p at off, or by a cut.
func (m *crashModel) set(f *crashFile, data []byte, off int, p []byte) {
	m.recent = append(m.recent, transition{f.data, off, p, data})
	m.recent = m.recent[max(0, len(m.recent)-16):]
	m.mark(data)
	f.data, f.unborn = data, false
}

// tell notes what happens.
func (m *crashModel) tell(t *rapid.T, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.Log(text)
	m.done = append(m.done, text)
}

// attempt does an operation. If it fails, change may have happened or not, or, of
// a write, a part of it: then that is looked up.
func (m *crashModel) attempt(t *rapid.T, what string, op func() error, change func()) bool {
	t.Helper()
	m.steps++
	before := m.save()
	err := op()
	m.tell(t, "%s: %v", what, err)
	if err == nil {
		change()
		return true
	}
	verb, _, _ := strings.Cut(what, " ")
	m.failed[verb]++
	var errno syscall.Errno
	switch errors.As(err, &errno); {
	case m.down && (errno == syscall.ENOTCONN || errno == syscall.ECONNABORTED || errno == syscall.EINTR || errno == syscall.EIO):
	case m.shaky && m.keeping && errno == syscall.EACCES && (verb == "close" || verb == "fsync"): // it has begun to store that once
	case m.shaky && (verb == "unlink" || verb == "rename") && errno == syscall.ENOENT: // done once, behind a 421 that says it was not
	case m.shaky && (errno == syscall.EINTR || errno == syscall.EIO || errno == syscall.ETIMEDOUT || errno == syscall.EHOSTUNREACH):
	default:
		m.fatal(t, "%s: %v", what, err)
	}
	if verb == "close" || verb == "fsync" {
		if m.down {
			m.revive(t, nil)
		}
		return false
	}
	m.others++
	change()
	after := m.save()
	before()
	if m.down {
		m.revive(t, after)
	} else {
		m.resolve(t, after)
	}
	return false
}

// save returns what brings the files back that there are now.
func (m *crashModel) save() (restore func()) {
	files := make(map[string]*crashFile)
	all := make(map[*crashFile]crashFile)
	for path, f := range m.files {
		files[path], all[f] = f, *f
	}
	for _, h := range m.open {
		if h != nil {
			all[h.file] = *h.file
		}
	}
	return func() {
		m.files = make(map[string]*crashFile)
		for path, f := range files {
			m.files[path] = f
		}
		for f, was := range all {
			*f = was
		}
	}
}

// resolve looks whether the files are those of before or of after an operation.
func (m *crashModel) resolve(t *rapid.T, after func()) {
	t.Helper()
	m.calm()
	m.shaky = false
	var seen map[string][]byte
	err := m.patiently(func() (err error) {
		seen, err = treeOf(m.at(""))
		return err
	})
	if err != nil {
		m.fatal(t, "the mount does not work any more: %v", err)
	}
	defer func() {
		for path := range m.files {
			if _, ok := seen[path]; !ok {
				delete(m.files, path)
			}
		}
	}()
	was := m.differ(seen)
	if was == "" {
		return
	}
	if after == nil {
		m.fatal(t, "the mount has other files than were written: %s", was)
	}
	before := m.save()
	after()
	is := m.differ(seen)
	if is == "" {
		return
	}
	// A part of a write.
	for _, f := range m.files {
		last := m.recent[max(0, len(m.recent)-1):]
		if len(last) > 0 && bytes.Equal(last[0].after, f.data) && last[0].part(seen[f.path]) {
			f.data = seen[f.path]
			m.mark(f.data)
			if m.differ(seen) == "" {
				return
			}
		}
	}
	before()
	m.fatal(t, "the mount has other files than before the operation (%s), or after it (%s)", was, is)
}

// part tells whether data is the state before the transition with a part of what
// was written.
func (tr transition) part(data []byte) bool {
	if len(tr.p) == 0 || len(data) > len(tr.after) {
		return false
	}
	k := 0
	for k < len(tr.p) && tr.off+k < len(data) && data[tr.off+k] == tr.p[k] {
		k++
	}
	want := slices.Clone(tr.before)
	for len(want) < tr.off+k {
		want = append(want, 0)
	}
	copy(want[tr.off:], tr.p[:k])
	return k > 0 && bytes.Equal(want, data)
}

func treeOf(root string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".pureftpd-") { // in the middle of its rename
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root+"/")] = data
		return err
	})
	return all, err
}

// differ tells in what files are not those that there should be.
func (m *crashModel) differ(seen map[string][]byte) string {
	var text []string
	for path, f := range m.files {
		if data, ok := seen[path]; !ok && m.killed && f.unborn {
			continue
		} else if !ok {
			text = append(text, path+" is missing")
		} else if !bytes.Equal(data, f.data) {
			at := 0
			for at < min(len(data), len(f.data)) && data[at] == f.data[at] {
				at++
			}
			text = append(text, fmt.Sprintf("%s has %d bytes, not the %d that were written, and others from %d on", path, len(data), len(f.data), at))
		}
	}
	for path := range seen {
		if m.files[path] == nil {
			text = append(text, fmt.Sprintf("%s with %d bytes is too much", path, len(seen[path])))
		}
	}
	slices.Sort(text)
	return strings.Join(text, ", ")
}

// served checks what the server has acknowledged.
func (m *crashModel) served(t *rapid.T, what string, f *crashFile) {
	t.Helper()
	if f.path == "" {
		return
	}
	data, err := os.ReadFile(filepath.Join(m.root, m.dir, f.path))
	if err != nil || !bytes.Equal(data, f.data) {
		m.fatal(t, "after the %s of %s the server has %d bytes, not the %d that were written (%v)", what, f.path, len(data), len(f.data), err)
	}
}

// untorn checks that the server has nothing but states of files under their names.
func (m *crashModel) untorn(t *rapid.T) {
	t.Helper()
	if m.inPlace || m.short {
		return
	}
	seen, err := treeOf(filepath.Join(m.root, m.dir))
	if err != nil {
		return // something goes just now
	}
	for path, data := range seen {
		if strings.Contains(path, ".ftpfs-") || m.states[sha256.Sum256(data)] || slices.ContainsFunc(m.recent, func(tr transition) bool {
			return tr.part(data) || len(data) > len(tr.before) && len(tr.before) > 0 && bytes.HasPrefix(tr.after, data) && bytes.HasPrefix(data, tr.before)
		}) || m.grown(data) {
			continue
		}
		m.fatal(t, "the server has a mixture of states in %s, %d bytes", path, len(data))
	}
}

// grown tells whether data is a state on its way to a longer one.
func (m *crashModel) grown(data []byte) bool {
	longer := slices.ContainsFunc(m.recent, func(tr transition) bool { return bytes.HasPrefix(tr.after, data) })
	shorter := slices.ContainsFunc(m.recent, func(tr transition) bool { return len(tr.before) > 0 && bytes.HasPrefix(data, tr.before) })
	return longer && shorter
}

// killDuring kills the daemon after a delay, in which it does operations until none
// is left.
func (m *crashModel) killDuring(t *rapid.T, delay int, op func(i int) bool) {
	killed := make(chan error, 1)
	pid := m.pid
	m.down = true
	m.kills++
	m.tell(t, "kill %d after %d µs", pid, delay)
	go func() {
		time.Sleep(time.Duration(delay) * time.Microsecond)
		killed <- syscall.Kill(pid, syscall.SIGKILL)
	}()
	m.reap = func() {
		if err := <-killed; err != nil {
			m.t.Fatal(err)
		}
		waitProcess(m.t, pid)
		m.pid = 0
	}
	for i := 0; m.down && op(i); i++ {
	}
	if m.down {
		m.revive(t, nil)
	}
}

// revive mounts again after the kill, during an operation if after is not nil.
func (m *crashModel) revive(t *rapid.T, after func()) {
	t.Helper()
	m.reap()
	m.closeAll()
	m.deserted(t)
	m.untorn(t)
	m.calm() // else the mount itself may fail
	m.remount()
	m.down, m.killed = false, true
	m.resolve(t, after)
	m.killed = false
}

// deserted waits until the server has ended the sessions of a mount that is gone: it may not have
// carried out the last commands before.
func (m *crashModel) deserted(t *rapid.T) {
	t.Helper()
	err := m.patiently(func() error {
		if n := m.sessions(); n > 0 {
			return fmt.Errorf("the server has %d sessions of a mount that is gone", n)
		}
		return nil
	})
	if err != nil {
		m.fatal(t, "%v", err)
	}
}

// end closes all, unmounts, and compares what the server has then.
func (m *crashModel) end(t *rapid.T) {
	for slot := range m.open {
		if m.open[slot] != nil {
			m.close(t, slot)
		}
	}
	m.resolve(t, nil)
	m.untorn(t)
	pid := m.pid
	err := m.patiently(func() error {
		code, stdout, stderr := run(new(program), "umount", m.mount.dir)
		if code != 0 && findDaemon(m.t, m.mount.dir) != 0 {
			return fmt.Errorf("umount: %d %s%s", code, stdout, stderr)
		}
		if code != 0 {
			m.fatal(t, "umount: %d %s%s", code, stdout, stderr)
		}
		return nil
	})
	if err != nil {
		m.fatal(t, "%v", err)
	}
	waitProcess(m.t, pid)
	m.pid = 0
	m.deserted(t)
	seen, err := treeOf(filepath.Join(m.root, m.dir))
	if err != nil {
		m.fatal(t, "%v", err)
	}
	for path := range seen {
		if strings.Contains(path, ".ftpfs-") {
			m.litter++
			delete(seen, path)
		}
	}
	if text := m.differ(seen); text != "" {
		m.fatal(t, "the server has other files than were written: %s", text)
	}
	if err := os.RemoveAll(filepath.Join(m.root, m.dir)); err != nil {
		m.fatal(t, "%v", err)
	}
	m.remount()
}
