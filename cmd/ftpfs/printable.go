package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable quotes what would act on a terminal, such as control characters, in a text
// that holds the words of a server or a name. Lines are joined.
func printable(s string) string {
	var b strings.Builder
	for s = oneLine(s); s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// oneLine joins the lines of joined errors.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }
