package ftpclient

import "strings"

// TraceLine is one line of a control connection, without its line end. Passwords and
// accounts are masked.
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
