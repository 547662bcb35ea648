package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// systemLogSocket is where syslogd or journald listens, in the form of RFC 3164.
const systemLogSocket = "/dev/log"

// systemLogWait is how long a line may wait for a log that is stuck: a mount is not.
const systemLogWait = 100 * time.Millisecond

// systemLog is where the logs of background mounts go that have no file.
type systemLog struct {
	socket string

	mu   sync.Mutex
	conn net.Conn // nil: not connected
	line bytes.Buffer
}

// openSystemLog connects to the log at socket; nil if there is none.
func openSystemLog(socket string) *systemLog {
	l := &systemLog{socket: socket}
	if l.connect() != nil {
		return nil
	}
	return l
}

func (l *systemLog) connect() error {
	conn, err := net.DialTimeout("unixgram", l.socket, systemLogWait)
	if err == nil {
		l.conn = conn
	}
	return err
}

// Close closes the connection.
func (l *systemLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// handler writes records of at least the given level, without time and level, which the
// system adds.
func (l *systemLog) handler(level slog.Level) slog.Handler {
	return &systemHandler{l, slog.NewTextHandler(&l.line, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})}
}

type systemHandler struct {
	log *systemLog
	slog.Handler
}

func (h *systemHandler) Handle(ctx context.Context, r slog.Record) error {
	l := h.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	text := strings.TrimSuffix(l.line.String(), "\n")
	return l.send(fmt.Sprintf("<%d>%s ftpfs[%d]: %s", priority(r.Level), time.Now().Format(time.Stamp), os.Getpid(), text))
}

// send writes one line; a log that was started anew is connected to again.
func (l *systemLog) send(line string) (err error) {
	for range 2 {
		if l.conn == nil {
			if err = l.connect(); err != nil {
				return err
			}
		}
		l.conn.SetWriteDeadline(time.Now().Add(systemLogWait))
		if _, err = l.conn.Write([]byte(line)); err == nil {
			return nil
		}
		l.conn.Close()
		l.conn = nil
	}
	return err
}

func (h *systemHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &systemHandler{h.log, h.Handler.WithAttrs(attrs)}
}

func (h *systemHandler) WithGroup(name string) slog.Handler {
	return &systemHandler{h.log, h.Handler.WithGroup(name)}
}

// priority is the level as syslog has it, of the facility "daemon".
func priority(level slog.Level) int {
	const daemon = 3 << 3
	switch {
	case level >= slog.LevelError:
		return daemon + 3
	case level >= slog.LevelWarn:
		return daemon + 4
	case level >= slog.LevelInfo:
		return daemon + 6
	}
	return daemon + 7
}
