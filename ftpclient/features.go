package ftpclient

import "strings"

// features is what FEAT tells (RFC 2389): parameters by upper-case name.
type features map[string]string

// parseFeatures reads the lines between the first and the last of a 211 reply.
func parseFeatures(r reply) features {
	f := features{}
	if r.code != 211 || len(r.lines) < 3 {
		return f
	}
	for _, line := range r.lines[1 : len(r.lines)-1] {
		// proftpd writes "211-" before each line when told to be strict.
		line = strings.TrimSpace(strings.TrimPrefix(line, "211-"))
		name, params, _ := strings.Cut(line, " ")
		if name = strings.ToUpper(name); name == "SITE" {
			// One line for each SITE command.
			verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(params)), " ")
			name += " " + verb
		}
		if name != "" {
			f[name] = strings.TrimSpace(params)
		}
	}
	return f
}

func (f features) has(name string) bool {
	_, ok := f[name]
	return ok
}

// list returns the features as the server wrote them, in no order.
func (f features) list() []string {
	var all []string
	for name, params := range f {
		if strings.HasPrefix(name, "SITE ") {
			all = append(all, "SITE "+params)
			continue
		}
		all = append(all, strings.TrimSpace(name+" "+params))
	}
	return all
}

// wantedFacts are those that an Entry has a field for. Of one field's the first counts.
var wantedFacts = [][]string{{"type"}, {"size"}, {"modify"}, {"unique"}, {"unix.mode"}}

// ownerFacts are wanted unless Config.Brief says otherwise.
var ownerFacts = [][]string{{"unix.ownername", "unix.owner", "unix.uid"}, {"unix.groupname", "unix.group", "unix.gid"}}

// selectFacts returns the argument of OPTS MLST (RFC 3659 section 7.9) where the server does
// not send a wanted fact by itself, or where it sends more though listings shall be brief; else "".
func (f features) selectFacts(brief bool) (chosen string, lacking bool) {
	names := make(map[string]string) // as the server writes them
	sent := make(map[string]bool)
	for fact := range strings.SplitSeq(f["MLST"], ";") {
		name, enabled := strings.CutSuffix(strings.TrimSpace(fact), "*")
		low := strings.ToLower(name)
		names[low] = name
		if enabled {
			sent[low] = true
		}
	}
	wanted := wantedFacts
	if !brief {
		wanted = append(wanted[:len(wanted):len(wanted)], ownerFacts...)
	}
	for _, same := range wanted {
		for _, low := range same {
			if name, known := names[low]; known {
				chosen += name + ";"
				lacking = lacking || !sent[low]
				delete(sent, low)
				break
			}
		}
	}
	if !lacking && !(brief && len(sent) > 0) {
		return "", false
	}
	return chosen, lacking
}

// isProFTPD recognises the one server that undoes the doubling of 0xFF (telnet's IAC)
// in commands. Its banner may be changed; its features and their parameters tell too.
func isProFTPD(banner string, f features) bool {
	if strings.Contains(strings.ToLower(banner), "proftpd") {
		return true
	}
	return f.has("SITE SYMLINK") && f.has("SITE MKDIR") ||
		strings.Contains(strings.ToUpper(f["MFF"]), "UNIX.GROUP")
}
