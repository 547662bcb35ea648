package ftpclient

import (
	"strings"
	"time"
)

// months are the names of months in listings made under other locales, in lower case, in
// UTF-8 and in Latin-1, from January on. Names that mean two months in two languages, such
// as lis (Polish November, Croatian October), are left out.
var months = func() map[string]time.Month {
	names := []string{
		"jan january janv janvier jän jänner januar ene enero gen gennaio sty jan. led янв jaan",
		"feb february févr fév février fevr fev februar febr febrero febbraio lut úno фев helmi",
		"mar march mars mär märz mrz maart mrt marzo março marz bře мар maalis",
		"apr april avr avril abr abril aprile kwi dub апр huhti",
		"may mai maj mayo maggio mag mei maio май touko kvě",
		"jun june juin juni junio giugno giu junho cze июн kesä čen",
		"jul july juil juillet juli julio luglio lug julho lip июл heinä čvc",
		"aug august août aoû aout agosto ago augustus sie srp авг elo",
		"sep september sept septembre settembre set septiembre setembro wrz сен syys zář",
		"oct october octobre okt oktober ottobre ott octubre out outubro paź окт loka říj",
		"nov november novembre noviembre novembro ноя marras",
		"dec december déc décembre dez dezember dicembre dic diciembre dezembro gru дек joulu pro",
	}
	all := map[string]time.Month{}
	for i, list := range names {
		for _, name := range strings.Fields(list) {
			all[name] = time.Month(i + 1)
			if old, ok := latin1(name); ok {
				all[old] = time.Month(i + 1)
			}
		}
	}
	return all
}()

// latin1 encodes s in ISO 8859-1.
func latin1(s string) (string, bool) {
	var b []byte
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// monthOf reads the name of a month, in any language known and perhaps with a stop or comma
// behind it, or its number with a word behind it, as in Japanese, Chinese and Korean; 0 for
// anything else.
func monthOf(s string) time.Month {
	s = strings.TrimRight(s, ".,")
	if len(s) == 3 { // the common case
		for m := time.January; m <= time.December; m++ {
			if strings.EqualFold(s, m.String()[:3]) {
				return m
			}
		}
	}
	if n, marked := numberOf(s); marked && n <= 12 {
		return time.Month(n)
	}
	return months[lower(s)]
}

// lower is strings.ToLower for ASCII letters; other bytes may be of any encoding.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// numberOf reads a number of up to four digits that may have a mark behind it that is not
// ASCII, such as the sign of year, month or day, in whatever encoding; -1 if there is none.
func numberOf(s string) (n int, marked bool) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		n = 10*n + int(s[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 4 {
		return -1, false
	}
	for i := digits; i < len(s); i++ {
		// The second byte of a sign may be any letter in some encodings.
		if i == digits && s[i] < 0x80 || s[i] < '@' {
			return -1, false
		}
	}
	return n, digits < len(s)
}

// isWord tells whether s may be the name of a month in a language that is not known.
func isWord(s string) bool {
	s = strings.TrimRight(s, ".,")
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] < 0x80 && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) >= 3 && len(s) <= 24
}
