package netlab

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// roles are what the test program does instead of testing, when roleEnv names it; it gets the rest of
// the variable's words.
var roles = map[string]func(args []string) error{
	"dial": dialAndTime,
	"hold": holdLab,
	"user": labOfUser,
}

const roleEnv = "NETLAB_ROLE"

// ofUser tells that an ordinary user runs the tests, by Reexec.
var ofUser bool

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(roleEnv)); len(words) > 0 {
		if err := roles[words[0]](words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ofUser = os.Getenv(reexecuted) != ""
	if err := Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
