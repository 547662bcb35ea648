package ftpclient

import (
	"strconv"
	"strings"
)

// readMac reads listings of NetPresenz and WebSTAR on the Macintosh: in the place of links,
// owner and group stand the lengths of resource fork and data fork, then their sum, and
// "folder" for directories:
//
//	-rw-r--r--    54149       27826    81975 Jul 22  2010 09.jpg
//	drwxr-xr-x               folder        0 Jan  4 14:49 Steak
//
// What RETR gives of the two forks is a setting of the server, so the size of a file that
// has both is unknown.
func readMac(h hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		perms, at := field(line, 0)
		e := Entry{Size: -1}
		if !e.setPerms(perms) || e.Type != TypeFile && e.Type != TypeDir {
			return Entry{}, strange
		}
		first, at := field(line, at)
		second, after := field(line, at)
		if first != "folder" && second == "folder" {
			first, at = second, after
		}
		sum := first
		if first != "folder" {
			sum, at = macSum(line, first, second, after)
		} else {
			sum, at = field(line, at)
		}
		if !isDigits(sum) || (e.Type == TypeDir) != (first == "folder") {
			return Entry{}, strange
		}
		t, precision, end, ok := unixTime(line, at, h.now, true)
		if !ok {
			return Entry{}, strange
		}
		e.setTime(t, precision)
		e.Name = line[end:]
		if first == "0" {
			e.Size = parseSize(sum)
		}
		return e, child
	}
}

// macSum reads the third number behind the permissions; "" unless it is the sum of the first
// two.
func macSum(line, resource, data string, at int) (sum string, end int) {
	sum, end = field(line, at)
	r, err1 := strconv.ParseUint(resource, 10, 62)
	d, err2 := strconv.ParseUint(data, 10, 62)
	if err1 != nil || err2 != nil || strings.TrimLeft(sum, "0") != strings.TrimLeft(strconv.FormatUint(r+d, 10), "0") {
		return "", end
	}
	return sum, end
}
