package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

// nearest suggests the flag whose name is most like name.
func nearest(s *pflag.FlagSet, name string) string {
	var names []string
	s.VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag.Name) {
			names = append(names, flag.Name)
		}
	})
	return suggest(name, names)
}

// suggest asks for the one of names that is most like name.
func suggest(name string, names []string) string {
	best, distance := "", 1+len(name)/2
	for _, n := range names {
		if d := editDistance(name, n); d < min(distance, len(n)) {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
