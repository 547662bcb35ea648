package faults

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A table counts what came of the cells.
type table struct {
	mu                              sync.Mutex
	tried, failed                   map[key]int // by operation and fault, and by stage and fault
	cells, bad, succeeded, reported int
	errnos                          map[syscall.Errno]int
	stages                          []string
}

type key struct {
	row string
	f   fault
}

func newTable() *table {
	return &table{tried: map[key]int{}, failed: map[key]int{}, errnos: map[syscall.Errno]int{}}
}

// count takes a trial in that came to its end.
func (b *table) count(errno syscall.Errno) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errno == 0 {
		b.succeeded++
		return
	}
	b.reported++
	b.errnos[errno]++
}

// note takes a cell in, tried to its end or not.
func (b *table) note(c cell, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cells++
	stage := general(c.stage)
	if !slices.Contains(b.stages, stage) {
		b.stages = append(b.stages, stage)
	}
	for _, k := range []key{{c.op.name, c.fault}, {stage, c.fault}} {
		b.tried[k]++
		if failed {
			b.failed[k]++
		}
	}
	if failed {
		b.bad++
	}
}

// general names a stage without its command.
func general(s stage) string {
	name, _, _ := strings.Cut(s.name, " of ")
	for _, when := range []string{"before ", "after "} {
		if strings.HasPrefix(name, when) {
			if s.anew {
				return when + "a command of a new connection"
			}
			return when + "a command"
		}
	}
	return name
}

func (b *table) String() string {
	return b.summary() + "\n\n" + b.grid("operation", b.operations()) + "\n" + b.grid("stage", b.sorted())
}

func (b *table) operations() []string {
	var names []string
	for _, op := range operations {
		names = append(names, op.name)
	}
	return names
}

// sorted gives the stages in the order of a conversation.
func (b *table) sorted() []string {
	order := []string{
		"connect", "greeting", "before a command of a new connection", "after a command of a new connection", "data connect",
		"before a command", "begin", "first byte", "middle", "last byte", "after a command",
	}
	return slices.DeleteFunc(order, func(s string) bool { return !slices.Contains(b.stages, s) })
}

func (b *table) summary() string {
	var errnos []string
	for errno, n := range b.errnos {
		errnos = append(errnos, fmt.Sprintf("%s %d", name(errno), n))
	}
	slices.Sort(errnos)
	return fmt.Sprintf("%d cells, %d passed: in %d the operation succeeded all the same, in %d it told the truth by an errno (%s).",
		b.cells, b.cells-b.bad, b.succeeded, b.reported, strings.Join(errnos, ", "))
}

func name(errno syscall.Errno) string {
	switch errno {
	case syscall.EIO:
		return "EIO"
	case syscall.ETIMEDOUT:
		return "ETIMEDOUT"
	case syscall.EHOSTUNREACH:
		return "EHOSTUNREACH"
	case syscall.ENOSPC:
		return "ENOSPC"
	case syscall.EACCES:
		return "EACCES"
	}
	return errno.Error()
}

// grid is a table with a column for each fault, in the form of Markdown.
func (b *table) grid(what string, rows []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "| %s |", what)
	for _, f := range faults {
		fmt.Fprintf(&s, " %s |", f)
	}
	s.WriteString("\n|---|" + strings.Repeat("---|", len(faults)) + "\n")
	for _, row := range rows {
		fmt.Fprintf(&s, "| %s |", row)
		for _, f := range faults {
			tried, failed := b.tried[key{row, f}], b.failed[key{row, f}]
			switch {
			case tried == 0:
				s.WriteString(" |")
			case failed == 0:
				fmt.Fprintf(&s, " %d |", tried)
			default:
				fmt.Fprintf(&s, " **%d of %d** |", tried-failed, tried)
			}
		}
		s.WriteString("\n")
	}
	return s.String()
}

// markdown is docs/faults.md.
func (b *table) markdown() string {
	return `# What faults do

Written by ` + "`make test-faults`" + `. Each operation is tried with each fault at each stage of its conversation with
the server: once, so that trying again may help, and for as long as it lasts. The stages come from
what the operation sends on a healthy server, and the fault has to be met.

It has to end, and either to have succeeded in truth, or to say by its errno what is the matter: EIO,
ETIMEDOUT or EHOSTUNREACH for an outage, never that a file does not exist; ENOSPC or EACCES where the
server said so. Afterwards the mount works again and shows what the server has once it is unmounted;
what was written to a file is there also if its close failed. Nothing was sent twice that the server
may have done, no temporary file is left on it, no goroutine and no descriptor here.

` + b.summary() + `

The figures count cells that passed.

` + b.grid("operation", b.operations()) + `
` + b.grid("stage", b.sorted()) + `
- 421 is followed by the end of the connection; 425 to 550 are refusals. "Refused", "unreachable" and
  "silence" of connections are those of connecting.
- "Before" a command: the server has not seen it; "after" it: it was carried out, and its final reply
  is hit. "Begin" is the reply 150 of a transfer; the bytes are those of its data.
- What an operation waits for on new connections only, as the login and the first EPSV, is hit when all
  connections have just been cut. What is sent behind an answer, for the next operation, is no stage.
- "Drip" is a byte every 50 ms, which is slower than a reply may be.
- The operations are run on the embedded test server with passive data connections; symlink and readlink on
  proftpd. Of those with another server, active data connections or TLS every seventh cell is tried.
- statfs, forgetting and getattr of what is known need nothing of the server: with each fault of connecting
  they succeed at once.
`
}
