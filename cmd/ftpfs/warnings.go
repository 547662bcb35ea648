package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// warnings are what has been logged at Warn or above, as sentences. The daemon tells them
// to the process that started it, since its log may go nowhere.
type warnings struct {
	mu  sync.Mutex
	all []string
}

// maxWarnings bounds them, since a mount logs for as long as it lasts.
const maxWarnings = 20

func (w *warnings) texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// collect returns a log handler that does what h does, too.
func (w *warnings) collect(h slog.Handler) slog.Handler { return &collector{h, w} }

type collector struct {
	slog.Handler
	to *warnings
}

func (c *collector) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || c.Handler.Enabled(ctx, l)
}

func (c *collector) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		c.to.add(r)
	}
	return c.Handler.Handle(ctx, r)
}

func (c *collector) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &collector{c.Handler.WithAttrs(attrs), c.to}
}

func (c *collector) WithGroup(name string) slog.Handler {
	return &collector{c.Handler.WithGroup(name), c.to}
}

func (w *warnings) add(r slog.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == maxWarnings {
		return
	}
	w.all = append(w.all, "Warning: "+sentence(r))
}
