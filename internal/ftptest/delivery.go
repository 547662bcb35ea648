package ftptest

import (
	"slices"
	"strings"
	"time"
)

// tamper returns what is delivered when verb is answered with lines.
func (f *faults) tamper(verb string, lines []string, quit bool) *delivery {
	d := &delivery{lines: lines, quit: quit}
	if final := lines[0] >= "2"; final {
		if r := f.take(replaceReply, verb, nil); r != nil {
			d.lines = strings.Split(r.reply, "\n")
		}
		if r := f.take(extraReply, verb, nil); r != nil {
			d.lines = append(slices.Clip(d.lines), strings.Split(r.reply, "\n")...)
		}
		d.cut = f.take(cutReply, verb, nil)
		d.fail = f.failure(verb, OnEnd)
	} else {
		d.fail = f.failure(verb, OnBegin)
	}
	if r := f.take(holdReply, verb, func(r *rule) bool { return r.class == 0 || lines[0][0] == byte('0'+r.class) }); r != nil {
		d.hold = r.hold
	}
	d.delay = f.take(delayReply, verb, nil)
	return d
}

// deliveries writes the replies to the client, in order, until the connection ends.
func (c *control) deliveries() {
	for {
		d := c.next()
		if d == nil {
			return
		}
		if d.delay != nil {
			timer := time.NewTimer(d.delay.delay)
			select {
			case <-timer.C:
			case <-c.done:
				timer.Stop()
			}
		}
		if d.hold != nil {
			d.hold.wait(c.done)
		}
		if d.fail != 0 && !c.spoil(d) {
			return
		}
		text := ""
		if len(d.lines) > 0 {
			text = strings.Join(d.lines, "\r\n") + "\r\n"
		}
		if d.cut != nil {
			text = text[:min(int(d.cut.bytes), len(text))]
			c.write(text)
			c.reset() // Linux still gives the client what it had received before
			return
		}
		say := c.write
		if d.fail == Drip {
			say = c.drip
		}
		if !say(text) || d.quit {
			return
		}
		if d.auth {
			agreed := strings.HasPrefix(text, "234")
			if agreed {
				c.to = c.e.secured(c.client)
			}
			c.agreed <- agreed
		}
	}
}

// spoil makes the connection fail in the way of d and reports whether there is a reply to
// deliver all the same.
func (c *control) spoil(d *delivery) bool {
	switch d.fail {
	case Silence:
		<-c.done
	case Reset:
		c.reset()
	case HalfClose:
		c.client.CloseWrite()
		<-c.done
	case Leave:
		d.lines, d.quit = []string{leaving}, true
		return true
	case Garbage:
		d.lines = []string{garbage}
		return true
	case Drip:
		return true
	}
	return false
}

// drip is write, a byte at a time.
func (c *control) drip(text string) bool {
	c.e.log.delivered(c.id, strings.Split(strings.TrimRight(text, "\r\n"), "\r\n"))
	for i := range len(text) {
		select {
		case <-time.After(DripPause):
		case <-c.done:
			return false
		}
		if _, err := c.to.Write([]byte(text[i : i+1])); err != nil {
			return false
		}
	}
	return true
}

// next waits for the next reply; nil means that the connection has ended.
func (c *control) next() *delivery {
	for {
		c.mu.Lock()
		if len(c.out) > 0 {
			d := c.out[0]
			c.out = c.out[1:]
			c.mu.Unlock()
			return d
		}
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.done:
			return nil
		}
	}
}

// write logs and sends a reply, or its beginning.
func (c *control) write(text string) bool {
	if text == "" {
		return true
	}
	c.e.log.delivered(c.id, strings.Split(strings.TrimRight(text, "\r\n"), "\r\n"))
	size := len(text)
	if c.e.faults.splitting() {
		size = 1
	}
	for len(text) > 0 {
		if _, err := c.to.Write([]byte(text[:size])); err != nil {
			return false
		}
		text = text[size:]
	}
	return true
}
