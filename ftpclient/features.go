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

// wantedFacts are those that an Entry has a field for.
var wantedFacts = []string{"type", "size", "modify", "unique", "unix.mode", "unix.owner",
	"unix.ownername", "unix.uid", "unix.group", "unix.groupname", "unix.gid"}

// selectFacts returns the argument of OPTS MLST (RFC 3659 section 7.9) where the
// server has wanted facts that it does not send by itself, else "".
func (f features) selectFacts() string {
	var chosen []string
	missing := false
	for fact := range strings.SplitSeq(f["MLST"], ";") {
		name, enabled := strings.CutSuffix(strings.TrimSpace(fact), "*")
		for _, wanted := range wantedFacts {
			if strings.EqualFold(name, wanted) {
				chosen = append(chosen, name)
				missing = missing || !enabled
			}
		}
	}
	if !missing {
		return ""
	}
	return strings.Join(chosen, ";") + ";"
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
