package ftpclient

import (
	"slices"
	"sync"
	"time"
)

// Transfer is a file under way, as Client.Transfers tells of it.
type Transfer struct {
	Path   string // as the server has it, or as announced by Writer.Announce
	Upload bool
	Moved  int64 // bytes so far
	Total  int64 // to be moved in all; -1 unknown
	Begun  time.Time
}

// transfers are the files under way.
type transfers struct {
	mu  sync.Mutex
	all map[*Transfer]struct{} // and what is in them
}

func (ts *transfers) begin(path string, upload bool, total int64) *Transfer {
	t := &Transfer{Path: path, Upload: upload, Total: total, Begun: time.Now()}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all == nil {
		ts.all = make(map[*Transfer]struct{})
	}
	ts.all[t] = struct{}{}
	return t
}

func (ts *transfers) moved(t *Transfer, n int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.Moved += int64(n)
}

func (ts *transfers) end(t *Transfer) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.all, t)
}

// Transfers returns the files under way, the one that began first before the others. It
// does not block.
func (cl *Client) Transfers() []Transfer {
	ts := &cl.transfers
	ts.mu.Lock()
	defer ts.mu.Unlock()
	list := make([]Transfer, 0, len(ts.all))
	for t := range ts.all {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Transfer) int { return a.Begun.Compare(b.Begun) })
	return list
}

// Announce tells Transfers what the file is really called, and how many bytes there are to
// be written.
func (w *Writer) Announce(path string, size int64) {
	w.client.transfers.mu.Lock()
	defer w.client.transfers.mu.Unlock()
	w.moving.Path, w.moving.Total = path, size
}
