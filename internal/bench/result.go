package main

import (
	"encoding/json"
	"io"
	"time"
)

// A Result is all that one run of the program has found out.
type Result struct {
	Date        time.Time
	Machine     Machine
	RTT         time.Duration // of the link
	Rate        float64       // of the link, bit/s
	Loss        float64       `json:",omitzero"` // share of the packets that the link loses
	Contestants []Contestant
	Rows        []*Row
}

// A Contestant is a program with settings that was to take part.
type Contestant struct {
	Name, About string
	Version     string `json:",omitempty"` // "" = absent
}

// A Row compares the contestants in one figure.
type Row struct {
	Workload, Title string
	Server          string
	Network         network
	Unit            unit
	Floor           string  `json:",omitempty"` // what FTP allows
	Target          float64 `json:",omitempty"` // what ftpfs has to reach
	Cells           []*Cell
}

// A Cell is what a contestant reached in a row.
type Cell struct {
	Contestant string
	Values     []float64 `json:",omitempty"` // of each run
	Failure    string    `json:",omitempty"` // why there are no values
	Commands   tally     `json:",omitempty"` // FTP commands of a run of its own
}

func (r *Row) cell(contestant string) *Cell {
	for _, c := range r.Cells {
		if c.Contestant == contestant {
			return c
		}
	}
	return nil
}

// own is the cell that the target is for: that of ftpfs as it is, or in the one setting that
// the row is about.
func (r *Row) own() *Cell {
	if c := r.cell(ours); c != nil || len(r.Cells) != 1 {
		return c
	}
	return r.Cells[0]
}

// misses tells whether ftpfs does not reach the row's target.
func (r *Row) misses() bool {
	c := r.own()
	if r.Target == 0 || c == nil {
		return false
	}
	if len(c.Values) == 0 {
		return true
	}
	if r.Unit.more() {
		return median(c.Values) < r.Target
	}
	return median(c.Values) > r.Target
}

func (r *Result) writeJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "\t")
	return e.Encode(r)
}

func readJSON(from io.Reader) (*Result, error) {
	var r Result
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return nil, err
	}
	return &r, nil
}
