package ftpfs_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// A loggedMount is a mounted embedded server whose conversations are counted.
type loggedMount struct {
	*fusetest.Mount
	t      *testing.T
	server *ftptest.Embedded
	before map[int]line // the connections when the log was last cleared
}

func mountLogged(t *testing.T, files map[string]int) *loggedMount {
	t.Helper()
	server := ftptest.Start(t, ftptest.Options{})
	for name, size := range files {
		if err := afero.WriteFile(server.Fs(), name, pattern(name, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := &loggedMount{
		Mount: fusetest.Server(t, ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret", Timeout: time.Minute, Connections: several},
			ftpfs.Options{DirTTL: time.Hour}),
		t: t, server: server, before: make(map[int]line),
	}
	return m
}

// pattern is content that differs from file to file and from place to place.
func pattern(name string, size int) []byte {
	line := fmt.Sprintf("%s: some words that fill a line\n", name)
	return bytes.Repeat([]byte(line), size/len(line)+1)[:size]
}

// A line is the state of one control connection, as the log shows it.
type line struct {
	asked bool // a command has no reply yet
	spare bool // the server has told where it waits for the next data connection
}

func (l line) after(e ftptest.Entry) line {
	switch verb, _, _ := strings.Cut(e.Line, " "); {
	case e.Sent:
		l.asked = true
		if slices.Contains(transfers, verb) {
			l.spare = false
		}
	case verb == "229":
		return line{spare: true}
	default:
		l.asked = false
	}
	return l
}

var transfers = []string{"MLSD", "LIST", "RETR", "STOR", "APPE"}

// settle waits until every control connection is idle and has been told the address of its
// spare data connection.
func (m *loggedMount) settle() {
	m.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !m.settled() {
		if time.Now().After(deadline) {
			m.t.Fatalf("the connections do not come to rest: %+v\n%s", m.Client.Stats(), conversation(m.server.Log().Entries()))
		}
		time.Sleep(time.Millisecond)
	}
}

func (m *loggedMount) settled() bool {
	lines := m.now()
	for _, l := range lines {
		if l.asked || !l.spare {
			return false
		}
	}
	stats := m.Client.Stats()
	return stats.Idle == stats.Open && stats.Open == len(lines)
}

// now returns the state of all control connections.
func (m *loggedMount) now() map[int]line {
	lines := maps.Clone(m.before)
	for _, e := range m.server.Log().Entries() {
		lines[e.Conn] = lines[e.Conn].after(e)
	}
	return lines
}

// reset begins a new count, on connections at rest.
func (m *loggedMount) reset() {
	m.t.Helper()
	m.settle()
	m.before = m.now()
	m.server.Log().Reset()
}

// count runs a script on connections at rest and returns what it made the server hear.
func (m *loggedMount) count(script string) tally {
	m.t.Helper()
	m.reset()
	m.Run(script)
	m.settle()
	return m.tally()
}

// A tally is what was said during one operation.
type tally struct {
	entries []ftptest.Entry
	trips   map[string]int // writes that an operation waited for, by their verbs joined with "+"
}

// tally sums up the log, and checks what holds for every conversation.
func (m *loggedMount) tally() tally {
	m.t.Helper()
	c := tally{m.server.Log().Entries(), make(map[string]int)}
	type write struct{ conn, number int }
	var order []write
	verbs := make(map[write]string)
	repeated := make(map[string]bool)
	transfer := make(map[int]string) // of a connection, without its final reply so far
	for _, e := range c.entries {
		verb, _, _ := strings.Cut(e.Line, " ")
		if !e.Sent {
			if verb >= "2" && len(verb) == 3 {
				delete(transfer, e.Conn)
			}
			continue
		}
		// EPSV may leave when a download's data has ended.
		if t := transfer[e.Conn]; t != "" && (t == "STOR" || verb != "EPSV") {
			m.t.Errorf("%s on connection %d before the end of %s\n%s", verb, e.Conn, t, conversation(c.entries))
		}
		if slices.Contains(transfers, verb) {
			transfer[e.Conn] = verb
		}
		if slices.Contains(once, verb) {
			at := fmt.Sprint(verb, e.Conn)
			if repeated[at] || e.Write > 1 {
				m.t.Errorf("%s repeated on connection %d\n%s", verb, e.Conn, conversation(c.entries))
			}
			repeated[at] = true
		}
		w := write{e.Conn, e.Write}
		if verbs[w] == "" {
			order = append(order, w)
			verbs[w] = verb
		} else {
			verbs[w] += "+" + verb
		}
	}
	for _, w := range order {
		// Logins and spare data connections are made beside the operations.
		if verb := verbs[w]; verb != "EPSV" && w.number > 1 {
			// The time is asked for as long as all that were set had even seconds.
			c.trips[strings.Replace(verb, "SIZE+MDTM", "SIZE", 1)]++
		}
	}
	return c
}

var once = []string{"USER", "PASS", "TYPE", "PWD", "CWD", "FEAT"}

func conversation(entries []ftptest.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		if e.Sent {
			fmt.Fprintf(&b, "  %d > %3d  %s\n", e.Conn, e.Write, e.Line)
		} else {
			fmt.Fprintf(&b, "  %d <      %s\n", e.Conn, e.Line)
		}
	}
	return b.String()
}

type trips = map[string]int

const commit = "MFMT+RNFR+RNTO+SIZE+EPSV" // ends an upload
const commitMode = "MFMT+SITE+RNFR+RNTO+SIZE+EPSV"

// Each operation begins with connections at rest that have their spare data connections.
var operations = []struct {
	name    string
	files   map[string]int // on the server, with their sizes
	before  string         // not counted
	script  string         // $local is a directory outside of the mount
	want    trips
	perhaps trips // depends on timing: at most so many
	most    int   // round trips altogether
}{
	{
		name:  "ls -l of 1000 files",
		files: numbered("/d/f%d", 1000, 10), script: `test $(ls -l d | wc -l) = 1001`,
		want: trips{"MLSD": 1}, most: 2,
	},
	{
		name:  "stat of a deep path",
		files: map[string]int{"/a/b/c/d/e/f": 10}, script: `stat a/b/c/d/e/f`,
		want: trips{"MLSD": 5}, most: 7, // the root was listed by the mount
	},
	{
		name:  "a walk",
		files: walk, script: `test $(find . | wc -l) = 1111`,
		want: trips{"MLSD": 110}, most: 110,
	},
	{
		name:  "a second walk",
		files: walk, before: `find .`, script: `test $(find . -ls | wc -l) = 1111`,
	},
	{
		name:  "cat of a small file",
		files: map[string]int{"/f": 1024}, script: `cat f`,
		want: trips{"RETR": 1}, most: 1,
	},
	{
		name:  "cat of small files, one after another",
		files: numbered("/f%d", 8, 1024), script: `for i in {0..7}; do cat f$i; done`,
		want: trips{"RETR": 8}, most: 12,
	},
	{
		name:  "tar of small files",
		files: numbered("/d/f%d", 50, 1024), script: `test $(tar c d | tar t | wc -l) = 51`,
		want: trips{"MLSD": 1, "RETR": 50}, most: 51,
	},
	{
		name:  "cat of small files at the same time",
		files: numbered("/f%d", 8, 1024), script: `for i in {0..7}; do cat f$i & done; wait`,
		want: trips{"RETR": 8}, most: 12,
	},
	{
		name:  "reading again",
		files: numbered("/f%d", 3, 300_000), before: `cat f*`, script: `cat f*; tail -c 1000 f1`,
	},
	{
		name:   "reading what was written",
		before: `cp "$local/f0" new; echo line > line`, script: `cmp "$local/f0" new; test "$(cat line)" = line; ls -l`,
	},
	{
		name:  "a page of a large file",
		files: large, script: `dd if=large bs=4096 skip=7777 count=1 status=none`,
		want: trips{"REST+RETR": 1}, perhaps: early, most: 2,
	},
	{
		name:  "the end of a large file",
		files: large, script: `test "$(tail -c 1000 large | wc -c)" = 1000`,
		want: trips{"REST+RETR": 1}, perhaps: early, most: 2,
	},
	{
		name:   "cp of a new file",
		script: `cp "$local/f0" new`,
		want:   trips{"STOR": 1, commit: 1}, perhaps: refresh, most: 3,
	},
	{
		name:   "cp -r of new files, for each",
		script: `cp -r "$local" new`,
		want:   trips{"MKD": 1, "STOR": 20, commit: 20}, perhaps: trips{"MLSD": 13}, most: 20 * 27 / 10,
	},
	{
		name:   "cp -p with another mode and time",
		before: `echo > f; chmod 640 f`, script: `cp -p "$local/../private" private; test "$(stat -c '%a %Y' private)" = '600 981173106'`,
		want: trips{"STOR": 1, commitMode: 1}, perhaps: refresh, most: 3,
	},
	{
		name:  "rm",
		files: numbered("/f%d", 1, 10), script: `rm f0`,
		want: trips{"DELE": 1}, most: 1,
	},
	{
		name:  "rm of several files, for each",
		files: numbered("/f%d", 20, 10), script: `rm f*`,
		want: trips{"DELE": 20}, most: 24,
	},
	{
		name:  "mv",
		files: numbered("/f%d", 1, 10), script: `mv f0 g`,
		want: trips{"RNFR+RNTO": 1}, perhaps: refresh, most: 2,
	},
	{
		name:  "mv over a file",
		files: numbered("/f%d", 2, 10), script: `mv -f f0 f1`,
		want: trips{"RNFR+RNTO": 1}, most: 1,
	},
	{
		name:   "mkdir",
		script: `mkdir new`,
		want:   trips{"MKD": 1}, most: 1,
	},
	{
		name:  "sed -i",
		files: numbered("/f%d", 1, 10<<10), before: `chmod 640 f0`, script: `sed -i s/words/swords/ f0; grep -q swords f0`,
		want: trips{"RETR": 1, "STOR": 1, commitMode: 1, "RNFR+RNTO": 1}, perhaps: refresh, most: 7,
	},
	{
		// The shell does not look at what close says: the name is published
		// first, and the write fails if the server will not have it.
		name:   "echo > of a new file",
		script: `echo line > new`,
		want:   trips{"STOR": 2, commit: 2}, perhaps: refresh, most: 5,
	},
	{
		name:   "cat > of a new file",
		script: `head -c 3000000 /dev/zero | dd bs=1M iflag=fullblock status=none > new`,
		want:   trips{"STOR": 1, commit: 1}, perhaps: refresh, most: 3,
	},
	{
		name:  "echo > of another file's place",
		files: numbered("/f%d", 1, 100), script: `head -c 10000 /dev/zero > f0`,
		want: trips{"STOR": 1, commit: 1}, most: 2,
	},
	{
		name:   "touch of a new file",
		script: `touch new`,
		want:   trips{"STOR": 1, commit: 1}, perhaps: refresh, most: 3, // touch(1) duplicates the descriptor, too
	},
	{
		name:  "echo >> of a small file",
		files: numbered("/f%d", 1, 100), script: `echo line >> f0`,
		want: trips{"RETR": 1, "STOR": 1, commit: 1}, most: 3,
	},
	{
		name:  "echo >> once more",
		files: numbered("/f%d", 1, 100), before: `echo line >> f0`, script: `echo line >> f0; test "$(tail -n 1 f0)" = line`,
		want: trips{"STOR": 1, commit: 1}, most: 3,
	},
}

var (
	large   = map[string]int{"/large": 64 << 20}
	walk    = treeOf(10)
	refresh = trips{"MLSD": 1} // whether a name is free is asked anew when the listing is seconds old
	early   = trips{"NOOP": 1} // after a transfer that was ended early, when the server is slow to confirm it
)

// numbered are n files of the same size.
func numbered(name string, n, size int) map[string]int {
	files := make(map[string]int)
	for i := range n {
		files[fmt.Sprintf(name, i)] = size
	}
	return files
}

// treeOf has n directories of n directories of n-1 files, and a file beside every directory.
func treeOf(n int) map[string]int {
	files := make(map[string]int)
	for i := range n * n * n {
		files[fmt.Sprintf("/d%d/e%d/f%d", i/n/n, i/n%n, i%n)] = 10
	}
	return files
}

// localFiles makes a directory of 20 files of 4 KiB, and beside it a private one. It returns
// what gives its name to scripts.
func localFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	local := filepath.Join(dir, "files")
	if err := os.Mkdir(local, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		name := filepath.Join(local, fmt.Sprintf("f%d", i))
		if err := os.WriteFile(name, pattern(name, 4096), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	private := filepath.Join(dir, "private")
	if err := os.WriteFile(private, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(private, time.Time{}, time.Unix(981173106, 0)); err != nil {
		t.Fatal(err)
	}
	return "local='" + local + "'\n"
}

func TestRoundTrips(t *testing.T) {
	local := localFiles(t)
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			m := mountLogged(t, op.files)
			m.Run(local + op.before)
			got := m.count(local + op.script)
			all := 0
			for verbs, n := range got.trips {
				all += n
				if least, most := op.want[verbs], op.want[verbs]+op.perhaps[verbs]; n < least || n > most {
					t.Errorf("%d times %s, want %d to %d", n, verbs, least, most)
				}
			}
			for verbs, n := range op.want {
				if got.trips[verbs] == 0 {
					t.Errorf("%s never sent, want %d", verbs, n)
				}
			}
			if all > op.most {
				t.Errorf("%d round trips, want at most %d", all, op.most)
			}
			if op.most == 0 && len(got.entries) > 0 {
				t.Error("something was said where nothing is to be asked")
			}
			if t.Failed() {
				t.Logf("the conversation:\n%s", ftptest.Tail(conversation(got.entries)))
			}
		})
	}
}

// While the data of a transfer is on its way nothing is said on its control connection,
// however busy the mount is.
func TestSilenceDuringTransfers(t *testing.T) {
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, make([]byte, 1_000_000), 0o644); err != nil {
		t.Fatal(err)
	}
	for verb, script := range map[string]string{
		"RETR": `cat large`,
		"STOR": `cp '` + local + `' new`,
	} {
		t.Run(verb, func(t *testing.T) {
			m := mountLogged(t, map[string]int{"/large": 8 << 20, "/d/f": 10, "/e/f": 10})
			m.reset()
			stall := m.server.StallData(verb, 100_000)
			defer stall.Release()
			ended := make(chan error, 1)
			go func() {
				_, err := m.Try(script)
				ended <- err
			}()
			select {
			case <-stall.Reached():
			case err := <-ended:
				t.Fatalf("%s: %v before %s came to a halt", script, err, verb)
			}
			m.Run(`cat d/f; ls -l e; echo > f; mkdir g; mv f g; rm g/f`)
			entries := m.server.Log().Entries()
			at := slices.IndexFunc(entries, func(e ftptest.Entry) bool { return e.Sent && strings.HasPrefix(e.Line, verb) })
			for _, e := range entries[at+1:] {
				if e.Conn == entries[at].Conn && e.Sent {
					t.Errorf("%q during %s\n%s", e.Line, verb, conversation(entries))
				}
			}
			stall.Release()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", script, err)
			}
			m.settle()
			m.tally()
		})
	}
}
