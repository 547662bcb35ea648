package ftpfs

import "slices"

// Programs that read backward, in small steps, get streams that begin well
// before the place they are at: nothing runs backward over FTP.

const (
	firstStepBack = 64 << 10
	mostStepBack  = 4 << 20
	beginnings    = 8 // of streams, that are remembered
)

// A beginning is where a stream began, and how far before what was asked for.
type beginning struct{ off, back int64 }

// before returns where to begin for the absent range [start, end): there, or
// earlier when it ends where another stream began. It wants streams.mu held.
func (ss *streams) before(start, end int64) int64 {
	b := beginning{off: start}
	for i, last := range slices.Backward(ss.begun) {
		if last.off >= end && last.off-end < firstStepBack {
			b.back = min(max(2*last.back, firstStepBack), mostStepBack, max(ss.pace.skip(), firstStepBack), start)
			b.off, _ = ss.file.Missing(start-b.back, b.back+1)
			ss.begun = slices.Delete(ss.begun, i, i+1)
			break
		}
	}
	if len(ss.begun) == beginnings {
		ss.begun = slices.Delete(ss.begun, 0, 1)
	}
	ss.begun = append(ss.begun, b)
	return b.off
}
