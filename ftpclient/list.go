package ftpclient

import (
	"strings"
	"time"
)

// A lineParser takes over the lines of one listing, in order.
type lineParser interface {
	line(l *collector, line string)
	end(l *collector) // after the last line
}

// mlsd reads the answer to MLSD (RFC 3659 section 7).
type mlsd struct{}

func (mlsd) line(l *collector, line string) {
	f, err := readFacts(line)
	switch {
	case err != nil:
		l.reject(line)
	case f.self:
	default:
		l.add(f.entry, line)
	}
}

func (mlsd) end(*collector) {}

// meaning is what one line of a LIST listing is.
type meaning uint8

const (
	strange meaning = iota // not understood
	child                  // an entry
	heading                // names no child: a total, the title of a column
	partial                // begins an entry that the next line completes
)

// hints are what a dialect may know of a listing before it reads it.
type hints struct {
	head []string  // the first lines
	now  time.Time // when the listing was made
}

// dialect is one of the forms in which servers write listings. RFC 959 leaves the form
// open. read returns what reads the lines of one listing, in order.
//
// Times are as the server's clock shows them (see unzoned), unless the form tells UTC.
type dialect struct {
	name string
	read func(h hints) func(line string) (Entry, meaning)
}

// dialects are all that are known; of those that understand a listing equally well the
// first counts.
var dialects = []dialect{
	{"EPLF", readEPLF},
	{"MacWebStar", readMac},
	{"Unix", readUnix},
	{"DOS", readDOS},
	{"NetWare", readNetWare},
	{"VMS", readVMS},
	{"MVS", readMVS},
	{"OS/400", readOS400},
	{"OS/2", readOS2},
	{"VxWorks", readVxWorks},
	{"wfFtp", readWfFtp},
}

// headLines is how many lines of a listing decide on its dialect.
const headLines = 50

// recogniser reads the answer to LIST in the dialect that leaves the fewest of the first
// lines strange. What one dialect cannot read is never read in another one within the same
// listing: a line that fits by chance would give a wrong entry.
type recogniser struct {
	now   time.Time
	head  []string                           // undecided so far
	read  func(line string) (Entry, meaning) // of the dialect, nil undecided
	begun string                             // the first half of an entry
}

func newRecogniser(now time.Time) *recogniser { return &recogniser{now: now} }

func (r *recogniser) line(l *collector, line string) {
	if r.read != nil {
		r.take(l, line)
		return
	}
	if r.head = append(r.head, line); len(r.head) == headLines {
		r.decide(l)
	}
}

func (r *recogniser) end(l *collector) {
	r.decide(l)
	r.abandon(l)
}

// decide takes over the head. Where no dialect found an entry in it the next lines may tell.
func (r *recogniser) decide(l *collector) {
	h := hints{r.head, r.now}
	best, most, children := readUnix, 0, 0
	for _, d := range dialects {
		read, understood, found := d.read(h), 0, 0
		for _, line := range r.head {
			_, m := read(line)
			if m != strange {
				understood++
			}
			if m == child {
				found++
			}
		}
		if understood > most {
			best, most, children = d.read, understood, found
		}
	}
	r.read = best(h)
	for _, line := range r.head {
		r.take(l, line)
	}
	if r.head = nil; children == 0 {
		r.read = nil
	}
}

// take takes over one line in the dialect that was chosen.
func (r *recogniser) take(l *collector, line string) {
	e, m := r.read(line)
	if m != child {
		r.abandon(l)
	}
	switch m {
	case strange:
		l.reject(line)
	case partial:
		r.begun = line
	case child:
		r.begun = ""
		l.add(e, line)
	}
}

// abandon counts an entry that was begun and not completed.
func (r *recogniser) abandon(l *collector) {
	if r.begun != "" {
		l.reject(r.begun)
	}
	r.begun = ""
}

// field returns the next run of non-blanks at or after from, and where it ends.
func field(s string, from int) (string, int) {
	for from < len(s) && s[from] == ' ' {
		from++
	}
	end := from
	for end < len(s) && s[end] != ' ' {
		end++
	}
	return s[from:end], end
}

// lastField returns the last run of non-blanks and what precedes it, without blanks at its
// end.
func lastField(s string) (rest, last string) {
	s = strings.TrimRight(s, " ")
	at := strings.LastIndexByte(s, ' ') + 1
	return strings.TrimRight(s[:at], " "), s[at:]
}
