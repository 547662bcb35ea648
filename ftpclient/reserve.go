package ftpclient

import (
	"time"
)

// wantsReserve tells whether one more connection should be opened that nobody waits for
// yet: as long as others are in use, one after another, and not before it is known how it
// gets a spare data connection. mu is held.
func (p *pool) wantsReserve() bool {
	cfg := &p.client.cfg
	used, reserve, most := len(p.conns)-len(p.idle), cfg.Reserve, min(p.limit, cfg.Reserve+1)
	if reserve > 0 && time.Since(p.expectedAt) < expectedFor {
		reserve++
		most = max(most, min(p.limit, p.expected))
	}
	return len(p.idle) < reserve && used > 0 && len(p.conns) < most &&
		p.dialing == 0 && p.client.modes.get() != ModeAuto && p.pause == 0 && !p.refused && !p.closed
}

// expectedFor is how long Expect holds.
const expectedFor = time.Second

// Expect tells that so many transfers will be wanted in the next second. As long as connections
// are in use, others are then logged in one after another before they are waited for, one more
// than Config.Reserve ahead, until there is one for each of these transfers or Connections are
// reached: also the one that is not for transfers is of use, while the server still ends others.
// Without Config.Reserve it does nothing. It does not block.
func (cl *Client) Expect(transfers int) {
	p := &cl.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected, p.expectedAt = transfers, time.Now()
	p.schedule()
}

// proven is told that a mode of data connections was found to work.
func (p *pool) proven() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schedule()
}
