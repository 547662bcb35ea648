package ftpfs

import (
	"errors"
	"sync/atomic"
	"testing"
)

// What is read while the disk keeps a reader is read by another one, and by
// one only.
func TestSlowDiskDoesNotStopTheReading(t *testing.T) {
	errEnd := errors.New("unmounted")
	requests := make(chan func())
	var reading, most atomic.Int32
	var rs *readers
	rs = newReaders(func() error {
		most.Store(max(most.Load(), reading.Add(1)))
		request := <-requests
		reading.Add(-1)
		if request == nil {
			return errEnd
		}
		rs.visit(request)
		return nil
	})
	ended := make(chan error)
	go func() { ended <- rs.run() }()

	const slow = 3
	release, back := make(chan struct{}), make(chan struct{}, slow)
	for range slow {
		requests <- func() { <-release; back <- struct{}{} }
	}
	for range 1000 { // received only if somebody reads
		requests <- func() {}
	}
	close(release)
	for range slow {
		<-back
	}
	for range 1000 {
		requests <- func() {}
	}
	requests <- nil
	if err := <-ended; err != errEnd {
		t.Errorf("ended with %v", err)
	}
	if most.Load() != 1 {
		t.Errorf("%d readers at a time", most.Load())
	}
}
