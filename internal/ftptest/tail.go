package ftptest

import (
	"fmt"
	"strings"
)

// tailBytes is some 30 lines of a log.
const tailBytes = 4000

// Tail is the end of a log, for a failed test to print: few enough lines that the reason, which
// stands above them, is still there when only the end of the output is kept.
func Tail(log string) string {
	if len(log) <= tailBytes {
		return log
	}
	cut := len(log) - tailBytes
	if line := strings.IndexByte(log[cut-1:], '\n'); line >= 0 && cut+line < len(log) {
		cut += line
	}
	return fmt.Sprintf("(%d bytes before)\n%s", cut, log[cut:])
}
