package ftpclient

import "strings"

// readNetWare reads listings of NetWare servers, whose rights are not those of Unix:
//
//	d [R----F--] supervisor            512       Jan 16 18:53    login
//	- [RWCEAFMS] rwinston            19968       Mar 12 15:20    Executive Summary.doc
func readNetWare(h hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		kind, at := field(line, 0)
		rights, at := field(line, at)
		e := Entry{Size: -1}
		switch kind {
		case "-":
		case "d":
			e.Type = TypeDir
		default:
			if isTotal(line, "total") {
				return Entry{}, heading
			}
			return Entry{}, strange
		}
		if len(rights) != 10 || rights[0] != '[' || rights[9] != ']' || strings.Trim(rights[1:9], "SRWCEMFA-") != "" {
			return Entry{}, strange
		}
		owner, at := field(line, at)
		size, at := field(line, at)
		t, precision, end, ok := unixTime(line, at, h.now, true)
		if !isDigits(size) || !ok {
			return Entry{}, strange
		}
		e.setTime(t, precision)
		if e.Owner = owner; e.Type == TypeFile {
			e.Size = parseSize(size)
		}
		e.Name = strings.TrimLeft(line[end:], " ")
		return e, child
	}
}
