package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
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

// onHangup calls f at each SIGHUP, unless that ends the process. The function returned
// waits for the last call.
func onHangup(f func()) (stop func()) {
	if onTerminal() {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for range signals {
			f()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-finished
	}
}

// endSignals delivers the signals that end a mount.
func endSignals() chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if onTerminal() {
		signal.Notify(signals, syscall.SIGHUP)
	}
	return signals
}

// onTerminal tells whether SIGHUP says that the terminal has gone; else it asks a
// process in the background to look again.
func onTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }
