package fusetest

import "flag"

// FixSeed has the models of package rapid draw the same in each run, so that a test which begins
// to fail tells of a change and not of its luck. A run that asks for a seed or a number of checks
// (-rapid.seed, -rapid.checks) gets what it asks for, new draws each time in the latter case.
// It parses the flags; to be called by TestMain.
func FixSeed() {
	flag.Parse()
	for _, name := range []string{"rapid.checks", "rapid.seed"} {
		if f := flag.Lookup(name); f == nil || f.Value.String() != f.DefValue {
			return
		}
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err) // a flag of numbers takes a number
	}
}
