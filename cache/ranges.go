package cache

import (
	"slices"
	"sort"
)

// A span is the half-open interval [start, end).
type span struct{ start, end int64 }

// ranges is a set of offsets: spans in order that neither overlap nor touch.
// Changes at its end cost the same however long it is; elsewhere they move
// the spans behind.
type ranges []span

// from returns the index of the first span that ends after off.
func (r ranges) from(off int64) int {
	return sort.Search(len(r), func(i int) bool { return r[i].end > off })
}

// contains tells whether all of [start, end) is in the set. Nothing always is.
func (r ranges) contains(start, end int64) bool {
	if start >= end {
		return true
	}
	i := r.from(start)
	return i < len(r) && r[i].start <= start && r[i].end >= end
}

// overlaps tells whether any of [start, end) is in the set.
func (r ranges) overlaps(start, end int64) bool {
	i := r.from(start)
	return start < end && i < len(r) && r[i].start < end
}

// gap returns the first part of [start, end) that is not in the set, empty if
// there is none.
func (r ranges) gap(start, end int64) (int64, int64) {
	i := r.from(start)
	if i < len(r) && r[i].start <= start {
		start = r[i].end
		i++
	}
	if i < len(r) {
		end = min(end, r[i].start)
	}
	if start >= end {
		return end, end
	}
	return start, end
}

// add puts [start, end) into the set.
func (r *ranges) add(start, end int64) {
	if start >= end {
		return
	}
	s := *r
	i := sort.Search(len(s), func(i int) bool { return s[i].end >= start })
	j := i
	for j < len(s) && s[j].start <= end {
		j++
	}
	if i < j {
		start, end = min(start, s[i].start), max(end, s[j-1].end)
	}
	*r = slices.Replace(s, i, j, span{start, end})
}

// remove takes [start, end) out of the set.
func (r *ranges) remove(start, end int64) {
	if start >= end {
		return
	}
	s := *r
	i := s.from(start)
	j := i
	for j < len(s) && s[j].start < end {
		j++
	}
	if i == j {
		return
	}
	var rest [2]span
	keep := rest[:0]
	if s[i].start < start {
		keep = append(keep, span{s[i].start, start})
	}
	if s[j-1].end > end {
		keep = append(keep, span{end, s[j-1].end})
	}
	*r = slices.Replace(s, i, j, keep...)
}

// within returns the parts of [start, end) that are in the set.
func (r ranges) within(start, end int64) (parts ranges) {
	for i := r.from(start); i < len(r) && r[i].start < end; i++ {
		parts = append(parts, span{max(start, r[i].start), min(end, r[i].end)})
	}
	return parts
}

// total returns how many offsets are in the set.
func (r ranges) total() int64 {
	var n int64
	for _, s := range r {
		n += s.end - s.start
	}
	return n
}
