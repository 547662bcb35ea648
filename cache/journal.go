package cache

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
)

// The journal of a dirty file is a local file of lines beside it: first its
// state, then each change. It is made before the first change and removed when
// the file is clean. Changes are written down when the data is written, so that
// after a line there is its data, unless the machine itself has stopped.
type journalLine struct {
	Boot   string  `json:"boot,omitempty"` // of the machine, with a state
	State  *state  `json:"state,omitempty"`
	Synced bool    `json:"synced,omitempty"` // the data is durable
	Loose  bool    `json:"loose,omitempty"`  // the checksums of what is dirty may be wrong from now on
	Change *change `json:"change,omitempty"`
	Gone   *int64  `json:"gone,omitempty"` // a clean block that is here no more
	Path   []byte  `json:"path,omitempty"`
	Note   []byte  `json:"note,omitempty"`
}

// bootID tells one run of the machine from another.
var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // "" is like no other run
	return strings.TrimSpace(string(id))
})

// journalName is what the journal of a local file is called.
func journalName(local string) string { return "j" + strings.TrimPrefix(local, "f") }

// Journal stores note with f: after a crash, Resume returns it with the changes
// made to f. It replaces an earlier note. For a clean f it waits in memory for
// the first change. Blocks for the local disk, not until it is durable.
func (f *File) Journal(note []byte) error {
	if err := f.beginIO(); err != nil {
		return err
	}
	defer f.endIO()
	f.note = note
	if _, dirty := f.Dirty(); !dirty {
		return nil
	}
	return f.log(journalLine{Note: note})
}

// Sync makes the changes to f, with the note, durable: they survive a crash of
// the machine. It blocks for the local disk. Where nothing survives the process
// it does nothing.
func (f *File) Sync() error {
	if err := f.beginIO(); err != nil {
		return err
	}
	defer f.endIO()
	if _, dirty := f.Dirty(); !dirty || !f.files.lasting || f.synced && !f.stale {
		return nil
	}
	if fd, err := f.existing(); err != nil {
		return err
	} else if fd != nil {
		if err := fd.Sync(); err != nil {
			return err
		}
	}
	if err := f.sum(); err != nil {
		return err
	}
	f.stale = true
	if err := f.log(journalLine{Synced: true}); err != nil || f.journal == nil {
		return err
	}
	err := errors.Join(f.journal.Sync(), f.files.dir.sync())
	f.synced = err == nil
	f.durable = f.durable || f.synced
	return err
}

// SyncNote makes the note durable, if the changes to f are by an earlier Sync. Blocks for the
// local disk.
func (f *File) SyncNote() error {
	if err := f.beginIO(); err != nil {
		return err
	}
	defer f.endIO()
	return f.harden()
}

// Park is Close for what could not be uploaded: after the last one, changes
// stay on the disk for the Resume of a later process. Nobody finds them here.
func (f *File) Park() error {
	f.files.mu.Lock()
	f.parked = true
	f.files.mu.Unlock()
	return f.Close()
}

// openJournal makes sure, before f changes, that it has a journal which lacks
// nothing, and whose checksums do not make damage of a change without its line.
// What is clean may look damaged: the server has it. io is held.
func (f *File) openJournal() error {
	if f.journal != nil && !f.stale && !f.sealed {
		return nil
	}
	if err := f.log(journalLine{Loose: f.sealed}); err != nil {
		return err
	}
	wasSealed := f.sealed
	f.sealed = false
	if wasSealed {
		return f.harden()
	}
	return nil
}

// harden makes the journal durable, if it says what a crash of the machine would
// leave: before the data changes behind its back. io is held.
func (f *File) harden() error {
	if !f.durable || f.journal == nil {
		return nil
	}
	return f.journal.Sync()
}

// log appends a line to the journal of f, or its whole state if the journal
// lacks more than that. Nothing is written for what has no name any more. io
// is held.
func (f *File) log(l journalLine) error {
	s := f.files
	if !s.lasting {
		return nil
	}
	s.mu.Lock()
	if s.index[f.path] != f {
		s.mu.Unlock()
		return nil
	}
	if f.journal == nil && !f.journaled || f.stale {
		l = journalLine{Boot: bootID(), State: f.state(), Synced: l.Synced, Loose: l.Loose, Note: f.note}
		f.sealed = len(f.dirty) > 0
		for no, b := range f.blocks {
			_, summed := l.State.Sums[no]
			b.told = summed || l.State.Unsure[no]
		}
	}
	s.mu.Unlock()
	text := appendLine(nil, l)
	err := f.appendJournal(text)
	f.stale, f.synced = err != nil, false
	return err
}

// appendJournal writes one line, whole or not at all.
func (f *File) appendJournal(text []byte) error {
	s := f.files
	name := journalName(f.name)
	if f.journal == nil {
		fd, err := s.dir.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		end, err := fd.Seek(0, 2)
		if err != nil {
			fd.Close()
			return err
		}
		f.journal, f.journalEnd = fd, end
		s.mu.Lock()
		f.journaled = true
		s.mu.Unlock()
	}
	if _, err := s.pwrite(f.journal, text, f.journalEnd); err != nil {
		f.journal.Truncate(f.journalEnd) // else the next line is written over it
		return err
	}
	f.journalEnd += int64(len(text))
	// Who has taken the name away meanwhile did not find a journal to remove.
	s.mu.Lock()
	gone := s.index[f.path] != f
	s.mu.Unlock()
	if gone {
		return f.files.dir.removeFile(name)
	}
	return nil
}

// state describes f. io and files.mu are held.
func (f *File) state() *state {
	st := newState()
	st.Tree, st.Path, st.Size, st.Block, st.Doubt = f.files.dir.tree(), []byte(f.path), f.size, f.files.blockSize, f.doubtful
	if f.versioned {
		v := f.version
		st.Version = &v
	}
	st.Present, st.Dirty = append(st.Present, f.present...), append(st.Dirty, f.dirty...)
	for no, b := range f.blocks {
		switch start, end := f.files.bounds(no); {
		case b.weight == 0 || !f.present.overlaps(start, end):
		case b.summed:
			st.Sums[no] = b.sum
		default:
			st.Unsure[no] = true
		}
	}
	return st
}

// moved writes down the new path of a file that was renamed with changes.
func (f *File) moved() {
	f.io.Lock()
	defer f.io.Unlock()
	f.files.mu.Lock()
	path, dirty := f.path, f.gen != f.clean
	f.files.mu.Unlock()
	if dirty {
		f.log(journalLine{Path: []byte(path)}) // else the next line says it
	}
}

// endJournal removes the journal of f, which is clean. io is held.
func (f *File) endJournal() {
	f.stale, f.synced, f.sealed, f.durable = false, false, false, false
	if f.journal != nil {
		f.journal.Close()
		f.journal = nil
	}
	f.files.mu.Lock()
	journaled := f.journaled
	f.journaled = false
	f.files.mu.Unlock()
	if journaled {
		f.files.dir.removeFile(journalName(f.name))
	}
}

// A journal that was read.
type journal struct {
	*state
	note  []byte
	stale bool // the state is not that of all lines
	torn  int  // bytes at the end that are no line
}

var (
	errDamaged  = errors.New("the journal is damaged")
	errUnsynced = errors.New("it was written shortly before the machine stopped")
)

// readJournal tells what a journal says, in a process of the machine's run
// boot; nil when it says that nothing was changed. After a crash of the machine
// only what was made durable counts.
func readJournal(data []byte, boot string) (*journal, error) {
	var now, sure *journal
	sameBoot := false
	bad, torn := parseLines(data, func(text []byte) bool {
		l, ok := parseJournalLine(text)
		switch {
		case !ok:
			return false
		case l.State != nil:
			now = &journal{state: l.State, note: l.Note}
			sameBoot = l.Boot == boot && boot != ""
			if l.Synced {
				sure = &journal{state: l.State.clone(), note: l.Note, stale: true}
			}
			if l.Loose {
				now.loosen()
			}
			return true
		case now == nil:
			return false
		}
		if l.Gone != nil && !now.lose(*l.Gone) {
			return false
		}
		if c := l.Change; c != nil {
			now.apply(*c)
			if sure != nil {
				sure.touch(*c)
				if c.Size < sure.Size { // what was cut off is not on the disk any more
					sure.apply(change{Size: c.Size})
				}
			}
		}
		for _, j := range []*journal{now, sure} {
			if j == nil {
				continue
			}
			if l.Path != nil {
				j.Path = l.Path
			}
			if l.Note != nil {
				j.note = l.Note
			}
			if l.Loose {
				j.loosen()
			}
		}
		return true
	})
	j := now
	if !sameBoot {
		j = sure
	}
	if j != nil {
		j.torn = torn
	}
	switch {
	case bad > 0:
		return now, errDamaged
	case now != nil && j == nil:
		return now, errUnsynced
	case j == nil, len(j.Dirty) == 0 && j.Version != nil && j.Size == j.Version.Size:
		return nil, nil
	}
	return j, nil
}

func parseJournalLine(text []byte) (l journalLine, ok bool) {
	if json.Unmarshal(text, &l) != nil || l.Change != nil && !l.Change.valid() {
		return l, false
	}
	if st := l.State; st != nil {
		if st.Sums == nil {
			st.Sums = make(map[int64]uint32)
		}
		if st.Unsure == nil {
			st.Unsure = make(map[int64]bool)
		}
		return l, st.valid()
	}
	return l, true
}
