package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

// A keptMount is a mount whose cache directory outlives its daemon.
type keptMount struct {
	t          *testing.T
	url        string
	dir, cache string
	flags      []string
}

func keepMount(t *testing.T, url, user, password string, flags ...string) *keptMount {
	t.Helper()
	t.Setenv("FTPFS_PASSWORD", password)
	return keep(t, url, flags...)
}

// keep is keepMount with a password in the URL.
func keep(t *testing.T, url string, flags ...string) *keptMount {
	t.Helper()
	m := &keptMount{t: t, url: url, dir: t.TempDir(), cache: t.TempDir(), flags: flags}
	m.mount()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the mounts have logged:\n%s", ftptest.Tail(m.log()))
		}
		if thisHost().mounted(m.dir).ours() {
			if pid := findDaemon(t, m.dir); pid != 0 {
				m.kill()
			}
			thisHost().detach(m.dir)
		}
	})
	return m
}

func (m *keptMount) mount() {
	m.t.Helper()
	p := program{mount: mountServer}
	args := append(m.flags, "--timeout=5s", "--cache-dir", m.cache, "--log-file", filepath.Join(m.cache, "log"), m.url, m.dir)
	if code, stdout, stderr := run(&p, args...); code != 0 {
		m.t.Fatalf("%d %s%s", code, stdout, stderr)
	}
}

// kill ends the daemon as a crash does.
func (m *keptMount) kill() {
	m.t.Helper()
	pid := daemonOf(m.t, m.dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
	waitProcess(m.t, pid)
}

func (m *keptMount) unmount() {
	m.t.Helper()
	pid := daemonOf(m.t, m.dir)
	var p program
	if code, stdout, stderr := run(&p, "umount", m.dir); code != 0 {
		m.t.Errorf("umount: %d %s%s", code, stdout, stderr)
	}
	waitProcess(m.t, pid)
}

// left lists what mounts have left of files in the cache directory.
func (m *keptMount) left(pattern string) []string {
	names, err := filepath.Glob(filepath.Join(m.cache, "ftpfs-tree-*", pattern))
	if err != nil {
		m.t.Fatal(err)
	}
	return names
}

func (m *keptMount) log() string {
	text, _ := os.ReadFile(filepath.Join(m.cache, "log"))
	return string(text)
}

// beside runs a command in the mount that the mount's end may break.
func (m *keptMount) beside(command string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", `cd "$0" && eval "$1"`, m.dir, command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return cmd
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// What a killed mount had not uploaded is shown and uploaded by the next one.
func TestUploadsGoOnAfterAKill(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	files := server.Fs()
	big := strings.Repeat("0123456789abcdef", 200_000)
	before := time.Now().Add(-time.Hour)
	for path, data := range map[string]string{"/sub/big": big, "/sub/theirs": "old", "/sub/same": "old", "/sub/gone": "old"} {
		if err := errors.Join(afero.WriteFile(files, path, []byte(data), 0o644), files.Chtimes(path, before, before)); err != nil {
			t.Fatal(err)
		}
	}
	m := keepMount(t, "ftp://user@"+server.Addr()+"/sub", "user", "secret")
	shell(t, m.dir, "mkdir d; echo kept > d/kept")
	server.Refuse("STOR", "452 Full.", ftptest.Always)
	fails := func(text, dd string) {
		t.Helper()
		shell(t, m.dir, "if echo "+text+" | dd "+dd+" 2> /dev/null; then echo stored; exit 1; fi")
	}
	fails("new", "of=d/new")
	fails("XYZ", "of=big bs=1 seek=1000000 conv=notrunc")
	fails("mine", "of=theirs")
	fails("same", "of=same")
	fails("unwanted", "of=gone")
	shell(t, m.dir, "rm gone; mv d e 2> /dev/null || true")
	m.beside("exec 3> open; echo 'not closed' >&3; exec sleep 100")
	eventually(t, "the open file", func() bool { return shell(t, m.dir, "cat open 2> /dev/null || true") == "not closed\n" })
	m.kill()

	for path, data := range map[string]string{"/sub/theirs": "somebody else's", "/sub/same": "same\n"} {
		if err := afero.WriteFile(files, path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.mount()
	dir := strings.TrimSpace(shell(t, m.dir, "test -d e && echo e || echo d"))
	want := "new\nXYZ\nmine\nsame\nnot closed\n"
	if got := shell(t, m.dir, "cat "+dir+"/new; dd if=big bs=1 skip=1000000 count=4 2> /dev/null; cat theirs same open"); got != want {
		t.Errorf("the next mount shows %q, want %q", got, want)
	}
	if got := shell(t, m.dir, "ls; stat -c %s big"); !strings.Contains(got, "open") || strings.Contains(got, "gone") || !strings.HasSuffix(got, fmt.Sprintln(len(big))) {
		t.Errorf("listed: %s", got)
	}
	server.ClearFaults()
	expect := map[string]string{"/sub/" + dir + "/new": "new\n", "/sub/open": "not closed\n", "/sub/big": big[:1000000] + "XYZ\n" + big[1000004:], "/sub/theirs": "somebody else's", "/sub/same": "same\n", "/sub/" + dir + "/kept": "kept\n"}
	eventually(t, "the uploads", func() bool { return len(m.left("j*")) == 0 })
	m.unmount()
	for path, want := range expect {
		if got, err := afero.ReadFile(files, path); string(got) != want {
			t.Errorf("the server has %d bytes as %s, want %d, %v", len(got), path, len(want), err)
		}
	}
	beside, err := afero.Glob(files, "/sub/*.conflict-*")
	if err != nil || len(beside) != 1 || !strings.HasPrefix(beside[0], "/sub/theirs.conflict-") {
		t.Fatalf("%v, %v", beside, err)
	}
	if got, _ := afero.ReadFile(files, beside[0]); string(got) != "mine\n" {
		t.Errorf("beside: %q", got)
	}
	for _, pattern := range []string{"/sub/gone", "/sub/.ftpfs-*", "/sub/*/.ftpfs-*"} {
		if left, _ := afero.Glob(files, pattern); len(left) > 0 {
			t.Errorf("the server has %v", left)
		}
	}
	if log := m.log(); !strings.Contains(log, "going on with an upload of an earlier mount") {
		t.Errorf("logged: %s", log)
	}
}

// A mount that is killed at any step of an upload leaves the old version or the
// new one, and the next mount makes it the new one, once.
func TestKillAtEachStepOfAnUpload(t *testing.T) {
	const size = 2_000_000
	was, is := strings.Repeat("old.", size/4), strings.Repeat("new.", size/4)
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte(is), 0o600); err != nil {
		t.Fatal(err)
	}
	reply := func(verb string, class int) func(*ftptest.Embedded) *ftptest.Hold {
		return func(e *ftptest.Embedded) *ftptest.Hold { return e.HoldReply(verb, class) }
	}
	stall := func(verb string, n int64) func(*ftptest.Embedded) *ftptest.Hold {
		return func(e *ftptest.Embedded) *ftptest.Hold { return e.StallData(verb, n) }
	}
	for _, at := range []struct {
		step string
		hold func(*ftptest.Embedded) *ftptest.Hold
	}{
		{"STOR", reply("STOR", 1)}, {"data", stall("STOR", 300_000)}, {"stored", reply("STOR", 2)}, {"RNFR", reply("RNFR", 3)},
		{"renamed", reply("RNTO", 2)}, {"time", reply("MFMT", 2)}, {"tail", stall("APPE", 1_000_000)}, {"appended", reply("APPE", 2)},
	} {
		appends := at.step == "tail" || at.step == "appended"
		for what, command := range map[string]string{
			"new": "cp " + source + " file", "over": "cp " + source + " file",
			"change": "dd if=" + source + " of=file bs=4 seek=1000 count=1000 conv=notrunc 2> /dev/null",
			"append": "dd if=" + source + " of=file bs=64k oflag=append conv=notrunc 2> /dev/null",
		} {
			if appends != (what == "append") {
				continue
			}
			t.Run(at.step+" "+what, func(t *testing.T) {
				t.Parallel()
				server := ftptest.Start(t, ftptest.Options{})
				want := is
				switch what {
				case "change":
					want = was[:4000] + is[:4000] + was[8000:]
				case "append":
					want = was + is
				}
				if err := server.Fs().MkdirAll("/sub", 0o755); err != nil {
					t.Fatal(err)
				}
				if what != "new" {
					if err := afero.WriteFile(server.Fs(), "/sub/file", []byte(was), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				m := keep(t, "ftp://user:secret@"+server.Addr()+"/sub")
				if what == "append" { // so that the server is not put to the test in the middle
					shell(t, m.dir, "cp "+source+" other; echo tail >> other; rm other")
				}
				hold := at.hold(server)
				m.beside(command)
				await(t, hold)
				m.kill()
				hold.Release()
				m.mount()
				eventually(t, "the upload", func() bool { return len(m.left("j*")) == 0 })
				whole := want
				if got, _ := afero.ReadFile(server.Fs(), "/sub/file"); string(got) != want {
					// Who had not written all was killed, too.
					if whole = string(got); at.step != "STOR" && at.step != "data" || what == "change" || !strings.HasPrefix(want, whole) || len(whole)%4096 != 0 {
						t.Errorf("the server has %d bytes, not the %d that were written", len(got), len(want))
					}
				}
				if got := shell(t, m.dir, "cat file"); got != whole {
					t.Errorf("the mount shows %d bytes", len(got))
				}
				m.unmount()
				if all, _ := afero.Glob(server.Fs(), "/sub/*"); len(all) != 1 {
					t.Errorf("the server has %v", all)
				}
				if all, _ := afero.Glob(server.Fs(), "/sub/.*"); len(all) != 0 {
					t.Errorf("left behind: %v", all)
				}
			})
		}
	}
}

// What a mount has stored just before it was killed is not somebody else's version for
// the next one, though more was written meanwhile.
func TestKillBehindARename(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte("first and second"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, old := range map[string]string{"new": "", "over": "old version"} {
		t.Run(what, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			if old != "" {
				if err := afero.WriteFile(server.Fs(), "/file", []byte(old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret")
			hold := server.HoldReply("RNTO", 2)
			m.beside("cp " + source + " file")
			await(t, hold)
			f := m.changed("file", "third ", 6)
			m.kill()
			f.Close()
			hold.Release()
			m.mount()
			m.only(server, map[string]string{"file": "first third cond"})
			m.unmount()
		})
	}
}

// What somebody else stores in the second of an upload whose end a killed mount has not seen is
// not taken for what that has stored, though it has its size, or looks like the beginning of it.
func TestKillBeforeSomebodyElseStores(t *testing.T) {
	ours := strings.Repeat("ours", 15_000)
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte(ours), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, theirs := range map[string]string{"same size": strings.Repeat("them", 15_000), "shorter": "theirs"} {
		t.Run(what, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret")
			hold := server.HoldReply("RNTO", 2)
			m.beside("cp " + source + " file")
			await(t, hold)
			m.kill()
			hold.Release()
			info, err := server.Fs().Stat("/file")
			if err == nil {
				err = afero.WriteFile(server.Fs(), "/file", []byte(theirs), 0o644)
			}
			if err == nil {
				err = server.Fs().Chtimes("/file", info.ModTime(), info.ModTime())
			}
			if err != nil {
				t.Fatal(err)
			}
			m.mount()
			eventually(t, "the upload", func() bool { return len(m.left("j*")) == 0 })
			m.unmount()
			if got, err := afero.ReadFile(server.Fs(), "/file"); string(got) != theirs {
				t.Errorf("%d bytes were stored over it, or it is gone (%v)", len(got), err)
			}
			beside, err := afero.Glob(server.Fs(), "/file.conflict-*")
			if err != nil || len(beside) != 1 {
				t.Fatalf("%v, %v", beside, err)
			}
			if got, _ := afero.ReadFile(server.Fs(), beside[0]); string(got) != ours {
				t.Errorf("beside are %d bytes", len(got))
			}
		})
	}
}

// await waits until the server has stopped at hold.
func await(t *testing.T, hold *ftptest.Hold) {
	t.Helper()
	select {
	case <-hold.Reached():
	case <-time.After(20 * time.Second):
		t.Fatal("the step never came")
	}
}

// only checks that the server has nothing but these files, and the mount shows them.
func (m *keptMount) only(server *ftptest.Embedded, files map[string]string) {
	m.t.Helper()
	eventually(m.t, "the uploads", func() bool { return len(m.left("j*")) == 0 })
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(m.dir, name)); string(got) != want {
			m.t.Errorf("the mount shows %d bytes of %s, want %d (%v)", len(got), name, len(want), err)
		}
		if got, err := afero.ReadFile(server.Fs(), "/"+name); string(got) != want {
			m.t.Errorf("the server has %d bytes of %s, want %d (%v)", len(got), name, len(want), err)
		}
	}
	eventually(m.t, "nothing else", func() bool {
		all, err := afero.ReadDir(server.Fs(), "/")
		return err == nil && len(all) == len(files)
	})
}

// changed opens a file of the mount and writes to it.
func (m *keptMount) changed(name, text string, off int64) *os.File {
	m.t.Helper()
	f, err := os.OpenFile(filepath.Join(m.dir, name), os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(text), off); err != nil {
		m.t.Fatal(err)
	}
	return f
}

// A file that the server removed just before a kill is gone, also if something was
// written to it.
func TestKillDuringAnUnlink(t *testing.T) {
	for what, verb := range map[string]string{"open": "RNTO", "closed": "DELE"} {
		t.Run(what, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			if err := afero.WriteFile(server.Fs(), "/file", []byte(strings.Repeat("old.", 100_000)), 0o644); err != nil {
				t.Fatal(err)
			}
			m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret", "--write-back=1h")
			f := m.changed("file", "new", 1000)
			if what == "closed" {
				f.Close()
			}
			hold := server.HoldReply(verb, 2)
			m.beside("rm file")
			await(t, hold)
			m.kill()
			f.Close()
			hold.Release()
			m.mount()
			m.only(server, nil)
			m.unmount()
		})
	}
}

// A file that another one replaces just before a kill is not there beside it.
func TestKillWhileAWaitingFileIsReplaced(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	for path, data := range map[string]string{"/new": "new version", "/file": "old version"} {
		if err := afero.WriteFile(server.Fs(), path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret", "--write-back=1h")
	m.changed("file", "NEVER SEEN", 4).Close()
	stored := server.HoldReply("RNTO", 2)
	m.beside("mv new file")
	await(t, stored)
	renamed := server.HoldReply("RNTO", 2)
	stored.Release()
	await(t, renamed)
	m.kill()
	renamed.Release()
	m.mount()
	m.only(server, map[string]string{"file": "new version"})
	m.unmount()
}

// What has its name, but not all of its bytes, when a mount is killed, is a part of what
// the next one uploads.
func TestKillBehindAShortUpload(t *testing.T) {
	was := strings.Repeat("old.", 15_000)
	for what, old := range map[string]string{"new": "", "change": was} {
		t.Run(what, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			source, command, want := filepath.Join(t.TempDir(), "source"), "", was
			if err := os.WriteFile(source, []byte(was), 0o600); err != nil {
				t.Fatal(err)
			}
			command = "cp " + source + " file"
			if old != "" {
				if err := afero.WriteFile(server.Fs(), "/file", []byte(old), 0o644); err != nil {
					t.Fatal(err)
				}
				command, want = "printf new | dd of=file bs=1 seek=30000 conv=notrunc 2> /dev/null", was[:30_000]+"new"+was[30_003:]
			}
			m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret")
			server.EndData("STOR", 10_000, 1)
			hold := server.HoldReply("RNTO", 2)
			m.beside(command)
			await(t, hold)
			m.kill()
			if info, err := server.Fs().Stat("/file"); err != nil || info.Size() >= 60_000 {
				t.Fatalf("it was not cut short: %v, %v", info, err)
			}
			hold.Release()
			m.mount()
			m.only(server, map[string]string{"file": want})
			m.unmount()
		})
	}
}

// The trial by which a mount finds out whether the server appends is not left there.
func TestKillDuringATrial(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret")
	want := strings.Repeat("0123456789abcdef", 1<<17)
	f, err := os.Create(filepath.Join(m.dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	hold := server.HoldReply("APPE", 2)
	if _, err := f.WriteString(want); err != nil {
		t.Fatal(err)
	}
	await(t, hold)
	m.kill()
	f.Close()
	hold.Release()
	m.mount()
	m.only(server, map[string]string{"file": want})
	m.unmount()
}

// A mount that is killed while the old version of a file has stepped aside, on a
// server that does not rename over a file, loses neither version.
func TestKillWhileAFileIsReplaced(t *testing.T) {
	was := strings.Repeat("old.", 300_000)
	want := was[:1_000_000] + "X" + was[1_000_001:]
	for step, renames := range map[string]int{"aside": 1, "replaced": 2} {
		t.Run(step, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			if err := afero.WriteFile(server.Fs(), "/sub/file", []byte(was), 0o644); err != nil {
				t.Fatal(err)
			}
			m := keepMount(t, "ftp://user@"+server.Addr()+"/sub", "user", "secret")
			server.Refuse("RNTO", "553 Rename failed.", 1)
			hold := server.HoldReply("RNTO", 5)
			m.beside("printf X | dd of=file bs=1 seek=1000000 conv=notrunc 2> /dev/null")
			for range renames {
				await(t, hold)
				next := server.HoldReply("RNTO", 2)
				hold.Release()
				hold = next
			}
			await(t, hold)
			m.kill()
			hold.Release()
			m.mount()
			eventually(t, "the upload", func() bool { return len(m.left("j*")) == 0 })
			if got := shell(t, m.dir, "cat file"); got != want {
				t.Errorf("the mount shows %d bytes", len(got))
			}
			m.unmount()
			if got, err := afero.ReadFile(server.Fs(), "/sub/file"); string(got) != want {
				t.Errorf("the server has %d bytes (%v)", len(got), err)
			}
			if all, _ := afero.ReadDir(server.Fs(), "/sub"); len(all) != 1 {
				t.Errorf("the server has %v", all)
			}
		})
	}
}

// On real servers: whenever a mount is killed, what fsync has acknowledged is on
// the server, and nothing else is in its place but what was being written.
func TestKillWhileFilesAreWritten(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	data := bytes.Repeat([]byte("0123456789abcde\n"), 30_000)
	if err := os.WriteFile(source, data, 0o600); err != nil {
		t.Fatal(err)
	}
	const slots = 5
	bytesOf := func(i int) string { return string(data[:i*7919*11%400_000+1]) }
	slot := func(i int) string { return fmt.Sprint("f", i%slots) }
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} {
		t.Run(name, func(t *testing.T) {
			server := ftptest.Real(t, name, ftptest.RealOptions{})
			m := keepMount(t, "ftp://"+server.User+"@"+server.Addr+"/", server.User, server.Password)
			acked := filepath.Join(t.TempDir(), "acked")
			want, count := make(map[string]string), 0
			for round, more := range []int{1, 3, 6, 2} {
				m.beside(fmt.Sprintf("i=%d; while i=$((i+1)); do dd if=%s of=f$((i%%%d)) bs=$((i*7919*11%%400000+1)) count=1 conv=fsync 2> /dev/null || exit; echo $i >> %s; done", count, source, slots, acked))
				read := func() []string {
					text, _ := os.ReadFile(acked)
					return strings.Fields(string(text))
				}
				before := len(read())
				eventually(t, "some files", func() bool { return len(read()) >= before+more })
				time.Sleep(time.Duration(round*7) * time.Millisecond) // anywhere in the next ones
				m.kill()
				m.mount()
				eventually(t, "the uploads", func() bool { return len(m.left("j*")) == 0 })
				for _, line := range read()[before:] {
					if _, err := fmt.Sscan(line, &count); err != nil {
						t.Fatal(err)
					}
					want[slot(count)] = bytesOf(count)
				}
				// The next one was begun, or not: open(2) empties, write(2) fills, in requests
				// of whole pages.
				begun := slot(count + 1)
				got, err := os.ReadFile(filepath.Join(server.Root, begun))
				if next := bytesOf(count + 1); err == nil && (string(got) == next || len(got)%4096 == 0 && strings.HasPrefix(next, string(got))) {
					want[begun] = string(got)
				}
				for file, want := range want {
					got, err := os.ReadFile(filepath.Join(server.Root, file))
					if string(got) != want {
						t.Errorf("round %d: %s has %d bytes, want %d: %v", round, file, len(got), len(want), err)
					}
					if shown := shell(t, m.dir, "cat "+file); shown != want {
						t.Errorf("round %d: the mount shows %d bytes of %s, want %d", round, len(shown), file, len(want))
					}
				}
				count++
			}
			m.unmount()
			entries, err := os.ReadDir(server.Root)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if len(e.Name()) != 2 {
					t.Errorf("left behind: %s", e.Name())
				}
			}
		})
	}
}

// What is written through a mount to a file that an earlier one was removing is not removed.
func TestWriteAfterAKillDuringAnUnlink(t *testing.T) {
	server := ftptest.Start(t, ftptest.Options{})
	if err := afero.WriteFile(server.Fs(), "/file", []byte(strings.Repeat("old.", 100_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	m := keepMount(t, "ftp://user@"+server.Addr()+"/", "user", "secret", "--write-back=1h")
	m.changed("file", "new", 1000).Close()
	hold := server.HoldReply("DELE", 2)
	m.beside("rm file")
	await(t, hold)
	m.kill()
	hold.Release()
	server.Refuse("MLST", "451 Not now.", 1)
	m.mount()
	eventually(t, "a look", func() bool { return strings.Contains(m.log(), "451") })
	f := m.changed("file", "MORE", 2000)
	if err := f.Sync(); err == nil {
		all, _ := afero.Glob(server.Fs(), "/*")
		t.Errorf("stored, and the server has %q", all)
	}
	f.Close()
	eventually(t, "the uploads", func() bool { return len(m.left("j*")) == 0 })
	if all, err := afero.Glob(server.Fs(), "/file.conflict-*"); err != nil || len(all) != 1 {
		t.Errorf("the server has %q (%v)", all, err)
	}
	m.unmount()
}
