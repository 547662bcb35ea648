package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// openBackgroundLog makes the log of a mount without a terminal: --log-file, else that of
// the system, where there is one. The function returned closes it.
func openBackgroundLog(f *flags, socket string) (log *slog.Logger, closeLog func(), err error) {
	if f.logFile == "" {
		if l := openSystemLog(socket); l != nil {
			return slog.New(l.handler(slog.LevelInfo)), l.Close, nil
		}
	}
	return openLog(f, io.Discard)
}

// openLog makes the log of a mount, which goes to --log-file, else to stderr. The
// function returned closes it.
func openLog(f *flags, stderr io.Writer) (log *slog.Logger, closeLog func(), err error) {
	to, closeLog := stderr, func() {}
	if f.logFile != "" {
		// A pipe without a reader would block.
		file, err := os.OpenFile(f.logFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, nil, fail(exitUsage, "The log file cannot be written: %w. Choose another one by --log-file.", err)
		}
		to, closeLog = file, func() { file.Close() }
	}
	level := slog.LevelInfo
	if f.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level})), closeLog, nil
}
