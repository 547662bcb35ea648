package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ftpfs/internal/netlab"
)

// How long a turn may take for being repeated. The whole table has to be done within a quarter
// of an hour.
const (
	slow     = time.Second
	slowOurs = 10 * time.Second
)

// bench runs what the options ask for and reports it.
func bench(ctx context.Context, o options) error {
	r := &runner{options: o, sites: make(map[string]*site), programs: make(map[string]string)}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return err
	}
	for _, w := range matching(o.names) {
		servers := o.servers
		if w.on == loopback {
			servers = servers[:1] // the machine is the limit, not the server
		}
		for _, server := range servers {
			if err := r.compare(ctx, w, server); err != nil {
				return err
			}
		}
	}
	return r.result.report(r.options)
}

// A runner runs workloads.
type runner struct {
	options
	dir      string   // for all files
	lock     *os.File // on dir
	lab      *netlab.Lab
	sites    map[string]*site  // by server and network
	programs map[string]string // files of the contestants that are there, by name
	result   Result
	turns    int
}

func (r *runner) open(ctx context.Context) (err error) {
	if r.dir, r.lock, err = scratch(); err != nil {
		return err
	}
	if r.lab, err = netlab.New(netlab.Link{RTT: r.rtt, Rate: r.rate, Loss: r.loss}); err != nil {
		return err
	}
	machine := thisMachine()
	if r.tcp != "" {
		if err := r.lab.SetTCP(r.tcp); err != nil {
			return err
		}
		machine.TCP = r.tcp
	}
	r.result = Result{Date: time.Now().UTC().Truncate(time.Second), Machine: machine, RTT: r.rtt, Rate: r.rate, Loss: r.loss}
	for i := range contestants {
		c := &contestants[i]
		if r.only != nil && !slices.Contains(r.only, c.name) {
			continue
		}
		file, version := c.find(ctx)
		r.result.Contestants = append(r.result.Contestants, Contestant{c.name, c.about, version})
		if file != "" {
			r.programs[c.name] = file
		} else {
			r.say("%s is absent", c.name)
		}
	}
	if len(r.programs) == 0 {
		return errors.New("none of the contestants is here")
	}
	return nil
}

func (r *runner) close() {
	for _, s := range r.sites {
		s.close()
	}
	if r.lab != nil {
		r.lab.Close()
	}
	os.RemoveAll(r.dir)
	r.lock.Close()
}

// say tells how it goes on.
func (r *runner) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// site starts the server unless it runs already.
func (r *runner) site(server string, on network) (*site, error) {
	key := server + " " + string(on)
	if s, ok := r.sites[key]; ok {
		return s, nil
	}
	lab := r.lab
	if on == loopback {
		lab = nil
	}
	s, err := newSite(r.dir, server, lab, r.options)
	if err == nil {
		r.sites[key] = s
	}
	return s, err
}

// compare lets the contestants take turns in a workload.
func (r *runner) compare(ctx context.Context, w *workload, server string) error {
	part := r.takingPart(w, server)
	if len(part) == 0 {
		return nil
	}
	at, err := r.site(server, w.on)
	if err != nil {
		return err
	}
	rows := make([]*Row, len(w.figures))
	for i, f := range w.figures {
		rows[i] = &Row{Workload: w.name, Title: f.title, Server: server, Network: w.on, Unit: f.unit, Floor: f.floor, Target: f.target}
	}
	r.result.Rows = append(r.result.Rows, rows...)
	r.say("%v %s, %s on %s: %s", time.Since(r.result.Date).Round(time.Second), w.name, server, w.on, w.figures[0].title)
	runs := r.runs
	if w.runs != 0 {
		runs = min(runs, w.runs)
	}
	if server != r.servers[0] {
		runs = 1
	}
	out := make(map[string]bool) // contestants that do not run again
	for range runs {
		for _, c := range part {
			if out[c.name] {
				continue
			}
			start := time.Now()
			s, _, err := r.turn(ctx, w, at, c, "")
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			limit := slow
			if c.name == ours || c.name == ceiling {
				limit = slowOurs
			}
			out[c.name] = err != nil || time.Since(start) > limit
			for i, f := range w.figures {
				r.note(rows[i], f, at, c.name, s, err)
			}
			r.sayTurn(rows, c.name, err)
		}
	}
	for _, row := range rows {
		if row.Unit == shareOfFUSE {
			relate(row)
		}
	}
	return r.traceAll(ctx, w, at, part, rows)
}

// takingPart gives the contestants of a workload that are here. After the first server, ftpfs
// is alone: its peers take most of the time.
func (r *runner) takingPart(w *workload, server string) []*contestant {
	var all []*contestant
	for i := range contestants {
		c := &contestants[i]
		var part bool
		switch {
		case r.programs[c.name] == "", server != r.servers[0] && c.program != ours:
		case w.instead != nil:
			part = slices.Contains(w.instead, c.name)
		case c.mount == nil:
			part = c.drive(w) != nil
		default:
			part = !c.apart || slices.Contains(w.also, c.name)
		}
		if part {
			all = append(all, c)
		}
	}
	return all
}

// drive gives the function by which the contestant does the workload.
func (c *contestant) drive(w *workload) func(*turn) {
	switch c.name {
	case lftp.name:
		return w.lftp
	case curl.name:
		return w.curl
	}
	return w.run
}

// turn lets a contestant do the workload once. With a trace its commands are logged there.
func (r *runner) turn(ctx context.Context, w *workload, at *site, c *contestant, trace string) (sample, tally, error) {
	limit := w.limit
	if limit == 0 {
		limit = turnTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.turns++
	name := fmt.Sprintf("w%d", r.turns)
	t := &turn{
		ctx: ctx, site: at, who: c, program: r.programs[c.name], name: name, trace: trace,
		scratch: filepath.Join(r.dir, name), local: filepath.Join(at.server.Root, name),
	}
	defer os.RemoveAll(t.scratch)
	defer os.RemoveAll(t.local)
	for _, dir := range []string{t.scratch, t.local} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return sample{}, nil, err
		}
	}
	if err := at.server.Own(); err != nil {
		return sample{}, nil, err
	}
	err := t.play(c.drive(w))
	return t.sample, t.commands, err
}

// note puts what a turn has measured into its row.
func (r *runner) note(row *Row, f figure, at *site, contestant string, s sample, err error) {
	cell := row.cell(contestant)
	if cell == nil {
		cell = &Cell{Contestant: contestant}
		row.Cells = append(row.Cells, cell)
	}
	if err != nil {
		cell.Failure, cell.Values = strings.ReplaceAll(err.Error(), r.dir+"/", ""), nil // one wrong byte is enough
		return
	}
	cell.Values = append(cell.Values, f.of(s, at))
}

func (r *runner) sayTurn(rows []*Row, contestant string, err error) {
	if err != nil {
		r.say("  %-18s %v", contestant, err)
		return
	}
	for _, row := range rows {
		values := row.cell(contestant).Values
		text := fmt.Sprintf("%.3g %s", values[len(values)-1], row.Unit)
		if row.Unit == shareOfFUSE { // which is not known yet
			text = fmt.Sprintf("%.3g MB/s", values[len(values)-1]/1e6)
		}
		r.say("  %-18s %s", contestant, text)
	}
}

// relate makes the speeds of a row shares of the ceiling's.
func relate(row *Row) {
	top := row.cell(ceiling)
	if top == nil {
		top = &Cell{}
	}
	speeds := slices.Clone(top.Values)
	for _, c := range row.Cells {
		c.Values = shares(c.Values, speeds)
	}
}

// traceAll lets those contestants run once more that can log their commands, without a clock.
func (r *runner) traceAll(ctx context.Context, w *workload, at *site, part []*contestant, rows []*Row) error {
	if r.traceDir == "" {
		return nil
	}
	if err := os.MkdirAll(r.traceDir, 0o755); err != nil {
		return err
	}
	for _, c := range part {
		if !c.tracing {
			continue
		}
		log, err := filepath.Abs(filepath.Join(r.traceDir, fmt.Sprintf("%s-%s-%s.log", w.name, at.server.Name, c.name)))
		if err != nil {
			return err
		}
		os.Remove(log)
		_, commands, err := r.turn(ctx, w, at, c, log)
		if err != nil {
			r.say("  %-18s trace: %v", c.name, err)
			continue
		}
		r.say("  %-18s %v", c.name, commands)
		rows[0].cell(c.name).Commands = commands
	}
	return ctx.Err()
}
