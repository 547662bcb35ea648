package cache

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// A state is what has to be known of a local file to use it again.
type state struct {
	Tree    string           `json:"tree,omitempty"` // as private.tree
	Path    []byte           `json:"path"`
	Size    int64            `json:"size"`
	Version *Version         `json:"version,omitempty"` // what the server has
	Doubt   bool             `json:"doubt,omitempty"`   // and maybe of other bytes, too
	Present ranges           `json:"present,omitempty"`
	Dirty   ranges           `json:"dirty,omitempty"`
	Block   int64            `json:"block"`            // the size of blocks
	Sums    map[int64]uint32 `json:"sums,omitempty"`   // CRC-32C of what is present of each block with data
	Unsure  map[int64]bool   `json:"unsure,omitempty"` // blocks with data that no sum vouches for
}

// newState returns one whose maps can be written to.
func newState() *state {
	return &state{Sums: make(map[int64]uint32), Unsure: make(map[int64]bool)}
}

// clone returns a state that changes do not share with s.
func (s *state) clone() *state {
	c := *s
	c.Present, c.Dirty = append(ranges(nil), s.Present...), append(ranges(nil), s.Dirty...)
	c.Sums, c.Unsure = maps.Clone(s.Sums), maps.Clone(s.Unsure)
	return &c
}

// reblock describes the same file in blocks of another size, for which there
// are no checksums.
func (s *state) reblock(size int64) {
	old, blocks := s.Block, slices.AppendSeq(slices.Collect(maps.Keys(s.Sums)), maps.Keys(s.Unsure))
	s.Block, s.Sums, s.Unsure = size, make(map[int64]uint32), make(map[int64]bool)
	for _, o := range blocks {
		for no := o * old / size; no*size < min((o+1)*old, s.Size); no++ {
			if s.has(no) {
				s.Unsure[no] = true
			}
		}
	}
}

const (
	maxState  = 1 << 62 // more than any file has; blocks beyond it still can be counted
	maxBlock  = 1 << 40
	maxChange = 1 << 30 // more than is ever written at once
)

// valid tells whether s can be the state of any file.
func (s *state) valid() bool {
	if s.Size < 0 || s.Size > maxState || s.Block <= 0 || s.Block > maxBlock || s.Version != nil && s.Version.Size < 0 {
		return false
	}
	if n := len(s.Present); n > 0 && s.Present[n-1].end > s.Size {
		return false
	}
	for _, d := range s.Dirty {
		if !s.Present.contains(d.start, d.end) {
			return false
		}
	}
	for no := range s.Sums {
		if !s.has(no) {
			return false
		}
	}
	for no := range s.Unsure {
		if _, sum := s.Sums[no]; sum || !s.has(no) {
			return false
		}
	}
	return true
}

// has tells whether some of block no is present.
func (s *state) has(no int64) bool {
	return no >= 0 && no <= s.Size/s.Block && s.Present.overlaps(no*s.Block, min(s.Size, (no+1)*s.Block))
}

// A change is a write of N bytes at Off, or, with none, a cut or growth. It
// makes the file end at Size.
type change struct {
	Off  int64 `json:"off,omitempty"`
	N    int64 `json:"n,omitempty"`
	Size int64 `json:"size"`
}

func (c change) valid() bool {
	return c.Off >= 0 && c.N >= 0 && c.N <= maxChange && c.Size >= 0 && c.Size <= maxState && c.Off <= c.Size && c.Off+c.N <= c.Size
}

// dirties returns what a change makes dirty of a file of the given size: a gap
// before what was written, too.
func (c change) dirties(size int64) (start, end int64) {
	if c.N == 0 {
		return size, c.Size
	}
	return min(c.Off, size), c.Off + c.N
}

// touch is told that c may have been made to the blocks on the disk, or not.
func (s *state) touch(c change) {
	start, end := c.dirties(s.Size)
	start, end = min(start, end), max(start, end)
	for no := range s.Sums {
		if no*s.Block < end && (no+1)*s.Block > start {
			delete(s.Sums, no)
			s.Unsure[no] = true
		}
	}
}

// loosen is told that what is dirty may have changed.
func (s *state) loosen() {
	for no := range s.Sums {
		if s.Dirty.overlaps(no*s.Block, (no+1)*s.Block) {
			delete(s.Sums, no)
			s.Unsure[no] = true
		}
	}
}

// lose takes a clean block away. It answers false for one that is not clean.
func (s *state) lose(no int64) bool {
	if no < 0 || no > s.Size/s.Block || s.Dirty.overlaps(no*s.Block, (no+1)*s.Block) {
		return false
	}
	s.Present.remove(no*s.Block, (no+1)*s.Block)
	delete(s.Sums, no)
	delete(s.Unsure, no)
	return true
}

// apply makes a change.
func (s *state) apply(c change) {
	s.touch(c)
	start, end := c.dirties(s.Size)
	old := s.Size
	s.Size = c.Size
	s.Present.add(start, end)
	s.Dirty.add(start, end)
	s.Present.remove(c.Size, old)
	s.Dirty.remove(c.Size, old)
	for no := range s.Sums {
		if !s.has(no) {
			delete(s.Sums, no)
		}
	}
	for no := range s.Unsure {
		if !s.has(no) {
			delete(s.Unsure, no)
		}
	}
	for no := c.Off / s.Block; c.N > 0 && no*s.Block < c.Off+c.N; no++ {
		s.Unsure[no] = true
	}
}

func (r ranges) MarshalJSON() ([]byte, error) {
	pairs := make([][2]int64, len(r))
	for i, s := range r {
		pairs[i] = [2]int64{s.start, s.end}
	}
	return json.Marshal(pairs)
}

var errRanges = errors.New("no set of offsets")

func (r *ranges) UnmarshalJSON(text []byte) error {
	var pairs [][2]int64
	if err := json.Unmarshal(text, &pairs); err != nil {
		return err
	}
	*r = nil
	last := int64(-1)
	for _, p := range pairs {
		if p[0] <= last || p[1] <= p[0] {
			return errRanges
		}
		*r = append(*r, span{p[0], p[1]})
		last = p[1]
	}
	return nil
}

// A version is written with its time in seconds and nanoseconds: the years of
// servers are not those of JSON.
type writtenVersion struct {
	Size int64    `json:"size"`
	Time [2]int64 `json:"time"`
}

func (v Version) MarshalJSON() ([]byte, error) {
	return json.Marshal(writtenVersion{v.Size, [2]int64{v.ModTime.Unix(), int64(v.ModTime.Nanosecond())}})
}

func (v *Version) UnmarshalJSON(text []byte) error {
	var w writtenVersion
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*v = Version{w.Size, time.Unix(w.Time[0], w.Time[1]).UTC()}
	return nil
}
