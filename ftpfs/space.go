package ftpfs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ftpfs/ftpclient"
)

const (
	spaceAge  = 30 * time.Second // a figure of the server's is asked for again after it
	spaceWait = 30 * time.Second // for the answer
	unlimited = 1 << 40          // bytes, shown where nothing is known
)

// A space is how large and how full the server is, as df(1) shows it. It answers at once
// with what is known, and asks the server behind, where that can tell.
type space struct {
	client   *ftpclient.Client
	capacity int64 // as the user says, 0 unknown
	log      *slog.Logger
	base     context.Context
	wg       sync.WaitGroup // the question under way

	mu     sync.Mutex
	root   string // "" as long as it is not known
	told   bool   // known is what the server has told
	known  ftpclient.Space
	stored int64     // bytes that came to it since by uploads
	asked  time.Time // zero: never
	asking bool
}

func newSpace(client *ftpclient.Client, base context.Context, opts Options) *space {
	return &space{client: client, capacity: opts.Capacity, log: opts.Logger, base: base}
}

// figures returns the size of the server and what is free of it, in bytes, without
// blocking.
func (s *space) figures() (total, free int64) {
	s.refresh()
	s.mu.Lock()
	defer s.mu.Unlock()
	total, free = unlimited, unlimited
	if s.capacity > 0 {
		total, free = s.capacity, s.capacity
	}
	if !s.told {
		return total, free
	}
	free = max(0, s.known.Free-s.stored)
	if s.capacity == 0 {
		total = max(s.known.Total, free)
	}
	return total, min(free, total)
}

// refresh asks the server behind, if what is known is old and the server may tell.
func (s *space) refresh() {
	if s.client.CanTellSpace() == ftpclient.No {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == "" || s.asking || s.base.Err() != nil || !s.asked.IsZero() && time.Since(s.asked) < spaceAge {
		return
	}
	s.asking = true
	root, before := s.root, s.stored
	s.wg.Go(func() { s.ask(root, before) })
}

// begin says where on the server the mount is.
func (s *space) begin(root string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = root
}

// ask takes over the server's answer. What was stored before the question is part of it.
func (s *space) ask(root string, before int64) {
	ctx, cancel := context.WithTimeout(s.base, spaceWait)
	defer cancel()
	known, err := s.client.Space(ctx, root)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		s.log.Info("the server did not tell its free space", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking, s.asked = false, time.Now()
	if err == nil {
		s.told, s.known = true, known
		s.stored -= before
	}
}

// grew is told that an upload has stored so many bytes more, or less than what it replaced.
func (s *space) grew(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored += n
}

// Close waits for the question under way, which ends with the context.
func (s *space) Close() { s.wg.Wait() }
