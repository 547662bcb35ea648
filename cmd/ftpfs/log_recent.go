package main

import (
	"log/slog"
	"slices"
	"sync"
	"time"
)

// maxRecent is how many of the latest errors a status tells.
const maxRecent = 10

// recent are the latest errors that were logged: warnings, and requests that failed.
type recent struct {
	mu  sync.Mutex
	all []statusError // the oldest first
	n   int64         // how many there have been
}

// list returns the latest errors, and how many there have been in all.
func (r *recent) list() ([]statusError, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all), r.n
}

// add keeps a record; a repetition of the last one only counts.
func (r *recent) add(record slog.Record) {
	text := sentence(record)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if n := len(r.all); n > 0 && r.all[n-1].Text == text {
		r.all[n-1].Time = record.Time
		r.all[n-1].Times++
		return
	}
	if len(r.all) == maxRecent {
		r.all = slices.Delete(r.all, 0, 1)
	}
	r.all = append(r.all, statusError{Time: record.Time, Text: text, Times: 1})
}

// collect returns a log handler that does what h does, too.
func (r *recent) collect(h slog.Handler) slog.Handler {
	return &tap{h, slog.LevelInfo, func(record slog.Record) {
		if record.Level >= slog.LevelWarn || record.Message == "request failed" {
			r.add(record)
		}
	}}
}

// statusError is one of the latest errors.
type statusError struct {
	Time  time.Time `json:"time"`
	Text  string    `json:"text"`
	Times int       `json:"times"` // how often, without another one in between
}
