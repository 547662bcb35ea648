package main

import "slices"

// workloads are in the order of the report.
var workloads = slices.Concat(listings, smallFiles, largeFiles, changes, projects, local)
