package main

import "slices"

// median is the middle of some values, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// shares makes each value a percentage of the ceiling's in the same run.
func shares(values, ceiling []float64) []float64 {
	all := make([]float64, 0, len(values))
	for i, v := range values {
		if i < len(ceiling) {
			all = append(all, 100*v/ceiling[i])
		}
	}
	return all
}
