package cache

import (
	"fmt"
	"math"
	"testing"
)

func BenchmarkReadAtPresent(b *testing.B) {
	for _, n := range []int{4 << 10, 128 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := OpenFiles(FilesConfig{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			f := open(b, s, "/f", 64<<20)
			fill(b, f, 0, 64<<20)
			p := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := f.ReadAt(b.Context(), p, int64(i*n)%(64<<20)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFill streams through a cache that is full.
func BenchmarkFill(b *testing.B) {
	s, err := OpenFiles(FilesConfig{Dir: b.TempDir(), MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := open(b, s, "/f", math.MaxInt64)
	p := pattern(0, 128<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := f.Fill(p, int64(i)*int64(len(p))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	s, err := OpenFiles(FilesConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := open(b, s, "/f", 1000)
	fill(b, f, 0, 1000)
	f.Close()
	b.ReportAllocs()
	for b.Loop() {
		open(b, s, "/f", 1000).Close()
	}
}
