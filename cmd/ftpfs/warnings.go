package main

import (
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
func (w *warnings) collect(h slog.Handler) slog.Handler { return &tap{h, slog.LevelWarn, w.add} }

func (w *warnings) add(r slog.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == maxWarnings {
		return
	}
	w.all = append(w.all, "Warning: "+sentence(r))
}
