package ftpclient

import (
	"fmt"
	"strings"
)

// Mode says how data connections are opened. EPSV and EPRT are RFC 2428, PASV and
// PORT RFC 959.
type Mode uint8

const (
	ModeAuto    Mode = iota // EPSV, PASV, EPRT, PORT: the first that works
	ModePassive             // EPSV, else PASV
	ModeActive              // EPRT, else PORT
	ModeEPSV
	ModePASV
	ModeEPRT
	ModePORT
)

var modeNames = [...]string{"auto", "passive", "active", "epsv", "pasv", "eprt", "port"}

// ParseMode reads auto, passive, active, epsv, pasv, eprt or port, in any case.
func ParseMode(s string) (Mode, error) {
	for m, name := range modeNames {
		if strings.EqualFold(s, name) {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("mode %q is none of %s", s, strings.Join(modeNames[:], ", "))
}

// String is the form that ParseMode reads.
func (m Mode) String() string {
	if int(m) >= len(modeNames) {
		return fmt.Sprintf("mode %d", uint8(m))
	}
	return modeNames[m]
}

func (m Mode) passive() bool { return m == ModeEPSV || m == ModePASV }

// candidates lists what m allows, best first. PASV and PORT cannot tell an IPv6
// address, and servers that answer PASV over IPv6 answer nonsense.
func (m Mode) candidates(ipv6 bool) []Mode {
	var all []Mode
	switch m {
	case ModeAuto:
		all = []Mode{ModeEPSV, ModePASV, ModeEPRT, ModePORT}
	case ModePassive:
		all = []Mode{ModeEPSV, ModePASV}
	case ModeActive:
		all = []Mode{ModeEPRT, ModePORT}
	default:
		return []Mode{m}
	}
	if !ipv6 {
		return all
	}
	var fit []Mode
	for _, m := range all {
		if m == ModeEPSV || m == ModeEPRT {
			fit = append(fit, m)
		}
	}
	return fit
}
