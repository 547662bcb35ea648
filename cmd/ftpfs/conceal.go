package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// conceal keeps the secrets that this process knows to itself, from when it serves a mount:
// there is no core of it and, but for root, nobody reads its memory or environment; those
// whom it starts do not inherit them.
func conceal() {
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); isSecret(name) {
			os.Unsetenv(name)
		}
	}
}

// isSecret tells whether a variable of the environment may hold a password.
func isSecret(name string) bool {
	switch name {
	case "FTPFS_PASSWORD", "FTPFS_TARGET_PASSWORD", "ALL_PROXY", "all_proxy", envName("proxy"): // a proxy's URL may hold one
		return true
	}
	return false
}

func withoutSecrets(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); !isSecret(name) {
			kept = append(kept, e)
		}
	}
	return kept
}
