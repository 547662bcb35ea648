package ftpclient

import "strings"

// readMVS reads listings of z/OS servers: of data sets, and of the members of a partitioned
// one. Those of its Unix file system are Unix listings.
//
//	Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname
//	SAVE00 3390   2004/06/23  1    1  FB     128  6144  PS    INCOMING.RPTBM023
//	Migrated                                                INCOMING.OLD
//
//	 Name     VV.MM   Created       Changed      Size  Init   Mod   Id
//	TBSHELF1  01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001
//
// Sizes are told in tracks or records, so those in bytes are unknown; so is the time of a
// data set, of which only the day of the last use is told.
func readMVS(hints) func(string) (Entry, meaning) {
	members := false // of a partitioned data set; a line may hold nothing but a name
	return func(line string) (Entry, meaning) {
		fields := strings.Fields(line)
		n := len(fields)
		switch {
		case n >= 9 && fields[0] == "Volume" && fields[1] == "Unit":
			members = false
			return Entry{}, heading
		case n >= 5 && fields[0] == "Name" && (fields[1] == "VV.MM" || fields[1] == "Size" && fields[2] == "TTR"):
			members = true
			return Entry{}, heading
		}
		e := Entry{Size: -1}
		switch {
		case e.setMember(fields), members && (n == 1 || n >= 5 && isHex(fields[1])) && isMVSName(fields[0], 8):
			e.Name = fields[0]
			return e, child
		case n > 0 && e.setDataset(fields):
			e.Name = fields[n-1]
			return e, child
		}
		return Entry{}, strange
	}
}

// setMember reads a member with its statistics.
func (e *Entry) setMember(f []string) bool {
	if len(f) != 9 || !isMVSName(f[0], 8) || len(f[1]) != 5 || f[1][2] != '.' || !isDigits(f[5]+f[6]+f[7]) {
		return false
	}
	_, ok := parseYMD(f[2], "/")
	changed, ok2 := parseYMD(f[3], "/")
	c, ok3 := parseClock(f[4])
	if !ok || !ok2 || !ok3 || changed.long != 0 {
		return false
	}
	e.setTime(changed.in(yearFirst, c), c.precision)
	return true
}

// setDataset reads a data set. Between the day of its last use and its record format some
// columns may run together.
func (e *Entry) setDataset(f []string) bool {
	n := len(f)
	switch {
	case !isMVSName(f[n-1], 44) || n < 2 || len(f[0]) > 8:
		return false
	case n == 2:
		return f[0] == "Migrated"
	case n == 3 && f[0] == "Pseudo" && f[1] == "Directory":
		e.Type = TypeDir
		return true
	case n == 6 && strings.Join(f[1:5], " ") == "Not Direct Access Device":
		return true
	case n == 4 && isHex(f[1]) && f[2] == "VSAM":
		return true
	case n < 8 || n > 10 || !isHex(f[1]):
		return false
	}
	used, ok := parseYMD(f[2], "/")
	if !ok || used.long != 0 || !isDigits(strings.Join(f[3:n-5], "")) || !isDigits(f[n-4]+f[n-3]) {
		return false
	}
	switch f[n-2] {
	case "PO", "PO-E":
		e.Type = TypeDir
	case "PS", "PS-E", "PS-L", "DA", "IS", "VS":
	default:
		return false
	}
	return true
}

// isMVSName recognises qualifiers of at most eight letters, digits and national characters
// with full stops between them, of at most so many bytes.
func isMVSName(s string, most int) bool {
	for i := range len(s) {
		c := s[i] &^ 0x20
		if (c < 'A' || c > 'Z') && !strings.ContainsRune("0123456789.@#$-{", rune(s[i])) {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789ABCDEF") == ""
}
