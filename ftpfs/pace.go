package ftpfs

import (
	"sync"
	"time"
)

const (
	leastSkip = 64 << 10
	usualSkip = 512 << 10 // before anything is known
	mostSkip  = 4 << 20
)

// pace is how transfers from the server go: what a new one costs, and what one
// brings. Those who seek decide by it. One serves all files of a mount.
type pace struct {
	mu      sync.Mutex
	opening time.Duration // from the question to the first bytes; 0: unknown
	rate    float64       // bytes a second of one transfer that need not wait for readers; 0: unknown
	partly  bool          // who last read a large file from its start did not come to its ending
	alone   time.Time     // until then one transfer is believed to fill the link
	full    float64       // the rate at which it did, in bytes a second
	rest    time.Duration // the last time that was believed
}

// opened is told how long a transfer took to begin. One that had to log in
// first says little.
func (p *pace) opened(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opening == 0 {
		p.opening = d
		return
	}
	p.opening = (3*p.opening + min(d, 3*p.opening)) / 4
}

// moved is told of n bytes that came in that time.
func (p *pace) moved(n int64, d time.Duration) {
	rate := float64(n) / max(d, time.Microsecond).Seconds()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate == 0 {
		p.rate = rate
		return
	}
	p.rate = (3*p.rate + rate) / 4
}

// begins is how long a new transfer takes to begin.
func (p *pace) begins() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opening
}

// skip is how many bytes a transfer under way brings while another would begin.
func (p *pace) skip() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opening == 0 || p.rate == 0 {
		return usualSkip
	}
	return min(max(int64(p.rate*p.opening.Seconds()), leastSkip), mostSkip)
}

// ending is how many bytes of a file's end a transfer may bring while another comes up
// to its speed; 0: transfers have it at once.
func (p *pace) ending() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.opening == 0 || p.rate == 0:
		return firstEnding
	case p.opening < nearby:
		return 0
	}
	return min(int64(p.rate*p.opening.Seconds()*2/3), mostSkip)
}

// left is told whether a reader of a large file has left before its ending.
func (p *pace) left(before bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partly = before
}

// reachesEnding tells whether readers of large files may be believed to come to their ending.
func (p *pace) reachesEnding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.partly
}

// fills is told that more transfers than one were of no use where one has that rate.
func (p *pace) fills(rate float64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = rate
	p.rest = min(max(2*p.rest, firstRest), longestRest)
	p.alone = now.Add(p.rest)
}

// bears tells whether it may be tried whether more transfers than one, which has that rate, are of
// use. A sender whose packets were lost may be slow for long on a link that is free again.
func (p *pace) bears(rate float64, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now.Before(p.alone) || rate <= broken*p.full
}

// within is how many bytes a transfer brings in that time.
func (p *pace) within(d time.Duration) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.rate * d.Seconds())
}

// A meter tells the pace of one transfer. What lay in the buffers of the
// connection, while nobody read, does not count.
type meter struct {
	pace  *pace
	bytes int64
	took  time.Duration
	stale int64 // bytes that do not count
}

const (
	meterBytes = 256 << 10
	meterTime  = 100 * time.Millisecond
	buffered   = 1 << 20
)

func (m *meter) pause() { m.bytes, m.took, m.stale = 0, 0, buffered }

func (m *meter) count(n int, took time.Duration) {
	if m.stale > 0 {
		m.stale -= int64(n)
		return
	}
	m.bytes += int64(n)
	if m.took += took; m.bytes >= meterBytes || m.took >= meterTime {
		m.pace.moved(m.bytes, m.took)
		m.bytes, m.took = 0, 0
	}
}
