package main

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ftpfs/internal/ftptest"
)

// A contestant is a program with its settings.
type contestant struct {
	name    string
	about   string                   // one line for the report
	program string                   // file name looked for on the PATH
	version []string                 // arguments that make it print its version
	mount   func(j mountJob) mountBy // nil: a bare client, which the workload drives itself
	tracing bool                     // understands mountJob.trace
	needs   string                   // a flag that its --help has to tell; "" = none
	apart   bool                     // takes part only in workloads that name it
}

// mountJob is what a mount program is told.
type mountJob struct {
	server *ftptest.Server
	local  string // the server's directory on this machine's disk
	dir    string // mount point
	cache  string // empty directory for its cache
	trace  string // file for a log of the commands; "" = no log
}

// mountBy is a command that mounts in the foreground.
type mountBy struct {
	args []string // without the program
	env  []string
}

// The names that the report treats in a special way.
const (
	ours    = "ftpfs"
	oursTLS = "ftpfs TLS"
	ceiling = "FUSE ceiling"
)

// contestants are in the order of the report's columns.
var contestants = slices.Concat(ftpfsContestants, rcloneContestants,
	[]contestant{curlftpfs, lftp, curl, ceilingContestant})

func contestantNamed(name string) *contestant {
	for i := range contestants {
		if contestants[i].name == name {
			return &contestants[i]
		}
	}
	return nil
}

// find says where the program is and its version; "" when it is absent, or has not the flag it
// needs.
func (c *contestant) find(ctx context.Context) (file, version string) {
	var err error
	switch c.program {
	case ours:
		if file, err = filepath.Abs(ftpfsProgram); err == nil {
			_, err = os.Stat(file)
		}
	case "":
		file, err = os.Executable()
	default:
		file, err = exec.LookPath(c.program)
	}
	if err != nil {
		return "", ""
	}
	switch c.program {
	case "":
		return file, "of this program"
	case ours:
		if help, err := exec.CommandContext(ctx, file, "--help").Output(); err != nil || !strings.Contains(string(help), c.needs) {
			return "", ""
		}
		out, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
		return file, cmp.Or(strings.TrimSpace(string(out)), "unknown")
	}
	out, _ := exec.CommandContext(ctx, file, c.version...).CombinedOutput() // some exit with 1
	return file, versionIn(string(out))
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+\S*`)

// versionIn finds the number in what a program says of its version.
func versionIn(said string) string {
	if v := versionNumber.FindString(said); v != "" {
		return v
	}
	return "unknown"
}
