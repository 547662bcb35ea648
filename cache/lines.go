package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
)

// What the cache has to find again is written down in lines of text: eight
// hexadecimal digits of CRC-32C, a space, and the JSON that they vouch for. A
// line that was cut short or damaged is noticed, and those behind it are still
// found.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine writes v, which can always be marshalled, as a line.
func appendLine(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	b = append(b, text...)
	return append(b, '\n')
}

// parseLines calls each for the intact lines of data, in order. torn is the
// length of a last line that is cut short or damaged, as after a crash; bad
// counts damaged lines before it, among them those for which each answered
// false.
func parseLines(data []byte, each func(text []byte) bool) (bad, torn int) {
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		text, ok := checkLine(line)
		switch ok = ok && ended && each(text); {
		case !ok && len(rest) == 0:
			return bad, len(data)
		case !ok:
			bad++
		}
		data = rest
	}
	return bad, 0
}

func checkLine(line []byte) (text []byte, ok bool) {
	if len(line) < 9 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	text = line[9:]
	return text, err == nil && uint32(sum) == crc32.Checksum(text, castagnoli)
}
