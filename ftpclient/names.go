package ftpclient

import (
	"path"
	"strings"
	"unicode/utf8"
)

// Two servers change names silently, so that two files may become one. pyftpdlib replaces
// what is not UTF-8. pure-ftpd writes "_" for control characters in any command, and for
// blanks at the end of a new name; it makes files with a backslash in the name and
// serves none.

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// checkName refuses a path that the server would take for another one.
func (s *serverInfo) checkName(verb, p string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.pureFTPd && strings.ContainsFunc(p, isControl):
		return &Error{Command: verb, Path: p, Text: "illegal file name: Pure-FTPd replaces control characters"}
	case s.pyftpdlib && !utf8.ValidString(p):
		return &Error{Command: verb, Path: p, Text: "illegal file name: pyftpdlib replaces what is not UTF-8"}
	}
	return nil
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
