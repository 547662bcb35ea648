package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// A tap is a log handler that also shows the records of a level or above to somebody else.
type tap struct {
	slog.Handler
	least slog.Level
	show  func(slog.Record)
}

func (t *tap) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= t.least || t.Handler.Enabled(ctx, l)
}

func (t *tap) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= t.least {
		t.show(r)
	}
	if !t.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return t.Handler.Handle(ctx, r)
}

func (t *tap) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &tap{t.Handler.WithAttrs(attrs), t.least, t.show}
}

func (t *tap) WithGroup(name string) slog.Handler {
	return &tap{t.Handler.WithGroup(name), t.least, t.show}
}

// sentence is a record in one line.
func sentence(r slog.Record) string {
	var details []string
	r.Attrs(func(a slog.Attr) bool {
		details = append(details, fmt.Sprintf("%s %v", a.Key, a.Value))
		return true
	})
	if len(details) == 0 {
		return r.Message
	}
	return r.Message + " (" + strings.Join(details, ", ") + ")"
}
