package ftpfs

import (
	"sync"
	"time"
)

// slowDisk is how long the local disk may keep a reader before another one
// takes its place.
const slowDisk = 5 * time.Millisecond

// readers read requests, one after another, and answer what memory and the
// local cache can answer: handing a request of some microseconds to another
// goroutine costs several times as much as the request.
//
// One reads at a time. The disk may be slow all the same: a reader that is
// kept by it is replaced, and ends when it comes back.
type readers struct {
	serve func() error // waits for one request and answers it, or hands it on

	now   *reader // the one that reads; changed only while it is kept by the disk
	ended chan error
	wg    sync.WaitGroup
}

type reader struct {
	readers *readers
	watch   *time.Timer // runs when a visit to the disk begins, if it does not run already

	mu       sync.Mutex
	since    time.Time // when the reader went to the disk; zero when it is not there
	watching bool      // watch runs
	replaced bool
}

func newReaders(serve func() error) *readers {
	return &readers{serve: serve, ended: make(chan error, 1)}
}

// run reads until serve fails, and returns its error when all readers have ended.
func (rs *readers) run() error {
	rs.add()
	err := <-rs.ended
	rs.wg.Wait()
	return err
}

func (rs *readers) add() {
	r := &reader{readers: rs}
	r.watch = time.AfterFunc(time.Hour, r.check)
	r.watch.Stop()
	rs.now = r
	rs.wg.Go(r.loop)
}

func (r *reader) loop() {
	defer r.watch.Stop()
	for !r.isReplaced() {
		if err := r.readers.serve(); err != nil {
			r.readers.ended <- err
			return
		}
	}
}

// visit runs f, which may wait for the local disk. Only serve calls it.
func (rs *readers) visit(f func()) {
	r := rs.now
	r.setOut()
	defer r.comeBack()
	f()
}

func (r *reader) setOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = time.Now()
	if !r.watching {
		r.watching = true
		r.watch.Reset(slowDisk)
	}
}

func (r *reader) comeBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = time.Time{}
}

// check replaces r when it is late. When it is back nobody watches.
func (r *reader) check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch late := time.Since(r.since) >= slowDisk; {
	case r.since.IsZero():
		r.watching = false
	case !late:
		r.watch.Reset(slowDisk)
	default:
		r.replaced = true
		r.readers.add()
	}
}

func (r *reader) isReplaced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replaced
}
