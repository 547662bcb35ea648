package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onInterrupt calls f once when the process is asked to end. The function returned
// gives up waiting.
func onInterrupt(f func()) (stop func()) {
	signals, done := endSignals(), make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-signals:
			f()
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-finished
	}
}

// endSignals delivers the signals that end a mount.
func endSignals() chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}
