package ftpfs_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// fioFiles are read at the same time: in order and at random, through the kernel's
// memory and around it.
var fioFiles = []struct{ name, way string }{
	{"inorder", "--rw=read --bs=128k"},
	{"inorder-direct", "--rw=read --bs=256k --direct=1"},
	{"random", "--rw=randread --bs=4k"},
	{"random-direct", "--rw=randread --bs=64k --direct=1"},
}

// fioJobs are the arguments that make fio go through its files, whose blocks carry
// checksums and their places.
func fioJobs(options string, way func(i int) string) []string {
	args := strings.Fields("--ioengine=psync --thread --size=24m --verify=crc32c --verify_interval=4k --verify_fatal=1 " + options)
	for i, f := range fioFiles {
		args = append(args, "--name="+f.name, "--filename="+f.name)
		args = append(args, strings.Fields(way(i))...)
	}
	return args
}

// What fio has written to vsftpd's disk comes through connections that break, whole. Reads
// that met nothing else may fail.
func TestFioVerifiesOverBreakingConnections(t *testing.T) {
	t.Parallel()
	length := breakingTime(t)
	disk := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	lay := exec.Command("fio", fioJobs("--do_verify=0", func(int) string { return "--rw=write --bs=128k" })...)
	lay.Dir = disk.Root
	if out, err := lay.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := disk.Own(); err != nil {
		t.Fatal(err)
	}
	server := ftptest.Start(t, ftptest.Options{
		Upstream: disk.Addr, User: disk.User, Password: disk.Password, Fs: afero.NewBasePathFs(afero.NewOsFs(), disk.Root),
	})
	config := ftpclient.Config{Addr: server.Addr(), User: disk.User, Password: disk.Password, Timeout: silence}
	m := fusetest.Server(t, config, ftpfs.Options{CacheBytes: 32 << 20})
	results := t.TempDir()
	fio := start(t, m, fmt.Sprintf(`
n=0 seed=$RANDOM
until [ $SECONDS -ge %d ]; do
	fio --output-format=json --output=%s/$((++n)) --randseed=$((seed + n)) %s || [ $? = 1 ]
done`, int(length.Seconds()), results, strings.Join(fioJobs("--readonly --continue_on_error=read", func(i int) string { return fioFiles[i].way }), " ")))
	begun, broken := breakTransfers(server, rand.New(rand.NewPCG(rand.Uint64(), 0)), length)
	out, err := fio.wait(length + 5*time.Minute)
	if err != nil || strings.Contains(out, "verify") {
		t.Fatalf("%v\n%s", err, out)
	}
	reads, bytes, failed := fioResults(t, results)
	t.Logf("%d reads of %d bytes, %d errors, %d transfers, %d of them ended early", reads, bytes, failed, begun, broken)
	if begun < 2 || broken == 0 {
		t.Errorf("%d transfers, %d of them ended early", begun, broken)
	}
	if least := int64(len(fioFiles)) * 24 << 20; bytes < least {
		t.Errorf("%d bytes were read and verified, not even all files once", bytes)
	}
}

// fioResults adds up what runs of fio have written to dir.
func fioResults(t *testing.T, dir string) (reads, bytes, failed int64) {
	t.Helper()
	runs, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range runs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var run struct {
			Jobs []struct {
				Name   string `json:"jobname"`
				Error  syscall.Errno
				Errors int64 `json:"total_err"`
				Read   struct {
					Bytes int64 `json:"io_bytes"`
					Reads int64 `json:"total_ios"`
				}
			}
		}
		text = text[max(0, strings.IndexByte(string(text), '{')):] // words may come before
		if err := json.Unmarshal(text, &run); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, j := range run.Jobs {
			if j.Error == syscall.EILSEQ { // as fio calls a checksum that is wrong
				t.Errorf("%s: wrong bytes", j.Name)
			}
			reads, bytes, failed = reads+j.Read.Reads, bytes+j.Read.Bytes, failed+j.Errors
		}
	}
	return reads, bytes, failed
}
