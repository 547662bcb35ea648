package main

import (
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"ftpfs/ftpfs"
)

// The daemon is this program, started again in a session of its own, with /dev/null for
// standard input and output and nothing secret in its arguments or environment. It reads
// its job from one pipe and reports once on another: that the mount answers, or why not.
const (
	daemonMark  = "FTPFS_DAEMON" // in the environment of the daemon alone
	daemonJob   = 3              // file descriptors
	daemonReady = 4
)

// report is what the process of a mount tells: as the daemon to the process that started it, why
// there is no mount, or with the code 0 that it answers; and later to those who ask it.
type report struct {
	Code     int
	Text     string
	Warnings []string        // from before it answered
	Status   *status         // of a mount, to who asks
	Profile  []byte          // in the form of pprof
	Verified *ftpfs.Verified // what is found in the cache
}

func isDaemon() bool { return os.Getenv(daemonMark) != "" }

// spawn starts the daemon and returns when its mount answers, or with its error.
func spawn(j job, stderr io.Writer) error {
	jobReader, jobWriter, err := os.Pipe()
	if err != nil {
		return fail(exitUnmount, "The background process cannot be started: %w.", err)
	}
	defer jobWriter.Close()
	readyReader, readyWriter, err := os.Pipe()
	if err != nil {
		jobReader.Close()
		return fail(exitUnmount, "The background process cannot be started: %w.", err)
	}
	defer readyReader.Close()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"ftpfs", j.Target.String(), j.MountPoint}
	cmd.Dir = "/"
	cmd.Env = append(withoutSecrets(os.Environ()), daemonMark+"=1")
	cmd.ExtraFiles = []*os.File{jobReader, readyWriter}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: !onAutofs(j.MountPoint)}
	err = cmd.Start()
	jobReader.Close()
	readyWriter.Close()
	if err != nil {
		return fail(exitUnmount, "The background process cannot be started: %w.", err)
	}
	defer onInterrupt(func() { cmd.Process.Signal(syscall.SIGTERM) })()

	// A failure to write shows as the lack of a report.
	gob.NewEncoder(jobWriter).Encode(j)
	jobWriter.Close()
	var r report
	if err := gob.NewDecoder(readyReader).Decode(&r); err != nil {
		return fail(exitUnmount, "The background process ended without a word (%v): try again with -f.", cmd.Wait())
	}
	if r.Code != 0 {
		cmd.Wait()
		return fail(r.Code, "%s", r.Text)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(stderr, "ftpfs:", printable(w))
	}
	return cmd.Process.Release()
}

// onAutofs tells whether dir is where autofs, or an automount unit of systemd, waits for a mount.
// Until that is there the kernel lets in only the process group of who was asked to make it: the
// daemon has to stay in ours, or waits for itself.
func onAutofs(dir string) bool {
	var space unix.Statfs_t
	return unix.Statfs(dir, &space) == nil && space.Type == unix.AUTOFS_SUPER_MAGIC
}

// daemonMain is the daemon's main function; it returns the exit code.
func (p *program) daemonMain() int {
	os.Unsetenv(daemonMark)
	syscall.CloseOnExec(daemonJob)
	syscall.CloseOnExec(daemonReady)
	jobReader := os.NewFile(daemonJob, "job")
	readyWriter := os.NewFile(daemonReady, "ready")
	var j job
	err := gob.NewDecoder(jobReader).Decode(&j)
	jobReader.Close()
	if err != nil {
		fmt.Fprintf(os.Stderr, "ftpfs: The variable %s is for the program's own use: unset it.\n", daemonMark)
		return exitUsage
	}
	answers := false
	var warned warnings
	err = p.serveLogged(j, &warned, func(log *slog.Logger) error {
		log.Info("mounted", "source", j.Target.String(), "on", j.MountPoint, "pid", os.Getpid())
		answers = true
		syscall.Setsid() // fails where it was started in a session of its own
		err := gob.NewEncoder(readyWriter).Encode(report{Warnings: warned.texts()})
		readyWriter.Close()
		return err
	})
	if err != nil && !answers {
		gob.NewEncoder(readyWriter).Encode(report{Code: exitCode(err), Text: err.Error()})
	}
	return exitCode(err)
}

// serveLogged is serve with the log that the job names; the daemon has no other.
func (p *program) serveLogged(j job, warned *warnings, ready func(*slog.Logger) error) error {
	f, err := flagsOf(j.Settings)
	if err != nil {
		return err
	}
	log, closeLog, err := openBackgroundLog(f, systemLogSocket)
	if err != nil {
		return err
	}
	defer closeLog()
	log = slog.New(warned.collect(log.Handler()))
	err = p.serve(j, log, func() error { return ready(log) })
	if err != nil {
		log.Error("ended", "error", err)
	} else {
		log.Info("unmounted", "on", j.MountPoint)
	}
	return err
}
