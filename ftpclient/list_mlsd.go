package ftpclient

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseFacts reads one entry of MLSD or MLST, "fact=value;fact=value; name"
// (RFC 3659 section 7.2), without the blank that precedes it in an MLST reply. Exactly
// one blank separates facts and name. The name is handed out as it stands: in MLST
// servers write a full path, an echo or the last element.
func parseFacts(line string) (Entry, error) {
	f, err := readFacts(line)
	return f.entry, err
}

type facts struct {
	entry Entry
	self  bool // the listed directory or its parent: cdir, pdir
}

func readFacts(line string) (facts, error) {
	f := facts{entry: Entry{Size: -1}}
	e := &f.entry
	var kind, owner, uid, group, gid string
	rest := line
	for !strings.HasPrefix(rest, " ") {
		// A value may hold blanks: the target of a link does.
		fact, after, closed := strings.Cut(rest, ";")
		name, value, ok := strings.Cut(fact, "=")
		if !closed || !ok || name == "" || strings.Contains(name, " ") {
			return facts{}, fmt.Errorf("no facts: %q", line)
		}
		rest = after
		switch strings.ToLower(name) {
		case "type":
			kind = value
		case "size", "sizd":
			e.Size = parseSize(value)
		case "modify":
			if strings.Trim(value, "0123456789.") != "" {
				return facts{}, fmt.Errorf("modify: %q is no time", value)
			}
			// A date that does not exist leaves the time unknown.
			e.ModTime, e.Precision, _ = parseTime(value)
		case "unique":
			e.Unique = value
		case "unix.mode":
			// pyftpdlib writes 0o644.
			bits, err := strconv.ParseUint(strings.TrimPrefix(value, "0o"), 8, 32)
			if e.HasMode = err == nil; e.HasMode {
				e.Mode = unixMode(bits)
			}
		case "unix.ownername":
			e.Owner = value
		case "unix.owner":
			owner = value
		case "unix.uid":
			uid = value
		case "unix.groupname":
			e.Group = value
		case "unix.group":
			group = value
		case "unix.gid":
			gid = value
		}
	}
	e.Owner = firstOf(e.Owner, owner, uid)
	e.Group = firstOf(e.Group, group, gid)
	e.Name = rest[1:]
	if e.Name == "" {
		return facts{}, fmt.Errorf("no name: %q", line)
	}
	return f, f.setType(kind)
}

// setType reads the type fact (RFC 3659 section 7.5.1) and the two ways in which
// servers mark a link, OS.unix=symlink and OS.unix=slink:target.
func (f *facts) setType(kind string) error {
	e := &f.entry
	low := strings.ToLower(kind)
	switch low {
	case "":
		return errors.New("no type")
	case "file":
		e.Type = TypeFile
	case "dir":
		e.Type = TypeDir
	case "cdir", "pdir":
		e.Type = TypeDir
		f.self = true
	case "os.unix=symlink":
		e.Type = TypeLink
	default:
		const slink = "os.unix=slink:"
		switch {
		case strings.HasPrefix(low, slink):
			e.Type = TypeLink
			e.Target = kind[len(slink):]
		case strings.HasPrefix(low, "os."):
			e.Type = TypeOther
		default:
			return fmt.Errorf("type %q is unknown", kind)
		}
	}
	return nil
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
