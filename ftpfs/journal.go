package ftpfs

import (
	"encoding/json"
	"io/fs"
	"slices"
	"time"

	"ftpfs/ftpclient"
)

// syncAfter is how long an upload may take before what it uploads is made
// durable here: most are over by then, and the server has it.
const syncAfter = time.Second

// A note is what the journal keeps of a content beside its bytes, so that a
// later mount can go on with its upload.
type note struct {
	Base    noteEntry   `json:"base"`
	Fresh   bool        `json:"fresh,omitempty"`
	Whole   bool        `json:"whole,omitempty"`
	Placed  bool        `json:"placed,omitempty"`
	Torn    bool        `json:"torn,omitempty"`
	Mixed   bool        `json:"mixed,omitempty"`
	Tail    int64       `json:"tail,omitempty"`
	Doomed  bool        `json:"doomed,omitempty"`
	ModTime noteTime    `json:"mtime"`
	Mode    *uint32     `json:"mode,omitempty"` // if it was set
	Temp    []byte      `json:"temp,omitempty"` // the temporary file of an upload that has begun
	Left    [][]byte    `json:"left,omitempty"` // those of earlier mounts
	Aside   []byte      `json:"aside,omitempty"`
	Move    *noteMove   `json:"move,omitempty"` // of a directory above, whose end nobody has seen
	Sent    []noteEntry `json:"sent,omitempty"` // what uploads may have made of the file
}

// A noteMove is the rename of a directory.
type noteMove struct {
	From []byte `json:"from"`
	To   []byte `json:"to"`
}

// A noteEntry is a version on the server.
type noteEntry struct {
	Size      int64         `json:"size"`
	ModTime   noteTime      `json:"time"`
	Precision time.Duration `json:"unit"`
	Mode      *uint32       `json:"mode,omitempty"`
	Sum       uint32        `json:"sum,omitempty"`
}

// A noteTime is seconds and nanoseconds: JSON has no year before 0.
type noteTime [2]int64

func writtenTime(t time.Time) noteTime { return noteTime{t.Unix(), int64(t.Nanosecond())} }

func (t noteTime) time() time.Time { return time.Unix(t[0], t[1]).UTC() }

func writtenEntry(e ftpclient.Entry) noteEntry {
	w := noteEntry{Size: e.Size, ModTime: writtenTime(e.ModTime), Precision: e.Precision}
	if e.HasMode {
		mode := uint32(e.Mode)
		w.Mode = &mode
	}
	return w
}

func (w noteEntry) entry() ftpclient.Entry {
	e := ftpclient.Entry{Type: ftpclient.TypeFile, Size: w.Size, ModTime: w.ModTime.time(), Precision: w.Precision}
	if w.Mode != nil {
		e.Mode, e.HasMode = fs.FileMode(*w.Mode), true
	}
	return e
}

// journal writes down what c is now, beside the bytes that were changed. It
// blocks for the local disk. What cannot be written down now is with the next
// change, or the change fails.
func (c *content) journal() {
	c.noting.Lock()
	defer c.noting.Unlock()
	text, err := json.Marshal(c.note())
	if err == nil {
		c.file.Journal(text)
	}
}

// note is what the journal has to keep, and has when it is written down.
func (c *content) note() note {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := note{Base: writtenEntry(c.base), Fresh: c.fresh, Whole: c.whole, Placed: c.placed, Torn: c.torn, Mixed: c.mixed, Tail: c.tail, Doomed: c.doomed, ModTime: writtenTime(c.mtime), Temp: c.at(c.temp), Aside: c.at(c.aside)}
	for _, temp := range c.left {
		w.Left = append(w.Left, c.at(temp))
	}
	if c.move != nil {
		w.Move = &noteMove{[]byte(c.move.from), []byte(c.move.to)}
	}
	if c.modeSet {
		mode := uint32(c.mode)
		w.Mode = &mode
	}
	sent := c.sent
	if !c.next.ModTime.IsZero() {
		sent = append(slices.Clone(sent), c.next)
	}
	for _, m := range sent {
		e := writtenEntry(m.Entry)
		e.Sum = m.sum
		w.Sent = append(w.Sent, e)
	}
	c.told = c.mtime
	return w
}

// at is where a temporary file of c is now.
func (c *content) at(temp string) []byte {
	if temp == "" || c.temps == nil {
		return []byte(temp)
	}
	return []byte(c.temps.at(temp))
}

// restore is the reverse of journal.
func (c *content) restore(text []byte) error {
	var w note
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.fresh, c.whole, c.placed, c.tail = w.Base.entry(), w.Fresh, w.Whole, w.Placed, w.Tail
	c.mtime, c.aside, c.doomed = w.ModTime.time(), string(w.Aside), w.Doomed
	if w.Move != nil {
		c.move = &move{from: string(w.Move.From), to: string(w.Move.To)}
	}
	if len(w.Temp) > 0 {
		w.Left = append(w.Left, w.Temp)
	}
	for _, temp := range w.Left {
		c.left = append(c.left, string(temp))
	}
	if w.Mode != nil {
		c.mode, c.modeSet = fs.FileMode(*w.Mode), true
	}
	for _, e := range w.Sent {
		c.sent = append(c.sent, made{e.entry(), e.Sum})
	}
	c.begun, c.run = true, -1 // before this mount
	c.mixed = w.Mixed
	c.torn, c.stale = w.Torn, w.Torn // what is absent here is nowhere
	c.tried = len(c.left) > 0 || c.torn
	c.resumed = true
	return nil
}

// isResumed tells whether an earlier mount has left c, and nobody has looked yet what became
// of its uploads.
func (c *content) isResumed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resumed
}

// looked is told that somebody has.
func (c *content) looked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumed = false
}

// stepsAside writes down where the server's version is put while it is replaced;
// "" that it is not there any more. It blocks for the local disk.
func (c *content) stepsAside(path string) {
	c.mu.Lock()
	c.aside = path
	c.mu.Unlock()
	c.journal()
}

// leaves writes down that there may be a temporary file beside that of the upload. It blocks
// for the local disk.
func (c *content) leaves(temp string) {
	c.mu.Lock()
	c.left = append(c.left, temp)
	c.mu.Unlock()
	c.journal()
}

// dooms writes down that the server is about to be asked for the removal of the file, which
// goes by the name hidden meanwhile if that is not "". It blocks for the local disk.
func (c *content) dooms(hidden string) {
	c.mu.Lock()
	c.doomed = true
	if hidden != "" {
		c.temp = hidden
	}
	c.mu.Unlock()
	c.journal()
}

// spares is told that the server has not done that.
func (c *content) spares() {
	c.mu.Lock()
	c.doomed = false
	c.mu.Unlock()
	c.journal()
}

func (c *content) isDoomed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doomed
}

// sending writes down that an upload of c to temp begins. It blocks for the
// local disk.
func (c *content) sending(temp string) {
	c.mu.Lock()
	c.temp = temp
	c.mu.Unlock()
	c.journal()
}
