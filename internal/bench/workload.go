package main

import "time"

// A workload is something that people do in a mount, and what is told of it. Each of its
// figures is a row of the report.
type workload struct {
	name    string
	on      network
	figures []figure
	limit   time.Duration // of one turn; 0 = turnTime
	runs    int           // most runs; 0 = what the command line says
	also    []string      // contestants that take part besides the mounts that always do
	instead []string      // contestants that take part; nil = the mounts that always do

	run  func(*turn) // in a mount
	lftp func(*turn) // by the bare client; nil = it cannot
	curl func(*turn)
}

const turnTime = 40 * time.Second

// A figure is one number that a turn gives.
type figure struct {
	title  string
	unit   unit
	floor  string  // what FTP allows, for the report
	target float64 // what ftpfs has to reach; 0 = nothing was said
	of     func(sample, *site) float64
}

// A unit says what a figure counts.
type unit string

const (
	roundTrips   unit = "round trips"
	shareOfLink  unit = "% of the link"
	shareOfFUSE  unit = "% of the ceiling" // of the figure that the ceiling reached in the same run
	mebibytes    unit = "MiB"
	microseconds unit = "µs"
	cpuTime      unit = "CPU ms"
)

// more tells whether more is better.
func (u unit) more() bool { return u == shareOfLink || u == shareOfFUSE }

// perItem counts the round trips of each of n items.
func perItem(title string, n int, floor string, target float64) figure {
	return figure{title, roundTrips, floor, target, func(s sample, at *site) float64 {
		return s.took.Seconds() / at.rtt.Seconds() / float64(n)
	}}
}

func ofLink(title string, bytes int64, target float64) figure {
	return figure{title, shareOfLink, "100", target, func(s sample, at *site) float64 {
		return 100 * float64(bytes) * 8 / s.took.Seconds() / at.rate
	}}
}

func ofCeiling(title string, bytes int64, target float64) figure {
	return figure{title, shareOfFUSE, "100", target, func(s sample, _ *site) float64 {
		return float64(bytes) / s.took.Seconds()
	}}
}

func peakMemory(title string, target float64) figure {
	return figure{title, mebibytes, "", target, func(s sample, _ *site) float64 { return float64(s.peak) / (1 << 20) }}
}

// processor counts the processor time of the mount program for each of n items.
func processor(title string, n float64) figure {
	return figure{title, cpuTime, "", 0, func(s sample, _ *site) float64 { return float64(s.cpu.Milliseconds()) / n }}
}

func micros(title string, n int, target float64) figure {
	return figure{title, microseconds, "", target, func(s sample, _ *site) float64 {
		return float64(s.took.Microseconds()) / float64(n)
	}}
}
