package ftpclient

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// reply is one reply of the server (RFC 959 section 4.2).
type reply struct {
	code    int
	lines   []string // without line ends; the code and its separator are cut from the first and the last
	secrets secrets  // not to be shown
}

func (r reply) ok() bool          { return r.code >= 200 && r.code < 300 }
func (r reply) preliminary() bool { return r.code < 200 }
func (r reply) refused() bool     { return r.code >= 400 }
func (r reply) isPassive() bool   { return r.code == 227 || r.code == 229 }

// text is the whole reply in one line.
func (r reply) text() string { return strings.TrimSpace(strings.Join(r.lines, " ")) }

// shown is text for errors and logs: the beginning of what is long.
func (r reply) shown() string {
	text := r.secrets.hide(r.text())
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

const (
	maxShown      = 1000 // bytes
	maxReplyLine  = 16 << 10
	maxReplyBytes = 1 << 20
	maxReplyLines = 10000
)

var (
	errLongReply = errors.New("reply of the server is too long")
	errBadReply  = errors.New("not an FTP reply")
)

// readReply reads one reply. A reply of several lines begins with "123-" and ends with
// the first line that begins with "123 "; lines between may hold anything, other codes
// included. each, if not nil, is called with every line read and returns it as it may be
// shown.
func readReply(br *bufio.Reader, each func(line string) string) (reply, error) {
	line, shown, err := readReplyLine(br, each)
	if err != nil {
		return reply{}, err
	}
	code, sep, rest, ok := splitReplyLine(line)
	if !ok {
		return reply{}, fmt.Errorf("%w: %.60q", errBadReply, shown)
	}
	r := reply{code: code, lines: []string{rest}}
	size := len(line)
	for sep == '-' {
		line, _, err := readReplyLine(br, each)
		if err != nil {
			return reply{}, err
		}
		if size += len(line); size > maxReplyBytes || len(r.lines) == maxReplyLines {
			return reply{}, errLongReply
		}
		if c, s, rest, ok := splitReplyLine(line); ok && c == code && s == ' ' {
			r.lines = append(r.lines, rest)
			break
		}
		r.lines = append(r.lines, line)
	}
	return r, nil
}

// readReplyLine reads up to LF and cuts it and a CR before it.
func readReplyLine(br *bufio.Reader, each func(line string) string) (line, shown string, err error) {
	raw, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", "", errLongReply
	}
	if err != nil {
		return "", "", err
	}
	line = strings.TrimSuffix(string(raw[:len(raw)-1]), "\r")
	if each == nil {
		return line, line, nil
	}
	return line, each(line), nil
}

// splitReplyLine takes a line apart that begins with a code; a code that nothing
// follows counts as followed by a blank.
func splitReplyLine(line string) (code int, sep byte, rest string, ok bool) {
	if len(line) < 3 || line[0] < '1' || line[0] > '5' {
		return 0, 0, "", false
	}
	for _, d := range []byte(line[:3]) {
		if d < '0' || d > '9' {
			return 0, 0, "", false
		}
		code = code*10 + int(d-'0')
	}
	if len(line) == 3 {
		return code, ' ', "", true
	}
	if sep = line[3]; sep != ' ' && sep != '-' {
		return 0, 0, "", false
	}
	return code, sep, line[4:], true
}
