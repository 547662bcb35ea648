package main

import (
	"regexp"
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
			b.WriteString(inQuotes(s[:n]))
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// oneLine joins the lines of joined errors.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

// urlPassword is the user and the password of a URL, perhaps amid something else. A user may be a
// mail address, and a password have what should be escaped; a port is none.
var urlPassword = regexp.MustCompile(`(?s)(://[^/:\[]*:)(?:[^/]*|[0-9]*[^0-9/].*)@`)

// told is an error as its user reads it. A URL among the arguments may have been taken for something
// else that is told, such as the value of a flag: its password is not.
func told(err error, args []string) string {
	text := err.Error()
	for _, arg := range args {
		for _, m := range urlPassword.FindAllStringSubmatch(arg, -1) {
			instead := m[1] + "…@"
			text = strings.ReplaceAll(text, m[0], instead)
			text = strings.ReplaceAll(text, inQuotes(m[0]), instead)
		}
	}
	return printable(text)
}

// inQuotes is s as it is written between quotes, by %q.
func inQuotes(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
