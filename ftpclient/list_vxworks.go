package ftpclient

import "strings"

// readVxWorks reads listings of VxWorks, found in routers and controllers:
//
//	  size          date       time       name
//	--------       ------     ------    --------
//	     512    JAN-01-1980   00:00:00   logs              <DIR>
func readVxWorks(hints) func(string) (Entry, meaning) {
	return func(line string) (Entry, meaning) {
		fields := strings.Fields(line)
		if len(fields) == 4 && (strings.Join(fields, " ") == "size date time name" || strings.Trim(line, "- ") == "") {
			return Entry{}, heading
		}
		size, at := field(line, 0)
		day, at := field(line, at)
		clockText, at := field(line, at)
		c, ok := parseClock(clockText)
		parts := strings.Split(day, "-")
		if !ok || !isDigits(size) || len(parts) != 3 || len(parts[2]) != 4 || monthOf(parts[0]) == 0 {
			return Entry{}, strange
		}
		year, _ := numberOf(parts[2])
		t := c.on(year, monthOf(parts[0]), small(parts[1]))
		if t.IsZero() {
			return Entry{}, strange
		}
		e := Entry{Size: parseSize(size), Name: strings.Trim(line[at:], " ")}
		e.setTime(t, c.precision)
		if name, isDir := strings.CutSuffix(e.Name, " <DIR>"); isDir {
			e.Type, e.Size, e.Name = TypeDir, -1, strings.TrimRight(name, " ")
		}
		return e, child
	}
}
