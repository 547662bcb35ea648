package ftpclient

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Two servers change names silently, so that two files may become one. pyftpdlib replaces
// what is not UTF-8. pure-ftpd writes "_" for control characters in any command, and for
// blanks at the end of a new name; it makes files with a backslash in the name and
// serves none.

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// wire translates a path, or a part of one, into what stands for it in commands: in the
// server's character set, with 0xFF doubled where the server takes it for telnet's IAC. It
// refuses what the server has no word for, or would take for another path.
func (s *serverInfo) wire(verb, p string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, ok := s.names.raw(p)
	switch {
	case !ok:
		return "", &Error{Command: verb, Path: p, Text: "illegal file name: not in the server's character set, or not as it is listed"}
	case s.pureFTPd && strings.ContainsFunc(raw, isControl):
		return "", &Error{Command: verb, Path: p, Text: "illegal file name: Pure-FTPd replaces control characters"}
	case s.pyftpdlib && !utf8.ValidString(raw):
		return "", &Error{Command: verb, Path: p, Text: "illegal file name: pyftpdlib replaces what is not UTF-8"}
	case s.proftpd:
		return strings.ReplaceAll(raw, "\xff", "\xff\xff"), nil
	}
	return raw, nil
}

// shown translates a path or a name that the server has told.
func (s *serverInfo) shown(raw string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names.shown(raw)
}

// show translates the names in a listing.
func (s *serverInfo) show(entries []Entry) {
	s.mu.Lock()
	names := s.names
	s.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		e.Name, e.Target = names.shown(e.Name), names.shown(e.Target)
	}
}

// telling makes arrived what a listing being read is told to, which has not been translated yet.
func (s *serverInfo) telling(arrived func([]Entry)) func([]Entry) {
	if arrived == nil {
		return nil
	}
	s.mu.Lock()
	asTold := !s.names.translate
	s.mu.Unlock()
	if asTold {
		return arrived
	}
	return func(entries []Entry) {
		entries = slices.Clone(entries)
		s.show(entries)
		arrived(entries)
	}
}

// checkNew refuses the name of a new file that would become another one or not be
// served.
func (s *serverInfo) checkNew(verb, p string) error {
	name := path.Base(p)
	if s.isPureFTPd() && (strings.HasSuffix(name, " ") || strings.Contains(name, `\`)) {
		return &Error{Command: verb, Path: p, Text: "illegal file name: Pure-FTPd serves no name with a backslash or a blank at its end"}
	}
	return nil
}

// newDir returns the argument of MKD. A slash keeps the blanks before it.
func (s *serverInfo) newDir(p, arg string) (string, error) {
	if !s.isPureFTPd() {
		return arg, nil
	}
	if strings.HasSuffix(arg, " ") {
		return arg + "/", nil
	}
	return arg, s.checkNew("MKD", p)
}

func (s *serverInfo) isPureFTPd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pureFTPd
}
