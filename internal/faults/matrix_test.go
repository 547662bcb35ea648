package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ftpfs/internal/ftptest"

	"go.uber.org/goleak"
)

var (
	all    = flag.Bool("all", false, "try all cells, not a sample")
	report = flag.String("report", "", "write the result of all cells to this file")
)

// lanes is how many cells are tried at a time: most of them wait for a silence to end.
const lanes = "24"

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if *all && os.Getenv(apartEnv) == "" {
		os.Exit(apart())
	}
	if *all {
		if err := quickPorts(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	flag.Set("test.parallel", lanes)
	code := m.Run()
	idle.end()
	endRealServers()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sampled is the part of the cells that are tried without -all.
const sampled = 240

func TestMatrix(t *testing.T) {
	descriptors := openFiles(t)
	table := newTable()
	t.Run("cells", func(t *testing.T) {
		for n, op := range operations {
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				every := max(1, op.every)
				if !*all {
					every = sampled * every
				}
				for i, c := range cells(t, op) {
					if (i+n)%every != 0 {
						continue
					}
					t.Run(strings.ReplaceAll(strings.TrimPrefix(c.String(), op.name+"/"), " ", "-"), func(t *testing.T) {
						t.Parallel()
						defer func() { table.note(c, t.Failed()) }()
						try(t, c, table)
					})
				}
			})
		}
	})
	if now := openFiles(t); now > descriptors+allowance() {
		t.Errorf("%d descriptors are open, %d before", now, descriptors)
	}
	t.Log("\n" + table.String())
	if *report != "" {
		if err := os.WriteFile(*report, []byte(table.markdown()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// allowance is for what the test has of each idle worker and real server: two pipes, and the process.
func allowance() int { return 3*(len(idle)+len(reals)) + 10 }

// cells gives all trials of an operation.
func cells(t *testing.T, op operation) []cell {
	var list []cell
	for _, s := range stages(t, op) {
		for _, f := range s.point.faults() {
			list = append(list, cell{op, s, f, false})
			if s.point != dialControl && s.point != dialData {
				list = append(list, cell{op, s, f, true})
			}
		}
	}
	return list
}

// trials are made of a cell until its fault is met. It rarely is not, when a listing ahead, begun
// late on a busy machine, has answered the operation.
const trials = 3

func try(t *testing.T, c cell, table *table) {
	for range trials {
		if errno, met := trial(t, c); met {
			table.count(errno)
			return
		}
	}
	t.Error("the fault was not met")
}

// trial is one, in which all must be right, whether the fault was met or not.
func trial(t *testing.T, c cell) (errno syscall.Errno, met bool) {
	w := newWorld(t, c.op)
	start := w.start()
	w.begin()
	w.server.Log().Reset()
	if c.stage.anew {
		w.cut()
	}
	times := ftptest.Always
	if c.once {
		times = 1
	}
	c.strike(w, times)
	errno, text := w.run()
	met = w.hits() > 0
	w.heal()
	w.settle()
	shown := w.shown()
	if c.op.watch == watchMode {
		tree, _ := w.served()
		shown[watchMode] = tree[watchMode]
	}
	done := c.op.done(start)
	switch {
	case errno == 0 && c.op.want != "" && text != c.op.want:
		t.Errorf("a lie: %q", text)
	case errno == 0 && !reflect.DeepEqual(shown, done):
		t.Errorf("success, but then there is %s", describe(shown))
	case errno == 0:
	case !slices.Contains(c.allowed(), errno):
		t.Errorf("%v (%d), not one of %v", errno, errno, c.allowed())
	case c.op.keeps && !reflect.DeepEqual(shown, done):
		t.Errorf("what was written is lost: there is %s", describe(shown))
	case !reflect.DeepEqual(shown, done) && !reflect.DeepEqual(shown, start):
		t.Errorf("neither done nor left undone: there is %s", describe(shown))
	}
	if again := repeated(w.server.Log()); len(again) > 0 {
		t.Errorf("sent again without a look whether it was done: %q", again)
	}
	w.finish()
	return errno, met
}

func describe(tree map[string]string) string { return text(tree) }

// repeated gives the commands that may not be sent again, since the server may have carried
// them out, and were, without the client's having looked meanwhile or having been refused.
func repeated(log *ftptest.Log) []string {
	once := []string{"RNTO", "DELE", "RMD", "MKD", "APPE", "SITE SYMLINK"}
	looks := []string{"MLST", "MLSD", "LIST", "STAT", "SIZE", "MDTM"}
	open := make(map[string]int) // sent and not refused: on which connection
	var again []string
	is := func(line string, of []string) bool {
		return slices.ContainsFunc(of, func(verb string) bool { return line == verb || strings.HasPrefix(line, verb+" ") })
	}
	for _, e := range log.Entries() {
		switch {
		case e.Sent && is(e.Line, looks):
			clear(open)
		case e.Sent && is(e.Line, once):
			if _, sent := open[e.Line]; sent {
				again = append(again, e.Line)
			}
			open[e.Line] = e.Conn
		case !e.Sent && len(e.Line) > 3 && (e.Line[0] == '4' || e.Line[0] == '5'):
			for line, conn := range open {
				if conn == e.Conn {
					delete(open, line)
				}
			}
		}
	}
	return again
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Real servers are shared by all cells.
var (
	realMu  sync.Mutex
	reals   = map[string]*ftptest.Server{}
	realDir string
)

func realServer(t *testing.T, name string) *ftptest.Server {
	t.Helper()
	realMu.Lock()
	defer realMu.Unlock()
	if s := reals[name]; s != nil {
		return s
	}
	if realDir == "" {
		var err error
		if realDir, err = os.MkdirTemp("", "ftpfs-faults-"); err != nil {
			t.Fatal(err)
		}
	}
	var opts ftptest.RealOptions
	if name == "proftpd" {
		opts.Directives = []string{"LoadModule mod_site_misc.c"} // makes links
	}
	dir := filepath.Join(realDir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := ftptest.NewReal(dir, name, opts)
	if err != nil {
		t.Fatal(err)
	}
	reals[name] = s
	return s
}

func endRealServers() {
	realMu.Lock()
	defer realMu.Unlock()
	for _, s := range reals {
		s.Close()
	}
	if realDir != "" {
		os.RemoveAll(realDir)
	}
}
