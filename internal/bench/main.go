// Bench measures ftpfs beside its peers: how many round trips, which share of the link, how
// much memory and processor time ordinary work in the mount takes.
//
//	go run ./internal/bench [flags]        (make bench, make bench BENCH=name)
//
// It starts real FTP servers on one side of a link with a known round-trip time and rate
// (package netlab), and on the other side, in turns, the contestants: ftpfs in several
// settings, other mount programs, and bare clients as the limit. Programs that are not
// installed are named as absent. What is read is compared with what the server has, what is
// written counts when the server's disk has all of it; a wrong byte is a failure, not a time.
//
// The unit is the round trip: figures of the rows on the link say little about the machine.
// The rows on loopback compare with the ceiling, a FUSE file system in memory measured in the
// same run.
//
// Everything happens in name spaces of its own: no mount and no process outlives it. It needs
// root, or a user with subordinate ids (newuidmap) who may open /dev/fuse.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// options is what the command line says.
type options struct {
	rtt      time.Duration
	rate     float64 // bit/s
	loss     float64 // probability that a packet is lost
	tcp      string  // congestion control on the link; "" = the machine's
	runs     int
	servers  []string
	names    []string // patterns of workloads; none = all
	only     []string // contestants; none = all
	list     bool
	json     bool
	traceDir string
	output   string // directory for the files of the result; "" = only printed
	readme   string // file that shows the charts; "" = none
	from     string // file with an earlier result; "" = measure
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == ceilingCommand {
		exit(serveCeiling(os.Args[2], os.Args[3]))
	}
	var o options
	var megabits float64
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.SortFlags = false
	f.DurationVar(&o.rtt, "rtt", 50*time.Millisecond, "round-trip `TIME` of the link")
	f.Float64Var(&megabits, "rate", 200, "rate of the link, a `NUMBER` of Mbit/s")
	f.Float64Var(&o.loss, "loss", 0, "share of the packets that the link loses, a `NUMBER` from 0 to 1")
	f.StringVar(&o.tcp, "tcp", "", "`NAME` of TCP's congestion control on the link, as in cubic (default the machine's)")
	f.IntVar(&o.runs, "runs", 3, "most runs of each contestant per row, a `NUMBER`; slow ones run once")
	f.StringSliceVar(&o.servers, "servers", []string{"vsftpd", "proftpd"}, "`NAMES` of servers: vsftpd, proftpd, pure-ftpd, pyftpdlib; all contestants meet the first, ftpfs the others once")
	f.StringSliceVar(&o.only, "contestants", nil, "`NAMES` of the contestants, as in ftpfs,'rclone full' (default all)")
	f.StringVar(&o.traceDir, "trace", "", "after the timed runs let ftpfs run once more and keep its logs in `DIR`; the result counts the commands")
	f.StringVar(&o.output, "output", "", "write results.json, README.md and the charts to `DIR`")
	f.StringVar(&o.readme, "readme", "", "with --output, show the charts in `FILE`, between its two marks")
	f.StringVar(&ftpfsProgram, "ftpfs", ftpfsProgram, "the ftpfs to measure, a `FILE`")
	f.StringVar(&o.from, "from", "", "measure nothing, report the results.json in `FILE`")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	f.BoolVar(&o.list, "list", false, "print the names of the workloads and contestants")
	f.Usage = func() {
		fmt.Fprintf(os.Stderr, "Usage: bench [flags] [workload ...]\n\n%s\nWorkloads may be patterns, as in 'cat-*'.\n", f.FlagUsages())
	}
	if err := f.Parse(os.Args[1:]); errors.Is(err, pflag.ErrHelp) {
		return
	} else if err != nil {
		exit(err)
	}
	o.rate = megabits * 1e6
	o.names = f.Args()
	if o.list {
		list(os.Stdout)
		return
	}
	if err := o.check(); err != nil {
		exit(err)
	}
	if o.from != "" {
		exit(reportFrom(o))
	}
	if err := isolate(); err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(bench(ctx, o))
}

// exit ends the program, with what is wrong if err says something.
func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func (o *options) check() error {
	switch {
	case o.rtt <= 0:
		return errors.New("--rtt has to be longer than 0: rows on loopback are measured in any case")
	case o.rate <= 0:
		return errors.New("--rate has to be more than 0: shares of the link are measured")
	case o.runs < 1:
		return errors.New("--runs has to be 1 or more")
	}
	for _, name := range o.names {
		if len(matching([]string{name})) == 0 {
			return fmt.Errorf("there is no workload %q, see --list", name)
		}
	}
	for _, name := range o.only {
		if contestantNamed(name) == nil {
			return fmt.Errorf("there is no contestant %q, see --list", name)
		}
	}
	return nil
}

// matching gives the workloads whose names match one of the patterns, all without patterns.
func matching(patterns []string) []*workload {
	var found []*workload
	for i := range workloads {
		w := &workloads[i]
		match := len(patterns) == 0
		for _, p := range patterns {
			ok, err := path.Match(p, w.name)
			match = match || (ok && err == nil)
		}
		if match {
			found = append(found, w)
		}
	}
	return found
}

func list(out *os.File) {
	fmt.Fprintln(out, "Workloads:")
	for _, w := range workloads {
		var titles []string
		for _, f := range w.figures {
			titles = append(titles, f.title)
		}
		fmt.Fprintf(out, "  %-16s %s\n", w.name, strings.Join(titles, "; "))
	}
	fmt.Fprintln(out, "Contestants:")
	for _, c := range contestants {
		fmt.Fprintf(out, "  %-16s %s\n", c.name, c.about)
	}
}
