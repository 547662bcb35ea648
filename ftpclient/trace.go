package ftpclient

import (
	"slices"
	"strings"
)

// TraceLine is one line of a control connection, without its line end. Passwords and
// accounts are masked, also where the server repeats them.
type TraceLine struct {
	Conn int  // number of the control connection, from 1
	Sent bool // by the client
	Line string
}

// masked hides the argument of the commands that carry secrets.
func masked(line string) string {
	for _, verb := range []string{"PASS ", "ACCT "} {
		if strings.HasPrefix(line, verb) {
			return verb + "***"
		}
	}
	return line
}

// secrets are not to be shown where a server repeats them.
type secrets []string

// minSecret is the length from which on a secret is not found by chance in other words.
const minSecret = 4

// secrets are the password and the account. A word with which servers give reasons stays
// readable: to hide it would tell it.
func (cfg *Config) secrets() secrets {
	var all secrets
	for _, s := range []string{cfg.Password, cfg.Account} {
		if len(s) >= minSecret && !isReason(s) {
			all = append(all, s)
		}
	}
	// The longer one first, of which the other may be a part.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

func isReason(s string) bool {
	s = strings.ToLower(s)
	for _, k := range kinds {
		if strings.Contains(k.text, s) {
			return true
		}
	}
	return false
}

func (all secrets) hide(text string) string {
	for _, s := range all {
		text = strings.ReplaceAll(text, s, "***")
	}
	return text
}
