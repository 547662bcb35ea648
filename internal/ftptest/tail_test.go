package ftptest

import (
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	lines := strings.Repeat(strings.Repeat("x", 99)+"\n", tailBytes/100)
	for log, want := range map[string]string{
		"":                                      "",
		"short\n":                               "short\n",
		lines:                                   lines,
		"the first line\n" + lines:              "(15 bytes before)\n" + lines,
		strings.Repeat("y", tailBytes+500):      "(500 bytes before)\n" + strings.Repeat("y", tailBytes),
		strings.Repeat("z", tailBytes+2) + "\n": "(3 bytes before)\n" + strings.Repeat("z", tailBytes-1) + "\n",
	} {
		if got := Tail(log); got != want {
			t.Errorf("%d bytes, %.20q: %.40q", len(log), log, got)
		}
	}
}
