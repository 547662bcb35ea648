package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/netlab"
)

// soakEnv is how long TestSoakOverALossyLink works, as in 10m. It also makes TestSoak long.
const soakEnv = "FTPFS_TEST_SOAK"

// lossy is a link on which TCP has to send something again many times a minute.
var lossy = netlab.Link{RTT: 50 * time.Millisecond, Rate: 100e6, Loss: 0.005, Seed: 1}

// Many programs at a time do all that one does with files, for long, over a link that loses
// packets: nothing fails, everybody finds what he has written, the server has it in the end, and
// the mount does not grow.
func TestSoakOverALossyLink(t *testing.T) {
	s := soak{workers: 8, time: 3 * time.Second}
	if long := os.Getenv(soakEnv); long != "" {
		var err error
		if s.time, err = time.ParseDuration(long); err != nil {
			t.Fatal(err)
		}
		s.workers = 64
	}
	lab, err := netlab.New(lossy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	lab.Server.Do(func() error {
		s.server = ftptest.Real(t, "proftpd", ftptest.RealOptions{Addr: lab.Server.Addr})
		return nil
	})
	s.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return lab.Client.Dial(ctx, network, addr)
	}
	s.run(t, func(args ...string) {
		t.Helper()
		if out, errs, code := inLab(t, lab, args...); code != 0 {
			t.Fatalf("%v: %d %s%s", args, code, out, errs)
		}
	})
}

// The same without a network between: so many operations that what leaks one thing in
// a thousand would be seen.
func TestSoak(t *testing.T) {
	s := soak{workers: 8, operations: 100, server: ftptest.Real(t, "vsftpd", ftptest.RealOptions{})}
	if os.Getenv(soakEnv) != "" {
		s.workers, s.operations = 64, 100_000/64+1
	}
	s.dial = new(net.Dialer).DialContext
	s.run(t, func(args ...string) {
		t.Helper()
		t.Setenv("FTPFS_PASSWORD", s.server.Password)
		p := program{mount: mountServer}
		if code, out, errs := run(&p, args...); code != 0 {
			t.Fatalf("%v: %d %s%s", args, code, out, errs)
		}
	})
}

// soak is programs at work in a mount.
type soak struct {
	server     *ftptest.Server
	workers    int
	time       time.Duration // 0: until all operations are done
	operations int           // of each worker; 0: until the time is over
	dial       func(ctx context.Context, network, addr string) (net.Conn, error)

	dir, metrics string
	daemon       int
}

// What a mount may use, whatever is done in it. Each of the connections has a data connection,
// each file that is open a descriptor of the cache.
const (
	soakMemory      = raceMemory * 128 << 20 // bytes that are not on a disk
	soakDescriptors = 200                    // besides one for each worker
	soakGoroutines  = 300                    // besides two for each worker
)

// run mounts by program, which runs ftpfs, lets the workers work, and looks at the end.
func (s *soak) run(t *testing.T, program func(args ...string)) {
	s.dir = t.TempDir()
	cache := t.TempDir()
	log := filepath.Join(cache, "log")
	program("--cache-dir", cache, "--log-file", log, "--metrics", "127.0.0.1:0", "ftp://user@"+s.server.Addr+"/", s.dir)
	t.Cleanup(func() { endMount(t, s.dir) })
	s.daemon = daemonOf(t, s.dir)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	s.metrics = regexp.MustCompile(`http://[0-9.:]+/metrics`).FindString(string(text))

	before := s.look(t)
	want, peak := s.work(t)
	t.Logf("at first %v", before)
	t.Logf("at most  %v", peak)
	if peak.memory > soakMemory || peak.descriptors > soakDescriptors+s.workers || peak.goroutines > soakGoroutines+2*s.workers {
		t.Errorf("the mount has used too much: %v", peak)
	}
	rests := func(u usage) bool {
		return u.descriptors <= before.descriptors+40 && u.goroutines <= before.goroutines+40
	}
	var after usage
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if after = s.look(t); rests(after) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("the mount does not come to rest: %v", after)
			break
		}
	}
	t.Logf("at last  %v", after)

	program("umount", s.dir)
	eventually(t, "the end of the daemon", func() bool {
		syscall.Wait4(s.daemon, nil, syscall.WNOHANG, nil) // if it is a child of this process
		return errors.Is(syscall.Kill(s.daemon, 0), syscall.ESRCH)
	})
	s.compare(t, want)
	if text, err := os.ReadFile(log); err != nil || bytes.Contains(text, []byte("level=ERROR")) {
		t.Errorf("%v\n%s", err, text)
	}
}

// work lets the workers work, looking at the mount meanwhile, and returns the digest of each
// file that the server should have.
func (s *soak) work(t *testing.T) (want map[string]string, peak usage) {
	t.Helper()
	type result struct {
		out, errs bytes.Buffer
		err       error
	}
	begin := time.Now()
	results := make([]result, s.workers)
	done := make(chan struct{})
	for i := range results {
		r := &results[i]
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", soakWorkerEnv, s.dir, i, s.time, s.operations), "GODEBUG=asyncpreemptoff=1")
		cmd.Stdout, cmd.Stderr = &r.out, &r.errs
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		go func() {
			r.err = cmd.Run()
			done <- struct{}{}
		}()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for left := s.workers; left > 0; {
		select {
		case <-done:
			left--
		case <-tick.C:
			peak = peak.most(s.look(t))
		}
	}
	peak = peak.most(s.look(t))
	want = make(map[string]string)
	operations := 0
	for i := range results {
		r := &results[i]
		if r.err != nil {
			t.Errorf("worker %d: %v\n%s", i, r.err, r.errs.String())
			continue
		}
		var report soakReport
		if err := json.Unmarshal(r.out.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		operations += report.Operations
		for path, digest := range report.Files {
			want[path] = digest
		}
	}
	t.Logf("%d workers, %d operations, %d files are left, after %v", s.workers, operations, len(want), time.Since(begin).Round(time.Second))
	return want, peak
}

// compare looks whether the server has what the workers have left, and nothing else.
func (s *soak) compare(t *testing.T, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	err := filepath.WalkDir(s.server.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(s.server.Root, path)
		got[rel] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, digest := range want {
		if got[path] != digest {
			t.Errorf("%s: the server has %q instead of %q", path, got[path], digest)
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("%s: nobody has left it there", path)
	}
}

// usage is what a daemon uses.
type usage struct {
	memory                  int64 // bytes, but for what is on a disk
	descriptors, goroutines int
}

func (u usage) String() string {
	return fmt.Sprintf("%d MiB, %d descriptors, %d goroutines", u.memory>>20, u.descriptors, u.goroutines)
}

func (u usage) most(v usage) usage {
	return usage{max(u.memory, v.memory), max(u.descriptors, v.descriptors), max(u.goroutines, v.goroutines)}
}

// look asks the kernel and the metrics.
func (s *soak) look(t *testing.T) (u usage) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", s.daemon)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	u.memory = number(t, string(status), `RssAnon:\s*(\d+) kB`) << 10
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	u.descriptors = len(open)
	client := http.Client{Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answer, err := client.Get(s.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	u.goroutines = int(number(t, body.String(), `(?m)^go_goroutines (\d+)`))
	return u
}

// number is what the pattern's parentheses find.
func number(t *testing.T, text, pattern string) int64 {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	n, err := strconv.ParseInt(strings.Join(found[min(1, len(found)):], ""), 10, 64)
	if err != nil {
		t.Fatalf("%s in %s: %v", pattern, cmp.Or(text, "nothing"), err)
	}
	return n
}
