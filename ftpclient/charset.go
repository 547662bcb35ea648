package ftpclient

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// names translates between the names of files as the server has them, bytes, and as callers
// see them. Without a character set they are the same.
//
// With one, callers see valid UTF-8, and each name of the server's, whatever its bytes, as
// another string, which translates back to it. Bytes that are valid UTF-8 are that. Others
// are in the character set; what does not convert is written as escape and two
// hexadecimal digits for each byte. Of the two, one is usual: UTF-8 where the server says so by
// FEAT, else the character set; new names are written in it. A name of the other kind has escape
// and mark before it. An escape in a name is doubled.
type names struct {
	translate bool
	set       encoding.Encoding // nil: none, but what is not UTF-8 is escaped
	utf8      bool              // UTF-8 is usual
}

const (
	escape = "\u201b" // a quotation mark that hardly any name has
	mark   = "~"
)

// parseCharset finds a character set by the name that IANA or the WHATWG gives it. It has to
// contain ASCII, in which commands are written.
func parseCharset(name string) (names, error) {
	if name == "" {
		return names{}, nil
	}
	set, err := ianaindex.IANA.Encoding(name)
	if err != nil || set == nil {
		if set, err = htmlindex.Get(name); err != nil {
			return names{}, fmt.Errorf("the character set %q is not known: name one as latin1, windows-1251 or shift_jis", name)
		}
	}
	if set == unicode.UTF8 {
		return names{translate: true, utf8: true}, nil
	}
	n := names{translate: true, set: set}
	for b := range utf8.RuneSelf {
		if text, ok := n.convert(string(rune(b))); !ok || text != string(rune(b)) {
			return names{}, fmt.Errorf("the character set %q does not contain ASCII, which FTP needs", name)
		}
	}
	return n, nil
}

// ParseCharset returns the name of a character set as Config.Charset takes it, or an error that
// tells why it cannot be used.
func ParseCharset(name string) (string, error) {
	_, err := parseCharset(name)
	return name, err
}

// shown translates a name of the server's, or a path.
func (n names) shown(raw string) string {
	if !n.translate || isASCII(raw) {
		return raw
	}
	elements := strings.Split(raw, "/")
	for i, e := range elements {
		elements[i] = n.show(e)
	}
	return strings.Join(elements, "/")
}

func (n names) show(raw string) string {
	if isASCII(raw) {
		return raw
	}
	isUTF8 := utf8.ValidString(raw)
	text := ""
	if isUTF8 {
		text = strings.ReplaceAll(raw, escape, escape+escape)
	} else {
		text = n.fromSet(raw)
	}
	if n.set != nil && isUTF8 != n.utf8 {
		return escape + mark + text
	}
	return text
}

// fromSet translates what is not UTF-8.
func (n names) fromSet(raw string) string {
	if text, ok := n.convert(raw); ok {
		return strings.ReplaceAll(text, escape, escape+escape)
	}
	var b strings.Builder
	for raw != "" {
		size := 1
		text, ok := n.convert(raw[:1])
		for !ok && size < min(4, len(raw)) {
			size++
			text, ok = n.convert(raw[:size])
		}
		if ok {
			b.WriteString(strings.ReplaceAll(text, escape, escape+escape))
		} else {
			size = 1
			fmt.Fprintf(&b, "%s%02X", escape, raw[0])
		}
		raw = raw[size:]
	}
	return b.String()
}

// convert decodes raw if it comes out of the character set as it goes in, without anything
// that a name cannot have.
func (n names) convert(raw string) (string, bool) {
	if n.set == nil {
		return raw, isASCII(raw)
	}
	text, err := n.set.NewDecoder().String(raw)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) || !isASCII(raw) && strings.ContainsAny(text, "/\x00") {
		return "", false
	}
	back, err := n.set.NewEncoder().String(text)
	return text, err == nil && back == raw
}

// raw translates a path of the caller's; ok is false if there is no such name on the server,
// or none that would be shown like that.
func (n names) raw(shown string) (raw string, ok bool) {
	if !n.translate || isASCII(shown) {
		return shown, true
	}
	elements := strings.Split(shown, "/")
	for i, e := range elements {
		if elements[i], ok = n.unshow(e); !ok {
			return "", false
		}
	}
	return strings.Join(elements, "/"), true
}

func (n names) unshow(shown string) (string, bool) {
	if isASCII(shown) {
		return shown, true
	}
	text, marked := strings.CutPrefix(shown, escape+mark)
	isUTF8 := marked != n.utf8
	var raw strings.Builder
	for text != "" {
		part, rest, escaped := strings.Cut(text, escape)
		hex, literal := "", strings.HasPrefix(rest, escape)
		switch {
		case literal:
			part, rest = part+escape, rest[len(escape):]
		case escaped && len(rest) >= 2:
			hex, rest = rest[:2], rest[2:]
		case escaped:
			return "", false
		}
		if !isUTF8 && n.set != nil {
			var err error
			if part, err = n.set.NewEncoder().String(part); err != nil {
				return "", false
			}
		}
		raw.WriteString(part)
		if hex != "" {
			var b byte
			if _, err := fmt.Sscanf(hex, "%02X", &b); err != nil {
				return "", false
			}
			raw.WriteByte(b)
		}
		text = rest
	}
	// Whatever else it could be read as, a name has one form.
	return raw.String(), n.show(raw.String()) == shown
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
