package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ftpfs/internal/ftptest"
)

// builtEnv names a program that is tried in the place of this one, which takes more memory under
// the race detector.
const builtEnv = "FTPFS_TEST_BUILT"

// A foreground is the program in a process of its own, with -f.
type foreground struct {
	t     *testing.T
	cmd   *exec.Cmd
	dir   string
	mu    sync.Mutex
	said  bytes.Buffer
	ended chan struct{}
}

// startForeground mounts a place on a server, "host:port/dir", in a process of its own and returns
// when it says that it is mounted, or when the process has ended. The mount is in the table a
// moment before, when its process cannot be asked yet.
func startForeground(t *testing.T, place string, flags ...string) *foreground {
	t.Helper()
	f := &foreground{t: t, dir: mountPoint(t), ended: make(chan struct{})}
	args := append([]string{"-f", "--debug", "--timeout=2s", "--cache-dir", t.TempDir()}, flags...)
	f.cmd = exec.Command(cmp.Or(os.Getenv(builtEnv), testBinary(t, "ftpfs")), append(args, "ftp://user:secret@"+place+"/", f.dir)...)
	f.cmd.Stdout, f.cmd.Stderr = f, f
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { f.cmd.Wait(); close(f.ended) }()
	t.Cleanup(func() {
		f.cmd.Process.Kill()
		<-f.ended
		if t.Failed() {
			t.Logf("said: %s", ftptest.Tail(f.text()))
		}
	})
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(f.text(), " msg=mounted "); time.Sleep(5 * time.Millisecond) {
		select {
		case <-f.ended:
			return f
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("neither mounted nor ended")
		}
	}
	return f
}

func (f *foreground) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.Write(p)
}

func (f *foreground) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.String()
}

// peak is the most memory that the process has had, in bytes. For one that has ended it is 0 when
// that is not known: the kernel counts also what this process had when it started that one.
func (f *foreground) peak() int64 {
	f.t.Helper()
	select {
	case <-f.ended:
		peak := f.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		if peak <= f.peakOf("self") {
			return 0
		}
		return peak
	default:
		return f.peakOf(strconv.Itoa(f.cmd.Process.Pid))
	}
}

// peakOf is the most memory that a process in /proc has had, in bytes.
func (f *foreground) peakOf(process string) int64 {
	f.t.Helper()
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		f.t.Fatal(err)
	}
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		f.t.Fatalf("no peak in %s", status)
	}
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return kib << 10
}

// in runs a script in the mount; it has to end.
func (f *foreground) in(script string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "cd \"$0\" && "+script, f.dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, _ := cmd.CombinedOutput() // what fails tells it
	if ctx.Err() != nil {
		f.t.Errorf("%s: still running", script)
	}
	return string(out)
}

// mostTaken is what a hostile server may make the process of a mount take, in bytes: as much
// as a mount takes that reads fast, and half of it again.
func mostTaken() int64 {
	if os.Getenv(builtEnv) != "" {
		return 150 << 20
	}
	return raceMemory * 150 << 20
}

// repeats is a reply that never ends.
func repeats(verb, first, rest string) func(string, string) io.Reader {
	return func(said, _ string) io.Reader {
		if said != verb {
			return nil
		}
		return io.MultiReader(strings.NewReader(first), ftptest.Endless(rest))
	}
}

// Before there is a mount, a server that never stops talking ends the program, with a sentence.
func TestEndlessTalkers(t *testing.T) {
	gigabyte := strings.Repeat("x", 1<<16)
	for name, reply := range map[string]func(string, string) io.Reader{
		"greeting of many lines":  repeats(ftptest.Greeting, "", "220-hello\r\n"),
		"greeting without an end": repeats(ftptest.Greeting, "220 ", gigabyte),
		"greeting later":          repeats(ftptest.Greeting, "", "120 wait\r\n"),
		"greeting of zeros":       repeats(ftptest.Greeting, "", "\x00\x00\x00"),
		"login of many lines":     repeats("PASS", "230-", "hello\r\n"),
		"login of long lines":     repeats("PASS", "230-", strings.Repeat("x", 15000)+"\r\n"),
		"login of many replies":   repeats("PASS", "", "331 more\r\n"),
		"features":                repeats("FEAT", "211-\r\n", " FEATURE\r\n"),
		"PWD":                     repeats("PWD", "257 \"/", gigabyte),
		"EPSV":                    repeats("EPSV", "229-", gigabyte),
		"150":                     repeats("MLSD", "", "150 here\r\n"),
		"LIST":                    repeats("LIST", "150-", "here\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			features := []string{" MLST type*;"}
			if name == "LIST" {
				features = nil
			}
			f := startForeground(t, ftptest.StartLiar(t, ftptest.Lies{Reply: reply, Features: features}).Addr())
			select {
			case <-f.ended:
			default:
				t.Fatal("mounted")
			}
			last := f.text()[strings.LastIndex(strings.TrimSpace(f.text()), "\n")+1:]
			if code := f.cmd.ProcessState.ExitCode(); code != exitServer && code != exitLogin || !strings.HasPrefix(last, "ftpfs: 127.0.0.1:") || len(last) > 2000 {
				t.Errorf("%d %s", code, last)
			}
			if peak := f.peak(); peak > mostTaken() {
				t.Errorf("took %d MiB", peak>>20)
			}
		})
	}
}

const plainFile = "type=file;size=4;modify=20200101000000; "

// A hostileListing is a directory of a server, and what a script makes of it in the mount.
type hostileListing struct {
	text    string // the listing; after it
	endless string // this over and over
	script  string // run in the directory
	want    string // a regular expression for what it says
}

const outageWords = `(?s)^ls: .*(Input/output error|Connection timed out)\n$`

var hostileListings = map[string]hostileListing{
	"name":     {text: plainFile, endless: "n", script: "ls", want: outageWords},
	"line":     {endless: "x", script: "ls", want: outageWords},
	"zeros":    {endless: "\x00", script: "ls", want: outageWords},
	"blank":    {endless: "\r\n", script: "ls", want: outageWords},
	"nonsense": {endless: strings.Repeat("what?", 10_000) + "\r\n", script: "ls", want: outageWords},
	"itself":   {endless: "type=cdir;unique=" + strings.Repeat("u", 50_000) + "; .\r\n", script: "ls", want: outageWords},
	"facts":    {text: "type=file;", endless: "size=4;", script: "ls", want: outageWords},
	"names": {
		text: strings.Join([]string{"type=dir; .", "type=dir; ..", "type=dir; ../..", plainFile + "/etc/passwd", plainFile + "../secret", plainFile + "a/b", plainFile + "/", plainFile, plainFile + "nu\x00l",
			plainFile + strings.Repeat("n", 10_000), plainFile + strings.Repeat("n", 256), plainFile + strings.Repeat("m", 255), "type=pdir; evil", "type=cdir; evil", "type=dir ; evil", "evil",
			plainFile + "\x1b[31mred", plainFile + "\xff\xfe", plainFile + "a\nb", plainFile + "a\rb", plainFile + " ", plainFile + "*", plainFile + "-rf", plainFile + "..."}, "\r\n"),
		script: "ls -A --quoting-style=c | sed s/mmm*/m+/; cat '*' ./-rf ' ' ...",
		want:   `^"\\033\[31mred"\n" "\n"\*"\n"-rf"\n"\.\.\."\n"a\\nb"\n"a\\rb"\n"m\+"\n"\\377\\376"\ndatadatadatadata$`,
	},
	"twice": {
		text:   strings.Repeat(plainFile+"twice\r\ntype=dir; twice\r\ntype=OS.unix=slink:twice; twice\r\n", 3),
		script: "ls -A; find . -mindepth 1 | wc -l; rm -rf twice > /dev/null 2>&1; ls -d .",
		want:   `^twice\n1\n\.\n$`,
	},
	"sizes": {
		text: "type=file;size=9223372036854775807; a\r\ntype=file;size=9223372036854775808; b\r\ntype=file;size=18446744073709551616; c\r\ntype=file;size=-1; d\r\n" +
			"type=file;size=-9223372036854775808; e\r\ntype=file;size=1e9; f\r\ntype=file;size=4611686018427387905; g\r\ntype=file;size=4611686018427387904; h\r\n",
		script: "stat -c '%n %s' *; du -sb .; for f in *; do timeout 20 head -c 10 $f; timeout 20 tail -c 10 $f; done > /dev/null 2>&1; ls -d .",
		want:   `^a 0\nb 0\nc 0\nd 0\ne 0\nf 0\ng 0\nh 4611686018427387904\n\d+\t\.\n\.\n$`,
	},
	"times": {
		text: "type=file;modify=00000101000000; a\r\ntype=file;modify=99991231235959; b\r\ntype=file;modify=10000000101000000; c\r\ntype=file;modify=20200230000000; d\r\n" +
			"type=file;modify=20200101000000.99999999999999999999; e\r\ntype=file;modify=-1; x\r\ntype=file;modify=18991231235959; f\r\ntype=file;modify=22620412000000; g\r\n",
		script: "stat -c '%n %Y' *; ls -l > /dev/null",
		want:   `^a 0\nb 0\nc 0\nd 0\ne 1577836800\nf 0\ng \d+\n$`,
	},
	"links": { // the target of "long" is longer than any, and this server is of no help when it is asked
		text: "type=OS.unix=slink:/etc/passwd;size=4; passwd\r\ntype=OS.unix=slink:../../../../../../../../etc/passwd; up\r\ntype=OS.unix=slink:a; a\r\ntype=OS.unix=slink:c; b\r\n" +
			"type=OS.unix=slink:b; c\r\ntype=OS.unix=slink:./x/../../../..; out\r\ntype=OS.unix=slink:" + strings.Repeat("n/", 5000) + "; long\r\ntype=OS.unix=slink:../..\x00x; nul\r\ntype=OS.unix=slink:nul/etc/passwd; through\r\n",
		script: "for l in a b; do readlink $l; cat $l; done 2>&1 | sed 's/.*: //' | sort -u; for l in passwd up out long nul through; do readlink $l; cat $l 2>&1 | sed 's/.*: //'; done; find -L . > /dev/null 2>&1; ls -d .",
		want:   `^Too many levels of symbolic links\na\nc\n(Operation not permitted\n){3}(No such file or directory\n)(Operation not permitted\n)nul/etc/passwd\nOperation not permitted\n\.\n$`,
	},
	"modes": {
		text:   "type=file;size=4;UNIX.mode=7777; all\r\ntype=file;size=4;UNIX.mode=0o4755; set\r\ntype=OS.unix=chr-1/3;UNIX.mode=0666; null\r\ntype=dir;UNIX.mode=7777; dir\r\ntype=file;size=4;UNIX.mode=-1; bad\r\n",
		script: "stat -c '%n %A' *",
		want:   `^all -rwxrwxrwx\nbad -rw-r--r--\ndir drwxrwxrwx\nnull -rw-rw-rw-\nset -rwxr-xr-x\n$`,
	},
}

// A directory of a server may hold what it likes: the mount shows what can be a name, tells an
// outage where it cannot know, takes a bounded amount of memory, and goes on.
func TestHostileListings(t *testing.T) {
	t.Parallel()
	server := ftptest.StartLiar(t, ftptest.Lies{
		Features: []string{" MLST type*;size*;modify*;UNIX.mode*;", " SIZE", " REST STREAM", " UTF8"},
		Data: func(verb, path string) io.Reader {
			switch l, ok := hostileListings[strings.TrimPrefix(path, "/sub/")]; {
			case verb == "RETR":
				return ftptest.Endless("data") // whatever the size is
			case ok && l.endless != "":
				return io.MultiReader(strings.NewReader(l.text), ftptest.Endless(l.endless))
			case ok:
				return strings.NewReader(l.text)
			}
			var root strings.Builder
			for name := range hostileListings {
				fmt.Fprintf(&root, "type=dir;modify=20200101000000; %s\r\n", name)
			}
			return strings.NewReader(root.String())
		},
	})
	f := startForeground(t, server.Addr()+"/sub")
	for name, l := range hostileListings {
		out := f.in("cd " + name + " && { " + l.script + "; }")
		if !regexp.MustCompile(l.want).MatchString(out) || strings.Contains(out, "root:") {
			t.Errorf("%s: %.2000q", name, out)
		}
		if peak := f.peak(); peak > mostTaken() {
			t.Errorf("%s: %d MiB were taken", name, peak>>20)
		}
	}
	if out := f.in("ls | wc -l"); out != fmt.Sprintln(len(hostileListings)) {
		t.Errorf("afterwards: %s", out)
	}
	if said := f.text(); strings.Contains(said, "internal error") || strings.ContainsAny(said, "\x1b\x00\r") {
		t.Error("logged what acts on a terminal, or an internal error")
	}
}

// Whoever goes through directories that list without end, and whatever lists them ahead: no more
// is taken than for the largest directory that can be shown.
func TestEndlessDirectories(t *testing.T) {
	t.Parallel()
	server := ftptest.StartLiar(t, ftptest.Lies{
		Features: []string{" MLST type*;size*;modify*;"},
		Data: func(_, path string) io.Reader {
			if path == "/" {
				return strings.NewReader("type=dir; a\r\ntype=dir; b\r\ntype=dir; c\r\ntype=dir; d\r\n")
			}
			return ftptest.Endless(plainFile + strings.Repeat("n", 50_000) + "\r\n")
		},
	})
	f := startForeground(t, server.Addr())
	if out := f.in("find . > /dev/null"); strings.Count(out, "find: ") != 4 {
		t.Errorf("%.1000q", out)
	}
	if peak := f.peak(); peak > 4*mostTaken() {
		t.Errorf("%d MiB were taken", peak>>20)
	} else {
		t.Logf("%d MiB", peak>>20)
	}
	if out := f.in("ls"); out != "a\nb\nc\nd\n" {
		t.Errorf("afterwards: %q", out)
	}
}

// What acts on a terminal, in whatever a server says, reaches no terminal and no log.
func TestTerminalsAreSafe(t *testing.T) {
	const evil = "\x1b]0;title\a\x1b[2J\u009b31m\u202e\b\x7f\xff"
	answer := func(verb, _ string) io.Reader {
		switch verb {
		case ftptest.Greeting:
			return strings.NewReader("220-" + evil + "\r\n220 ready " + evil + "\r\n")
		case "SYST":
			return strings.NewReader("215 UNIX " + evil + "\r\n")
		case "STOR", "DELE", "SIZE", "SITE", "STAT", "HELP":
			return strings.NewReader("550 " + evil + "\r\n")
		}
		return nil
	}
	server := ftptest.StartLiar(t, ftptest.Lies{
		Reply:    answer,
		Features: []string{" MLST type*;size*;", " X" + evil, " SIZE", " CLNT " + evil},
		Data: dataOf(map[string]string{
			"/":        "type=dir; dir\r\ntype=file;size=4; f" + evil + "\r\ntype=OS.unix=slink:../" + evil + "; link" + evil + "\r\n",
			"/dir":     evil + "\r\n",
			"/" + evil: "type=cdir; .\r\n",
		}, "da"),
	})
	f := startForeground(t, server.Addr())
	f.in("ls -la; cat f* link*; ls dir; rm f*; echo x > $'new\\x1b[2J'; echo x > new; true")
	said := map[string]string{}
	for _, args := range [][]string{
		{"status", f.dir}, {"status", "--json", f.dir}, {"doctor", "--json", "--timeout=2s", "ftp://user:secret@" + server.Addr() + "/"}, {"list"}, {"cache", f.dir}, {"refresh", f.dir + "/" + evil}, {"umount", f.dir},
		{"doctor", "--timeout=2s", "ftp://user:secret@" + server.Addr() + "/"}, {"doctor", "--timeout=2s", "ftp://user:secret@" + server.Addr() + "/%1b[2J"},
		{"--timeout=2s", "--cache-dir", t.TempDir(), "ftp://user:secret@" + server.Addr() + "/dir", f.dir},
		{"ftp://" + evil + "@host/" + evil, "/nonexistent/" + evil}, {"--" + evil}, {evil, evil},
	} {
		var p program
		_, stdout, stderr := run(&p, args...)
		said[strings.Join(args, " ")] = stdout + stderr
	}
	select {
	case <-f.ended:
	case <-time.After(20 * time.Second):
		t.Error("not unmounted")
	}
	said["log"] = f.text()
	for _, what := range []string{"status " + f.dir, "log"} {
		if !strings.Contains(said[what], `\x1b[2J`) {
			t.Errorf("%s has met nothing evil: %.500q", what, said[what])
		}
	}
	for what, text := range said {
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(text) {
			t.Errorf("%q prints %.500q", what, text[max(0, i):])
		}
	}
}
