package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on a terminal; elsewhere it shows nothing.
type progress struct {
	mu  sync.Mutex // guards bar, whose Clear does not lock
	bar *progressbar.ProgressBar
}

func newProgress(w io.Writer, total int64) *progress {
	file, ok := w.(*os.File)
	return newBar(w, total, ok && term.IsTerminal(int(file.Fd())))
}

func newBar(w io.Writer, total int64, visible bool) *progress {
	return &progress{bar: progressbar.NewOptions64(max(total, 1), // 0 would be without end
		progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(visible),
		progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true), progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())}
}

func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.Add64(n) // its errors are about more than was announced
}

// clear takes the bar away until more is added.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.Clear()
}

// end takes the bar away for good.
func (p *progress) end() {
	p.clear()
	p.bar.Exit()
}

// shownBytes is how much of one file the bar shows. It is for one goroutine at a time.
type shownBytes struct {
	bar *progress
	n   int64
}

func (s *shownBytes) set(n int64) {
	if n = max(n, 0); n != s.n {
		s.bar.add(n - s.n)
		s.n = n
	}
}

// Write counts the bytes.
func (s *shownBytes) Write(p []byte) (int, error) {
	s.set(s.n + int64(len(p)))
	return len(p), nil
}
