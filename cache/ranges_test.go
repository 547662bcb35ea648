package cache

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRangesAgainstBitmap(t *testing.T) {
	const size = 40
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		var bits [size]bool
		at := rapid.Int64Range(0, size)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			start, end := at.Draw(t, "start"), at.Draw(t, "end")
			put := rapid.Bool().Draw(t, "add")
			if put {
				r.add(start, end)
			} else {
				r.remove(start, end)
			}
			for i := start; i < end; i++ {
				bits[i] = put
			}
			checkNormal(t, r)

			start, end = at.Draw(t, "qstart"), at.Draw(t, "qend")
			all, any, n := true, false, int64(0)
			gapStart, gapEnd := end, end
			for i := start; i < end; i++ {
				all = all && bits[i]
				any = any || bits[i]
				if !bits[i] && gapStart == end {
					gapStart = i
				}
				if bits[i] && i > gapStart && gapEnd == end {
					gapEnd = i
				}
			}
			for _, b := range bits {
				if b {
					n++
				}
			}
			if got := r.contains(start, end); got != all {
				t.Fatalf("%v contains [%d,%d) = %v", r, start, end, got)
			}
			if got := r.overlaps(start, end); got != any {
				t.Fatalf("%v overlaps [%d,%d) = %v", r, start, end, got)
			}
			s, e := r.gap(start, end)
			if empty := s == e; empty != all || !empty && (s != gapStart || e != gapEnd) {
				t.Fatalf("%v gap [%d,%d) = [%d,%d), want [%d,%d)", r, start, end, s, e, gapStart, gapEnd)
			}
			if r.total() != n {
				t.Fatalf("%v total %d, want %d", r, r.total(), n)
			}
		}
	})
}

// checkNormal fails unless the spans are in order and apart.
func checkNormal(t interface{ Fatalf(string, ...any) }, r ranges) {
	last := int64(-1)
	for _, s := range r {
		if s.start <= last || s.end <= s.start {
			t.Fatalf("not normal: %v", r)
		}
		last = s.end
	}
}

func TestRangesAtTheLimit(t *testing.T) {
	var r ranges
	r.add(0, math.MaxInt64)
	r.remove(5, 6)
	if s, e := r.gap(0, math.MaxInt64); s != 5 || e != 6 {
		t.Fatalf("gap [%d,%d)", s, e)
	}
	if r.total() != math.MaxInt64-1 {
		t.Fatalf("total %d", r.total())
	}
}

func BenchmarkRangesFragmented(b *testing.B) {
	var r ranges
	for i := range int64(100_000) {
		r.add(i*8192, i*8192+4096)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		off := int64(i*7919%100_000) * 8192
		r.add(off+4096, off+4200)
		r.remove(off+4096, off+4200)
	}
}
