package ftpfs

import "time"

// A new data connection is slow at first, until its sender has found out what the
// link bears. Who reads a large file from its start, as much at a time as can be,
// will want all of it: while the first transfer comes up to its speed, idle
// connections bring the ending of the file, which the first one then need not.
// They are not kept longer: the first one is to get all of the link.

const (
	bulkSize    = 32 << 20 // a file for which it is worth it, at least
	endingShare = 32       // of such a file is the most that one connection brings
	endingMost  = 2        // connections for it
	firstEnding = 1 << 20  // what one brings before anything is known
	nearby      = 10 * time.Millisecond
	afterFirst  = 2 * time.Millisecond // in which the first transfer has got its connection
)

// bringEnding lets idle connections bring the ending of the file, whose start a
// reader wants up to end. It wants streams.mu held.
func (ss *streams) bringEnding(end int64) {
	part := min(ss.pace.ending(), ss.size/endingShare)
	if part == 0 || end < mostAtOnce || ss.size < bulkSize || ss.size > ss.ahead || ss.parallel < 2 {
		return
	}
	ss.ending = ss.size - part
	if !ss.pace.reachesEnding() {
		return
	}
	ss.wg.Go(func() {
		select {
		case <-time.After(afterFirst):
		case <-ss.base.Done():
			return
		}
		n := min(ss.idle(), ss.parallel-1, endingMost)
		ss.mu.Lock()
		defer ss.mu.Unlock()
		for end := ss.size; n > 0 && !ss.closed && ss.held == nil; n-- {
			if start, to := ss.file.Missing(end-part, part); start < to {
				s := ss.begin(start, to, 0, seekWindow)
				s.extra, s.end = true, to
			}
			end -= part
		}
	})
}
