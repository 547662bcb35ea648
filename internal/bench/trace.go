package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// tally counts FTP commands by verb.
type tally map[string]int

// count adds the commands that ftpfs logged in a file after its first from bytes.
func (c *tally) count(log string, from int64) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if *c == nil {
		*c = make(tally)
	}
	for line := range strings.Lines(string(text[min(from, int64(len(text))):])) {
		if verb := sentVerb(line); verb != "" {
			(*c)[verb]++
		}
	}
	return nil
}

// sentVerb finds the verb of the FTP command that a log line says was sent, as in
//
//	time=... level=DEBUG msg=ftp conn=1 line="> RETR /a"
func sentVerb(line string) string {
	_, quoted, found := strings.Cut(line, " msg=ftp ")
	if !found {
		return ""
	}
	_, quoted, _ = strings.Cut(quoted, " line=")
	said, err := strconv.Unquote(strings.TrimSpace(quoted))
	if err != nil {
		return ""
	}
	command, sent := strings.CutPrefix(said, "> ")
	if !sent {
		return ""
	}
	verb, _, _ := strings.Cut(command, " ")
	return verb
}

// String tells the sum and the verbs, the most frequent first.
func (c tally) String() string {
	total := 0
	verbs := slices.Sorted(maps.Keys(c))
	slices.SortStableFunc(verbs, func(a, b string) int { return c[b] - c[a] })
	var parts []string
	for _, v := range verbs {
		total += c[v]
		parts = append(parts, v+" "+strconv.Itoa(c[v]))
	}
	if total == 0 {
		return "no command"
	}
	return strconv.Itoa(total) + ": " + strings.Join(parts, ", ")
}

func logSize(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}
