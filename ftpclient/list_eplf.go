package ftpclient

import (
	"strconv"
	"strings"
	"time"
)

// readEPLF reads the Easily Parsed LIST Format (https://cr.yp.to/ftp/list/eplf.html):
//
//	+i8388621.48594,m825718503,r,s280,up644,<TAB>name
//
// Times are seconds since 1970 in UTC.
func readEPLF(hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		text, name, _ := strings.Cut(line, "\t")
		text, ok := strings.CutPrefix(text, "+")
		if !ok || name == "" {
			return Entry{}, strange
		}
		e := Entry{Size: -1, Type: TypeOther, Name: name}
		for fact := range strings.SplitSeq(text, ",") {
			e.setEPLF(fact)
		}
		return e, child
	}
}

// setEPLF takes over one fact; those that are not known are left out.
func (e *Entry) setEPLF(fact string) {
	if fact == "" {
		return
	}
	value := fact[1:]
	switch fact[0] {
	case '/':
		e.Type = TypeDir
	case 'r':
		if e.Type == TypeOther {
			e.Type = TypeFile
		}
	case 's':
		e.Size = parseSize(value)
	case 'm':
		if n, err := strconv.ParseInt(value, 10, 40); err == nil {
			e.setTime(time.Unix(n, 0).UTC(), time.Second)
		}
	case 'i':
		e.Unique = value
	case 'u':
		if bits, err := strconv.ParseUint(strings.TrimPrefix(value, "p"), 8, 12); err == nil && value[0] == 'p' {
			e.Mode, e.HasMode = unixMode(bits), true
		}
	}
}
